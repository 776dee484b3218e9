"""TorchWorld: the same program on the processes that torchrun started, on one host or on many.

    torchrun --nproc-per-node=4 train.py                    torchrun starts 4 processes of train.py
        world = TorchWorld()                                they meet: torch's store, then connections of our own
        run = world.run(program, x)                         every process calls it; each is one rank
        run.results[0]                                      what this process's rank returned

Tensors travel by torch.distributed; mail, and the headers that let both sides of a tensor agree first, over
authenticated TCP connections. A run that fails on one rank ends on all of them, each with the reason.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import torch
import torch.distributed as dist

from .. import wire
from ..checks import check_start
from ..errors import CommError
from ..ledger import Ledger
from ..process.rank import _reseed, _told
from ..run import Run
from ..strand import check_all_waited
from ..trace import Trace
from .comm import TorchComm
from .endpoint import TorchEndpoint
from .handshake import listening_host, meet
from .neighbours import Neighbours
from .roads import BACKENDS, Roads
from .watch import Watch

NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
FAREWELL_S = 2.0              # how long a failing rank tries to tell the others why
_made = 0                     # worlds are made in the same order by all processes: their names in the store
_open: list[TorchWorld] = []
_default_is_ours = False      # torch's default group: made by the first world where there was none, gone with the last


class TorchWorld:
    """All processes that torchrun started. Every one of them makes the world and calls `run`, in the same order.

    backend: None or "gloo" for CPU tensors; "nccl" lets tensors of each process's GPU travel too (`comm.device`).
    seed: of every rank's generators. host: this host's address for the other hosts; found out by itself where it can
    be, and loopback when all ranks are here. timeout_s: how long to wait for the others at the start.
    transfer_timeout_s: of one tensor, once both sides are ready. CommError outside of torchrun.
    """

    def __init__(self, backend: str | None = None, *, seed: int = 0, host: str | None = None, timeout_s: float = 60.0,
                 transfer_timeout_s: float = 600.0):
        global _made, _default_is_ours
        backend = backend or "gloo"
        if backend not in BACKENDS:
            raise ValueError(f"backend={backend!r}; allowed: {', '.join(BACKENDS)}, or None for gloo")
        for name, value in (("timeout_s", timeout_s), ("transfer_timeout_s", transfer_timeout_s)):
            if not value > 0:
                raise ValueError(f"{name}={value}; more than 0 seconds are needed")
        check_environment(os.environ)
        if backend == "nccl" and not torch.cuda.is_available():
            raise ValueError("backend='nccl' needs a GPU that torch can use in every process; here is none")
        self.rank, self.world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.seed, self._epoch, self._failed = seed, 0, ""
        self.model = None             # what pslab.collectives.fit measured; the rank's comm has it
        host = host or listening_host(os.environ)
        self.device = torch.device("cpu")
        if backend == "nccl":
            self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
            torch.cuda.set_device(self.device)
        if host == "127.0.0.1" and sys.platform == "linux":
            os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")           # whatever the host's own name resolves to
        try:
            store, _, _ = next(dist.rendezvous("env://", timeout=timedelta(seconds=timeout_s)))
        except (RuntimeError, ValueError) as error:             # torch's own error types are RuntimeErrors
            raise CommError(f"the other processes cannot be met at MASTER_ADDR={os.environ['MASTER_ADDR']}, "
                            f"MASTER_PORT={os.environ['MASTER_PORT']}: {error}") from error
        _made += 1
        store = dist.PrefixStore(f"pslab/{_made}", store)
        if not dist.is_initialized():
            _default_is_ours = True
            dist.init_process_group("gloo", store=dist.PrefixStore("default", store), rank=self.rank,
                                    world_size=self.world_size, timeout=timedelta(seconds=transfer_timeout_s))
        socks, self.refused = meet(dist.PrefixStore("mail", store), self.rank, self.world_size, host, timeout_s)
        self._neighbours = Neighbours(dist.PrefixStore("mail", store), self.rank, self.world_size)
        self._endpoint = TorchEndpoint(self.rank, self.world_size, socks, Roads(backend, self.rank, transfer_timeout_s))
        _open.append(self)

    def run(self, program: Callable, *args, per_rank: Sequence[tuple] | None = None, timeout_s: float = 30.0,
            limit_s: float = 3600.0, on_report: Callable | None = None, ranks: int | None = None,
            gather: bool = False) -> Run:
        """Run `program(comm, *args)` on every rank, or `program(comm, *per_rank[rank])`; returns when all have ended.

        results holds this rank's value alone, or with gather=True those of all ranks (of kinds that can travel), on
        every rank. The ledger is the whole one, on every rank. Arguments are this process's own objects, not copies.
        timeout_s: seconds without any progress until `Stalled`; limit_s: seconds that the whole run may take.
        on_report is called on rank 0. ranks: only the first so many run the program, the others wait for its end.
        Raises, on every rank, what a rank raised, RankDied or Stalled; the world is then of no further use.
        """
        size = self.world_size if ranks is None else ranks
        if not isinstance(size, int) or not 1 <= size <= self.world_size:
            raise ValueError(f"ranks={ranks!r}; 1 to {self.world_size}, the processes of this world, are possible")
        mine = check_start(program, args, per_rank, size, timeout_s, limit_s)
        if self._failed:
            raise CommError(f"this world ended with {self._failed}; start the program again with torchrun")
        self._epoch += 1
        watch = Watch(self._endpoint, timeout_s, limit_s, on_report, self._neighbours)
        try:
            results, ledger, seconds = self._run(program, mine, watch, size, gather)
        except BaseException as error:
            if isinstance(error, CommError) and error.ledger is None:
                error.ledger = watch.ledger_so_far()
            self._fail(error, watch)
            raise
        return Run(results, seconds, ledger, Trace(size), [])

    def _run(self, program, arguments: list[tuple], watch: Watch, size: int, gather: bool):
        self._endpoint.begin(self._epoch, self.seed, watch)
        value = encoded = None
        began_s = time.monotonic()
        if self.rank < size:
            _reseed(f"{self.seed}/{self.rank}")
            comm = TorchComm(self._endpoint, range(size), device=self.device)
            comm.model = self.model
            value = program(comm, *arguments[self.rank])
            check_all_waited(self.rank, self._endpoint.unwaited())
            self._endpoint.end_strands()
            try:
                encoded = wire.encode(value) if gather else None
            except ValueError as error:
                raise ValueError(f"the result of rank {self.rank} (a {type(value).__name__}) cannot be handed "
                                 f"to the others: {error}") from None
        watch.finish(time.monotonic() - began_s if self.rank < size else 0.0, encoded)
        ledger, seconds, results = watch.outcome()
        ledger = Ledger(size, ledger.counts[:size, :size].copy(), ledger.sent[:size, :size].copy())
        if gather:
            return [wire.decode(data) for data in results[:size]], ledger, seconds
        return [value] if self.rank < size else [], ledger, seconds

    def _fail(self, error: BaseException, watch: Watch) -> None:
        """Tell the others why, for at most FAREWELL_S, and hang up."""
        self._endpoint.end_strands(well=False)
        self._failed = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        everyone_has_it = len(watch.finished) == self.world_size            # a verdict that all ranks reach alike
        reason = watch.reason or {"kind": "error", "rank": self.rank, "told": _told(error)}
        endpoint, until_s = self._endpoint, time.monotonic() + FAREWELL_S
        if not everyone_has_it:
            for peer in endpoint.channels:
                endpoint.tell(peer, "failed", reason)
        while any(c.out for c in endpoint.channels.values()) and time.monotonic() < until_s:
            endpoint.flush(50)
        self._hang_up()

    def _hang_up(self) -> None:
        for channel in self._endpoint.channels.values():
            channel.close()
        if self in _open:
            _open.remove(self)

    def close(self) -> None:
        """Leave. The processes go on; torch.distributed is left as it was found."""
        global _default_is_ours
        if self in _open:
            self._hang_up()
            self._failed = "close()"
            self._endpoint.roads.close()
            if _default_is_ours and not _open:
                _default_is_ours = False
                dist.destroy_process_group()

    def __enter__(self) -> TorchWorld:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"TorchWorld(rank {self.rank} of {self.world_size})"


def check_environment(environ) -> None:
    """CommError, with the command to use, unless torchrun's variables are there and make sense."""
    missing = [name for name in NEEDED if not environ.get(name)]
    command = "start the program with: torchrun --nproc-per-node=4 PROGRAM.py"
    if missing:
        raise CommError(f"a TorchWorld lives in processes that torchrun started, and {', '.join(missing)} is not set; "
                        f"{command}")
    for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"):
        if not environ[name].isdigit():
            raise CommError(f"{name}={environ[name]!r} in the environment is no number; {command}")
    if not int(environ["RANK"]) < int(environ["WORLD_SIZE"]):
        raise CommError(f"RANK={environ['RANK']} with WORLD_SIZE={environ['WORLD_SIZE']} in the environment: ranks "
                        f"count from 0 to WORLD_SIZE - 1; {command}")


@atexit.register
def _close_all() -> None:
    for world in list(_open):
        world.close()
