"""One DLRM, trained by either of two engines, on the same batches: `pslab train --engine pslab | torchrec`.

    EngineJob ──> data, tables, first parameters, order of the batches        alike for both
       ├── ours.py           tables shared by all-to-all, dense all-reduce       processes here, or torchrun
       └── over_torchrec.py  DistributedModelParallel and DDP                    torchrun; Gloo on CPUs, NCCL on GPUs
       ──> EngineResult: the loss of every global batch, seconds, samples a second

    command.py   the command line

Both take the mean loss over the global batch as what is minimised, and the same rules, so that their losses agree to
rounding. Importing this room needs neither torch nor TorchRec; over_torchrec imports TorchRec when it is called.
"""

from importlib import import_module

_WHERE = {"DATA": "job", "ENGINES": "job", "OPTIMIZERS": "job", "EngineJob": "job", "EngineResult": "job",
          "add_arguments": "command", "main": "command", "check_torchrec": "over_torchrec", "run_ours": "ours",
          "run_torchrec": "over_torchrec"}

__all__ = ["DATA", "ENGINES", "OPTIMIZERS", "EngineJob", "EngineResult", "add_arguments", "check_torchrec", "main",
           "run_ours", "run_torchrec"]


def __getattr__(name: str):
    """Import the file that holds `name` on first use (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'pslab.engines' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
