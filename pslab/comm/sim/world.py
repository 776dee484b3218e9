"""A world of simulated ranks.

    run = SimWorld(4, link=Link(latency_s=10e-6, bandwidth_Bps=12.5e9)).run(program, x)
    run.results   run.seconds (virtual)   run.ledger   run.trace   run.prints
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch

from ..errors import Deadlock, RankDied, Stalled
from ..face import Link
from ..run import Run
from ..trace import Trace
from . import deadlock
from .carriers import GreenletKernel, ThreadKernel
from .endpoint import Fabric, SimEndpoint
from .fast import SimComm
from .kernel import Task
from .watch import Prints, Watch

ENGINES = ("auto", "threads", "greenlets")
MOST_THREADS = 64


class SimWorld:
    """`world_size` ranks in this process, on a virtual clock.

    link       of every ordered pair of ranks
    links      {(src, dst): Link} for pairs that differ: a message of that pair takes both of its ports for that link's
               overhead and bandwidth, and that link's latency. There is still one outgoing and one incoming port a
               rank, shared by all its links, so a slow link keeps its ports longer.
    engine     'threads', 'greenlets', or 'auto': threads up to 64 ranks. Both give the same run.
    seed       of comm.rng, and of the ranks' global generators
    faults     a `Faults`
    trace      False keeps no trace, which is faster and lighter
    """

    def __init__(self, world_size: int, *, link: Link | None = None, links: dict[tuple[int, int], Link] | None = None,
                 engine: str = "auto", seed: int = 0, faults=None, trace: bool = True):
        if not isinstance(world_size, int) or world_size < 1:
            raise ValueError(f"world_size={world_size!r}; 1 or more ranks are needed")
        if engine not in ENGINES:
            raise ValueError(f"engine={engine!r}; allowed: {', '.join(map(repr, ENGINES))}")
        for pair, other in (links or {}).items():
            if not (isinstance(pair, tuple) and len(pair) == 2 and all(0 <= rank < world_size for rank in pair)):
                raise ValueError(f"links has the key {pair!r}; (src, dst) of ranks 0..{world_size - 1} is needed")
            if not isinstance(other, Link):
                raise ValueError(f"links[{pair}]={other!r}; a Link is needed")
        if link is not None and not isinstance(link, Link):
            raise ValueError(f"link={link!r}; a Link is needed")
        self.world_size, self.link, self.links = world_size, link or Link(), dict(links or {})
        self.engine = ("threads" if world_size <= MOST_THREADS else "greenlets") if engine == "auto" else engine
        self.seed, self.faults, self.trace = seed, faults, trace

    def run(self, program: Callable, *args, per_rank: Sequence[tuple] | None = None, timeout_s: float = 30.0,
            on_report: Callable[[int, object], None] | None = None) -> Run:
        """Call program(comm, *args) on every rank, or program(comm, *per_rank[rank]).

        Every rank gets its own copy of its arguments, as in every world. Raises what a rank raised, with a note that
        names the rank; Deadlock at once when nobody can ever go on; Stalled when the program left tensors that nobody
        received, or when a rank kept its turn for timeout_s real seconds (an endless loop; a rank that is stuck in
        compiled code is only found out when it returns).
        """
        if per_rank is not None and (args or len(per_rank) != self.world_size):
            raise ValueError(f"per_rank has {len(per_rank)} entries and there are {len(args)} further arguments; one "
                             f"tuple for each of the {self.world_size} ranks and no further arguments are needed")
        if not timeout_s > 0:
            raise ValueError(f"timeout_s={timeout_s}; must be above 0")
        kernel = ThreadKernel() if self.engine == "threads" else GreenletKernel()
        fabric = Fabric(self.link, self.links, self.trace, on_report)
        bodies = {}
        for rank in range(self.world_size):
            task = Task(rank)
            task.endpoint = SimEndpoint(fabric, kernel, task, self.world_size, self.seed)
            fabric.endpoints.append(task.endpoint)
            bodies[task] = self._body(task, program, args if per_rank is None else per_rank[rank])

        def explain(failed: Task | None) -> BaseException | None:
            table = deadlock.waits(kernel, fabric)
            if failed is None:
                return Deadlock("deadlock: no rank can ever go on", table, deadlock.undelivered(fabric))
            return _as_caller_sees_it(failed, table, timeout_s)

        prints = Prints(kernel, self.world_size)
        with torch.enable_grad(), prints, Watch(kernel, timeout_s):
            kernel.run(bodies, explain)
        left = deadlock.undelivered(fabric)
        if left:
            raise Stalled("the program ended with tensors that nobody received", [], left)
        return Run([task.result for task in kernel.tasks], kernel.last_end_s, fabric.ledger(),
                   Trace(self.world_size, fabric.events or (), fabric.spans or ()), prints.texts())

    def _body(self, task: Task, program: Callable, args: tuple) -> Callable[[], object]:
        def body():
            comm, own = SimComm(task.endpoint), copy.deepcopy(tuple(args))
            return program(comm, *own) if own else program(comm)
        return body


def _as_caller_sees_it(failed: Task, table: list, timeout_s: float) -> BaseException | None:
    error = failed.error
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        died = RankDied(failed.rank, exitcode=code)
        died.__cause__ = error
        return died
    error.add_note(f"raised by rank {failed.rank}")
    return None
