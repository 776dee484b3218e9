"""pslab: one distributed program, run in a simulated world and in real processes.

    import pslab                       # cheap: imports neither torch nor numpy, starts nothing
    pslab.comm.SimWorld(4)             # a room is imported when it is first touched (PEP 562)

         cli                           the `pslab` command
         viz                           pictures and widgets
         engines                       one DLRM, trained by our engine or by TorchRec
         train                         strategies that train a model
         examples                      three models trained on servers, on real data
         models                        DLRM and friends
         embedding                     tables sharded over servers
         ps, collectives               the parameter server; the ring and its kin
         comm, cost, data              worlds and messages; closed forms; batches

A room imports only rooms below it, and of those only what they show at their face; `lint-imports` holds that.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = ["__version__", "collectives", "comm", "cost", "data", "embedding", "examples", "models", "ps", "train",
           "viz"]

_ROOMS = tuple(name for name in __all__ if not name.startswith("_"))

if TYPE_CHECKING:  # for editors: the same names, resolved without running anything
    from pslab import collectives, comm, cost, data, embedding, examples, models, ps, train, viz


def __getattr__(name: str):
    """Import the room `name` on first use; importing also sets it as an attribute, so this runs once per room."""
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'pslab' has no attribute {name!r}; its rooms are {', '.join(_ROOMS)}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS})
