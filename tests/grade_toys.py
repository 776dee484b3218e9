"""A toy lab for tests of grading: a ring all-reduce with several ways to get it wrong, and answers without a box."""

import inspect

import torch

from pslab.comm import CommError, Deadlock, Link, ProcessWorld, SimWorld
from pslab.grade import (
    BufferChanged,
    Criterion,
    Exercise,
    Misconception,
    NotYet,
    Raised,
    Stalled,
    contracts,
)
from pslab.grade.box_run import BoxRun

MISCONCEPTIONS = tuple(Misconception(f"8/{name}", sentence) for name, sentence in (
    ("mean", "All-reduce returns the sum; you return the mean."),
    ("last-writer", "You return one rank's numbers; all ranks' numbers are to be added."),
    ("wrong-sum", "The sum is not the sum of all ranks."),
    ("in-place", "You changed the caller's tensor."),
    ("whole-tensor", "You send the whole tensor at each step; a chunk is enough."),
    ("by-global", "Numbers reached a rank without a message; in real processes no variable is shared."),
    ("messages", "2(K−1) messages a rank are enough."),
    ("neighbour", "In a ring every rank sends to its right neighbour only."),
    ("slow", "Some ranks wait while others send."),
    ("too-fast", "It took less time than the bytes need."),
    ("faults", "It only works when nothing is late."),
    ("worlds", "It works in the simulator only: real ranks share no memory."),
    ("held", "You hold more than a few copies of the tensor."),
))


def sums(xs):
    return [sum(xs)] * len(xs)


def means(trial):
    return [sum(x for x, *_ in trial.per_rank) / trial.K] * trial.K


def right(trial, src, dst):
    return dst == (src + 1) % trial.K


def elements(trial):
    """Elements that all ranks together send in a ring: 2(K−1)·P."""
    return contracts.exactly(4 * 2 * (trial.K - 1) * trial.P)


def per_rank(trial, rank):
    return contracts.between(4 if trial.P >= trial.K > 1 else 0, 4 * 2 * (trial.P - trial.P // trial.K))


def job(name="ring_all_reduce", **settings):
    return contracts.Job(name, lambda case: contracts.collective_trials(case, sums, **settings), result="sum")


def small(trial):
    return trial.exact and trial.K <= 5 and trial.P <= 100


RING = job()


def exercise(**changes):
    """The toy exercise 8.1, with some fields replaced."""
    fields = {
        "id": "8.1", "lab": "8", "title": "All-reduce in a ring", "names": ("ring_all_reduce",),
        "signature": "def ring_all_reduce(comm, x): ...", "points": 10, "minutes": 35, "difficulty": 3, "core": True,
        "prerequisites": (), "goal": "Every rank gets the sum.", "example": "[1, 2], [3, 4] -> [4, 6] twice",
        "hints": ("Cut x into K chunks.", "First reduce, then gather.", "Chunk r starts at rank r."),
        "misconceptions": MISCONCEPTIONS, "chapter_number": "11.8.1",
        "criteria": (
            Criterion("values", contracts.values(RING, otherwise="8/wrong-sum", inputs_unchanged="8/in-place",
                                                 explains={"8/mean": means}), 3),
            Criterion("bytes", contracts.traffic(RING, total=elements, out=per_rank, more="8/whole-tensor",
                                                 less="8/by-global", only=small), 2),
            Criterion("time", contracts.virtual_time(RING, ring_seconds, slower="8/slow", faster="8/too-fast",
                                                     only=lambda t: t.K > 1 and t.P > 1000), 2),
            Criterion("values on your own shapes", contracts.values(RING, otherwise="8/wrong-sum"), 3, hidden=True),
        ),
    }
    return Exercise(**{**fields, **changes})


def ring_seconds(trial, link: Link):
    chunk = -(-trial.P // trial.K)
    return 2 * (trial.K - 1) * link.port_s(4 * chunk)


# ---- answers, right and wrong; each stands on its own, as a student's cell does -----------------------------------


def ring_all_reduce(comm, x):
    """Right: reduce-scatter, then all-gather, both around the ring."""
    K, me = comm.world_size, comm.rank
    x = x.clone()
    chunks = list(x.tensor_split(K))
    for what in ("reduce", "gather"):
        for step in range(K - 1):
            shift = 0 if what == "reduce" else 1
            work = comm.isend(chunks[(me - step + shift) % K], dst=(me + 1) % K)
            got = comm.recv(src=(me - 1) % K)
            work.wait()
            mine = chunks[(me - step - 1 + shift) % K]
            if what == "reduce":
                mine += got
            else:
                mine.copy_(got)
    return x


def mean(comm, x):
    K, me = comm.world_size, comm.rank
    total, going = x.clone(), x
    for _ in range(K - 1):
        work = comm.isend(going, dst=(me + 1) % K)
        going = comm.recv(src=(me - 1) % K)
        work.wait()
        total += going
    return total / K


def whole_tensor(comm, x):
    """Right sum, and the whole tensor at each step."""
    K, me = comm.world_size, comm.rank
    total, going = x.clone(), x
    for _ in range(K - 1):
        work = comm.isend(going, dst=(me + 1) % K)
        going = comm.recv(src=(me - 1) % K)
        work.wait()
        total += going
    return total


def in_place(comm, x):
    """The right ring on the caller's own tensor."""
    K, me = comm.world_size, comm.rank
    chunks = list(x.tensor_split(K))
    for what in ("reduce", "gather"):
        for step in range(K - 1):
            shift = 0 if what == "reduce" else 1
            work = comm.isend(chunks[(me - step + shift) % K], dst=(me + 1) % K)
            got = comm.recv(src=(me - 1) % K)
            work.wait()
            mine = chunks[(me - step - 1 + shift) % K]
            if what == "reduce":
                mine += got
            else:
                mine.copy_(got)
    return x


def star(comm, x):
    """All to rank 0 and back: the right sum, the wrong neighbours, the wrong time."""
    if comm.rank == 0:
        total = x.clone()
        for src in range(1, comm.world_size):
            total += comm.recv(src=src)
        for dst in range(1, comm.world_size):
            comm.send(total, dst=dst)
        return total
    comm.send(x, dst=0)
    return comm.recv(src=0)


_MAILBOX = {}


def by_global(comm, x):
    """Numbers travel by a variable of the process; a tiny message only orders the ranks."""
    K, me = comm.world_size, comm.rank
    token = torch.zeros(0)
    _MAILBOX[me] = x
    for _ in range(2):
        if me:
            comm.recv(src=me - 1)
        elif K > 1:
            comm.send(token, dst=1)
        if me:
            comm.send(token, dst=(me + 1) % K)
        elif K > 1:
            comm.recv(src=K - 1)
    return sum(_MAILBOX[r] for r in sorted(_MAILBOX) if r < K)


def too_early(comm, x):
    """Adds into the buffer that is still being sent."""
    K, me = comm.world_size, comm.rank
    total = x.clone()
    for _ in range(K - 1):
        work = comm.isend(total, dst=(me + 1) % K)
        got = comm.recv(src=(me - 1) % K)
        total += got
        work.wait()
    return total


def all_send_first(comm, x):
    """Every rank waits for its receiver."""
    if comm.world_size == 1:
        return x
    comm.send(x, dst=(comm.rank + 1) % comm.world_size)
    return x + comm.recv(src=(comm.rank - 1) % comm.world_size)


def stub(comm, x):
    raise NotImplementedError("8.1")


def crash(comm, x):
    nothing = []
    return x + nothing[0]


class Fake:
    """Answers in this process: what the box gives, without its walls."""

    def __init__(self, **functions):
        self.functions, self.asked = functions, []

    def restart(self):
        self.asked.append("restart")

    def call(self, name, *args, timeout_s=10.0, **kwargs):
        self.asked.append(name)
        return _told(lambda: self.functions[name](*args, **kwargs))

    def run(self, name, world_size, *args, per_rank=None, world="sim", link=None, links=None, seed=0, faults=None,
            trace=True, face="tensors", timeout_s=10.0):
        self.asked.append((name, world, world_size))
        function, changed = self.functions[name], []

        def program(comm, *mine):
            before = [x.clone() if isinstance(x, torch.Tensor) else x for x in mine]
            result = function(comm, *mine)
            changed.extend((comm.rank, i) for i, (old, new) in enumerate(zip(before, mine))
                           if isinstance(old, torch.Tensor) and not torch.equal(old, new))
            return result

        if world == "sim":
            there = SimWorld(world_size, link=link, links=links, seed=seed, faults=faults, trace=trace)
        else:
            there = ProcessWorld(world_size)
        run = _told(lambda: there.run(program, *args, per_rank=per_rank, timeout_s=timeout_s))
        out = BoxRun(run.results, run.seconds, run.ledger, run.trace, run.prints, 4096)
        out.changed_inputs = sorted(changed)
        return out


def _told(ask):
    try:
        return ask()
    except NotImplementedError as error:
        raise NotYet(str(error)) from error
    except Deadlock as error:
        raise Stalled(str(error)) from error
    except CommError as error:
        if "before its wait()" in str(error):
            raise BufferChanged(str(error)) from error
        raise Raised(f"{type(error).__name__}: {error}") from error
    except Exception as error:
        line = inspect.trace()[-1]
        raise Raised(f"{type(error).__name__}: {error}", f"line {line.lineno} in {line.function}") from error
