"""What `pslab demo` can be asked for, and what it refuses before it trains anything."""

from __future__ import annotations

import argparse
import math
import os
import re
from dataclasses import dataclass, fields
from pathlib import Path

from pslab.files import check_writable

ORDER = ("hybrid", "allreduce", "server")       # the order of training: the main job first, then its baselines
STRATEGIES = (*ORDER, "all")
DATA = ("auto", "movielens-100k", "criteo", "synthetic")
WORLDS = ("process", "sim", "torch")
PICTURE = "pslab-demo.png"


@dataclass(frozen=True)
class Options:
    """K = workers, S = servers (strategy allreduce starts none). ValueError for what cannot be done.

    batch_size: rows of the global batch; each worker takes an equal part, or parts that differ by one row, and
    gradients are weighted by rows. lr: of AdaGrad, everywhere. staleness: 0 is BSP, math.inf ASP, between them SSP, of
    what lives on servers; cache_rows: rows of tables that each worker keeps. json, picture: files to write; None writes
    no figures.
    """

    servers: int = 2
    workers: int = 2
    strategy: str = "all"
    data: str = "auto"
    steps: int = 400
    batch_size: int = 256
    lr: float = 0.03
    staleness: float = 0
    cache_rows: int = 0
    world: str = "process"
    seed: int = 0
    picture: str = PICTURE
    json: str | None = None

    def __post_init__(self):
        for argument, allowed in (("strategy", STRATEGIES), ("data", DATA), ("world", WORLDS)):
            value = getattr(self, argument)
            if value not in allowed:
                raise ValueError(f"--{argument} {value}: allowed are {', '.join(allowed)}")
        if not (self.staleness == math.inf or (type(self.staleness) is int and self.staleness >= 0)):
            raise ValueError(f"--staleness {self.staleness}: a whole number from 0, or inf, is needed")
        for argument, least in (("workers", 1), ("steps", 1), ("batch_size", self.workers), ("seed", 0),
                                ("cache_rows", 0), ("servers", 0 if self.strategy == "allreduce" else 1)):
            value = getattr(self, argument)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                reason = {"batch_size": ", a row for each worker", "servers": f" for strategy {self.strategy}"}
                raise ValueError(f"--{argument.replace('_', '-')} {value}: a whole number from {least} is needed"
                                 f"{reason.get(argument, '')}")
        for argument in ("staleness", "cache_rows"):
            if getattr(self, argument) and self.strategy == "allreduce":
                raise ValueError(f"--{argument.replace('_', '-')} {getattr(self, argument)}: strategy allreduce has no "
                                 f"servers; 0 is needed")
        if self.seed >= 2**63:
            raise ValueError(f"--seed {self.seed}: a whole number below 2**63 is needed")
        from pslab.comm import ProcessWorld  # not above: `--help` must not wait for torch
        ranks, most = self.workers + self.servers, ProcessWorld.MAX_RANKS
        if self.world == "process" and ranks > most:
            raise ValueError(f"--workers {self.workers} --servers {self.servers}: {ranks} processes; at most "
                             f"{most} are possible here, and --world sim takes more")
        if self.world == "torch":
            _check_torchrun(self)
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"--lr {self.lr}: a finite number above 0 is needed")
        check_writable("--picture", self.picture)
        if Path(self.picture).suffix != ".png":
            raise ValueError(f"--picture {self.picture}: a name that ends in .png is needed")
        if self.json is not None:
            check_writable("--json", self.json)
            if Path(self.json).resolve() == Path(self.picture).resolve():
                raise ValueError(f"--json {self.json}: the picture goes there; another name is needed")

    @classmethod
    def of(cls, args) -> Options:
        """From what argparse read."""
        return cls(**{field.name: getattr(args, field.name) for field in fields(cls)})

    @property
    def strategies(self) -> tuple[str, ...]:
        """What is trained, in order."""
        return ORDER if self.strategy == "all" else (self.strategy,)


def add_arguments(parser) -> None:
    """Add the demo's options to an argparse parser."""
    parser.epilog = "`pslab demo NAME --help` tells of single models on servers: logistic, factorisation, mlp"

    def option(name, help, **settings):
        default = getattr(Options, name.replace("-", "_"))
        parser.add_argument(f"--{name}", default=default, help=f"{help} (default: {default})", **settings)

    option("strategy", f"{', '.join(STRATEGIES)}: what to train", metavar="NAME")
    option("workers", "worker processes K; they compute", type=int, metavar="K")
    option("servers", "server processes S; they hold rows (allreduce starts none)", type=int, metavar="S")
    option("data", f"{', '.join(DATA)}: auto is MovieLens-100K where it can be read, else synthetic", metavar="NAME")
    option("steps", "steps, each over one global batch", type=int, metavar="N")
    option("batch-size", "rows of a global batch, cut into K parts that differ by at most one row", type=int,
           metavar="N")
    option("lr", "learning rate of AdaGrad, on workers and servers alike", type=float, metavar="X")
    option("staleness", "rounds that a worker may be ahead of the slowest, for what lives on servers: 0 is BSP, inf is "
           "ASP (hybrid's ring still keeps workers in step)", type=staleness, metavar="S")
    option("cache-rows", "rows of each table that a worker keeps, the most recently used", type=int, metavar="N")
    option("world", f"{', '.join(WORLDS)}: processes of this machine, the simulator on a virtual clock, or the "
                    "processes that torchrun started", metavar="NAME")
    option("seed", "draws parameters, the order of rows, and synthetic data", type=int, metavar="N")
    option("picture", "image to write", metavar="FILE")
    parser.add_argument("--json", default=None, metavar="FILE", help="also write all figures to FILE")


def staleness(text: str) -> float:
    """A number from the command line."""
    if text != "inf" and not re.fullmatch(r"-?[0-9]+", text):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number from 0, or inf, is needed")
    return math.inf if text == "inf" else int(text)


def _check_torchrun(options: Options) -> None:
    """ValueError unless torchrun started this process and enough others."""
    ranks = options.workers + (0 if options.strategy == "allreduce" else options.servers)
    command = f"torchrun --nproc-per-node={ranks} -m pslab demo --world torch"
    started = os.environ.get("WORLD_SIZE", "")
    if not started.isdigit():
        raise ValueError(f"--world torch: runs in processes that torchrun started; use `{command}`")
    if int(started) < ranks:
        raise ValueError(f"--world torch: {options.workers} workers and {ranks - options.workers} servers are {ranks} "
                         f"processes, and torchrun started {started}; use `{command}`")
