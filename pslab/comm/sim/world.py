"""A world of simulated ranks.

    run = SimWorld(4, link=Link(latency_s=10e-6, bandwidth_Bps=12.5e9)).run(program, x)
    run.results   run.seconds (virtual)   run.ledger   run.trace   run.prints
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from ..checks import check_start, check_world_size
from ..errors import CommError, Deadlock, RankDied, Stalled, Wait
from ..face import Link
from ..racks import Racks
from ..run import Run
from ..strand import check_all_waited
from ..trace import Trace
from . import deadlock
from .carriers import GreenletKernel, ThreadKernel
from .endpoint import Fabric, SimEndpoint
from .fast import SimComm
from .faults import Crash, Faults
from .kernel import Kernel, Task
from .standstill import Probe, Standstill
from .state import fresh_modes
from .uplink import Uplinks
from .verdict import verdict
from .watch import Hung, Prints, Watch

ENGINES = ("auto", "threads", "greenlets")
MOST_THREADS = 64


class SimWorld:
    """`world_size` ranks in this process, on a virtual clock.

    link       of every ordered pair of ranks
    links      {(src, dst): Link} for pairs that differ: a message of that pair takes both of its ports for that link's
               overhead and bandwidth, and that link's latency. There is still one outgoing and one incoming port a
               rank, shared by all its links, so a slow link keeps its ports longer.
    racks      a `Racks`: ranks that share an uplink to all others. A message between two racks takes both uplinks
               besides the two ports, each for its own time (see `uplink`). Bytes: `run.ledger.uplink(rack)`
    engine     'threads', 'greenlets', or 'auto': threads up to 64 ranks. Both give the same run.
    seed       of comm.rng, and of the global generators of torch, NumPy and Python that ranks find
    faults     what goes wrong, a `Faults`
    trace      False keeps no trace, which is faster and lighter
    """

    def __init__(self, world_size: int, *, link: Link | None = None, links: dict[tuple[int, int], Link] | None = None,
                 racks: Racks | None = None, engine: str = "auto", seed: int = 0, faults=None, trace: bool = True):
        check_world_size(world_size, note="1 or more ranks are needed")
        if engine not in ENGINES:
            raise ValueError(f"engine={engine!r}; allowed: {', '.join(map(repr, ENGINES))}")
        for pair, other in (links or {}).items():
            if not (isinstance(pair, tuple) and len(pair) == 2 and all(0 <= rank < world_size for rank in pair)):
                raise ValueError(f"links has the key {pair!r}; (src, dst) of ranks 0..{world_size - 1} is needed")
            if not isinstance(other, Link):
                raise ValueError(f"links[{pair}]={other!r}; a Link is needed")
        if link is not None and not isinstance(link, Link):
            raise ValueError(f"link={link!r}; a Link is needed")
        if racks is not None:
            if not isinstance(racks, Racks):
                raise ValueError(f"racks={racks!r}; a Racks is needed, as Racks([[0, 1], [2, 3]], uplink=Link(...))")
            racks.of(world_size)
        self.racks = racks
        self.world_size, self.link, self.links = world_size, link or Link(), dict(links or {})
        self.engine = ("threads" if world_size <= MOST_THREADS else "greenlets") if engine == "auto" else engine
        if faults is not None and not isinstance(faults, Faults):
            raise ValueError(f"faults={faults!r}; a Faults is needed")
        self.seed, self.faults, self.trace = seed, faults or Faults(), trace
        self.model = None                   # what pslab.collectives.fit measured; every rank's comm has it
        self.faults.check_ranks(world_size)

    def run(self, program: Callable, *args, per_rank: Sequence[tuple] | None = None, timeout_s: float = 30.0,
            on_report: Callable[[int, object], None] | None = None) -> Run:
        """Call program(comm, *args) on every rank, or program(comm, *per_rank[rank]).

        Every rank gets its own copy of its arguments, as in every world; what a program closes over is shared.
        Prints of ranks are shown when the run is over, sorted by rank. Raises what a rank raised, with a note that
        names the rank; Deadlock at once when nobody can ever go on; Stalled when the program left tensors that nobody
        received, or when a rank kept its turn for timeout_s real seconds (an endless loop; one that is stuck inside
        compiled code leaves when that returns), or when for so long ranks only looked for mail that never came while
        another waits for a tensor. CommErrors carry the run's `ledger` and `trace` so far.
        """
        arguments = check_start(program, args, per_rank, self.world_size, timeout_s)
        kernel = (ThreadKernel if self.engine == "threads" else GreenletKernel)(self.seed)
        fabric = Fabric(self.link, self.links, self.trace, on_report, self.faults,
                        None if self.racks is None else Uplinks(self.racks, self.world_size))
        bodies = {}
        for rank in range(self.world_size):
            task = Task(rank)
            task.endpoint = SimEndpoint(fabric, kernel, task, self.world_size, self.seed)
            fabric.endpoints.append(task.endpoint)
            bodies[task] = _body(task, program, arguments[rank], self.model)
            if rank in self.faults.crash:
                kernel.at(self.faults.crash[rank], Crash(kernel, task))

        def explain(failed: Task | None) -> BaseException | None:
            if failed is None:
                return verdict(Deadlock, "deadlock: no rank can ever go on", kernel, fabric)
            if isinstance(failed.error, Standstill):
                return verdict(Stalled, f"nothing has moved for {timeout_s:g} s of real time: ranks only look for "
                                        "mail, or wait", kernel, fabric)
            return _as_caller_sees_it(failed, kernel, timeout_s)

        prints = Prints(kernel, self.world_size)
        try:
            with fresh_modes(), prints, Watch(kernel, timeout_s, Probe(kernel, fabric, timeout_s)):
                kernel.run(bodies, explain)
            if deadlock.undelivered(fabric):
                raise verdict(Stalled, "the program ended with tensors that nobody received", kernel, fabric, False)
        except CommError as error:
            error.ledger, error.trace = fabric.ledger(), self._trace(fabric)
            raise
        return Run([task.result for task in kernel.tasks], kernel.last_end_s, fabric.ledger(), self._trace(fabric),
                   prints.texts())

    def _trace(self, fabric: Fabric) -> Trace:
        return Trace(self.world_size, fabric.events or (), fabric.spans or ())


def _body(task: Task, program: Callable, args: tuple, model) -> Callable[[], object]:
    def body():
        comm = SimComm(task.endpoint)
        comm.model = model
        try:
            own = copy.deepcopy(args)
        except (TypeError, RuntimeError, copy.Error) as error:
            raise ValueError(f"the arguments of rank {task.rank} cannot be copied ({error}); let the program close "
                             "over what all ranks may share") from error
        result = program(comm, *own)
        check_all_waited(task.rank, task.endpoint.unwaited)
        return result
    return body


def _as_caller_sees_it(failed: Task, kernel: Kernel, timeout_s: float) -> BaseException | None:
    error = failed.error
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        died = RankDied(failed.rank, exitcode=code)
        died.__cause__ = error
        return died
    if isinstance(error, Hung):
        row = Wait(failed.rank, "computing", None, timeout_s, deadlock.line_of(error), "real seconds")
        return Stalled(f"rank {failed.rank} kept its turn for {timeout_s:g} s of real time",
                       [row, *deadlock.waits(kernel)])
    if not isinstance(error, RankDied):
        error.add_note(f"raised by rank {failed.rank}")
    return None
