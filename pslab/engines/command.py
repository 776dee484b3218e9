"""`pslab train`: one DLRM by one of the engines; the losses on the screen, all of them in a file.

    pslab train --workers 2                                                        processes of this machine
    torchrun --nproc-per-node=2 -m pslab train                                     the same, started by torchrun
    torchrun --nproc-per-node=2 -m pslab train --engine torchrec                   DistributedModelParallel and DDP
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields
from pathlib import Path

from pslab.files import check_writable

from .job import DATA, ENGINES, OPTIMIZERS, EngineJob, EngineResult


def add_arguments(parser) -> None:
    """Add the command's options to an argparse parser."""
    def option(name, help, **settings):
        default = getattr(EngineJob, name.replace("-", "_"))
        parser.add_argument(f"--{name}", default=default, help=f"{help} (default: {default})", **settings)

    parser.add_argument("--engine", choices=ENGINES, default="pslab", help="who trains (default: pslab)")
    parser.add_argument("--workers", type=int, metavar="K", help="processes; under torchrun it says how many "
                                                                 "(default: 2)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu",
                        help="of the engine torchrec: cpu (Gloo) or cuda (NCCL) (default: cpu)")
    parser.add_argument("--host", metavar="ADDR", help="under torchrun on several hosts: this host's address for the "
                                                       "others, where it is not found out by itself")
    option("config", "small, kaggle, terabyte, mlperf: sizes of the DLRM", metavar="NAME")
    option("interaction", "dot or cat; empty: the configuration's", metavar="NAME")
    option("data", f"{', '.join(DATA)}", metavar="NAME")
    option("table-rows", "rows of each table of synthetic and Criteo data", type=int, metavar="R")
    option("batch-size", "rows of a global batch", type=int, metavar="N")
    option("steps", "steps, each over one global batch", type=int, metavar="N")
    option("lr", "learning rate", type=float, metavar="X")
    option("optimizer", f"{', '.join(OPTIMIZERS)}: adagrad is row-wise for tables", metavar="NAME")
    option("seed", "draws parameters, the order of rows, and synthetic data", type=int, metavar="N")
    parser.add_argument("--json", metavar="FILE", help="also write all losses and times to FILE")


def main(args) -> int:
    """Run the command; gives the exit code. Under torchrun rank 0 speaks."""
    job = EngineJob(**{field.name: getattr(args, field.name) for field in fields(EngineJob)})
    if args.json is not None:
        check_writable("--json", args.json)
    result = _run(args, job)
    if int(os.environ.get("RANK", 0)) == 0:
        show(job, result)
        if args.json is not None:
            figures = {"job": asdict(job), **asdict(result), "samples_per_s": result.samples_per_s}
            Path(args.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            print(f"all losses and times: {args.json}")
    return 0


def show(job: EngineJob, result: EngineResult) -> None:
    """Some of the losses, and how fast it went."""
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    print(f"engine {result.engine} ({versions}), {result.world_size} workers, {result.device}")
    print(f"DLRM {job.config}, {job.sizes().interaction}, {job.data} data, batches of {job.batch_size:,}, "
          f"{job.optimizer} at {job.lr:g}")
    every = max(1, job.steps // 10)
    for step, loss in enumerate(result.losses):
        if step % every == 0 or step + 1 == job.steps:
            print(f"step {step:6}   loss {loss:.6f}")
    print(f"{result.samples_per_s:,.0f} samples/s")


def _run(args, job: EngineJob) -> EngineResult:
    under_torchrun = bool(os.environ.get("RANK") and os.environ.get("WORLD_SIZE"))
    if args.engine == "torchrec":
        for name in ("workers", "host"):
            if getattr(args, name) is not None:
                raise ValueError(f"--{name} {getattr(args, name)}: torchrun says that to the engine torchrec, by "
                                 f"--nnodes, --nproc-per-node and --rdzv-endpoint")
        from .over_torchrec import run_torchrec

        return run_torchrec(job, args.device)
    if args.device != "cpu":
        raise ValueError("--device cuda: the engine pslab computes on CPUs; --engine torchrec knows GPUs")
    if args.host is not None and not under_torchrun:
        raise ValueError(f"--host {args.host}: there are other hosts under torchrun only")
    from pslab.comm import ProcessWorld, TorchWorld

    from .ours import run_ours

    if under_torchrun:
        if args.workers is not None and args.workers != int(os.environ["WORLD_SIZE"]):
            raise ValueError(f"--workers {args.workers}: torchrun started {os.environ['WORLD_SIZE']} processes; leave "
                             f"the option out")
        with TorchWorld(seed=job.seed, host=args.host) as world:
            return run_ours(job, world)
    workers = 2 if args.workers is None else args.workers
    if not 1 <= workers <= ProcessWorld.MAX_RANKS:
        raise ValueError(f"--workers {workers}: 1 to {ProcessWorld.MAX_RANKS} processes are possible here")
    with ProcessWorld(workers, seed=job.seed) as world:
        return run_ours(job, world)
