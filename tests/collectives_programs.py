"""Programs for real ranks, which import the module they come from: nothing here that is slow to import.

A call is made by a partial of the collective, so the line that makes it is the line that errors must name.
"""

import os
from dataclasses import dataclass
from functools import partial

import torch

from pslab import collectives

ROOTS = {"broadcast": "src", "scatter": "src", "reduce": "dst", "gather": "dst"}
REDUCING = ("reduce", "reduce_scatter", "all_reduce")
SIZED = ("broadcast", *REDUCING)                           # the length must be equal on all ranks
OPTIONS = {"hierarchical": {"groups": 2}, "chunked_ring": {"chunks": 2}}


def build(name, algorithm, P=7, dtype=torch.float32, op="sum", root=0, **options):
    """A Call: `call, argument = it(comm)`, and `call(comm, argument)` is then made by the program itself."""
    given = {"algorithm": algorithm}
    if name in ROOTS:
        given[ROOTS[name]] = root
    if name in REDUCING:
        given["op"] = op
    if name == "all_reduce":
        given |= {**OPTIONS.get(algorithm, {}), **options}
    return Call(name, P, dtype, root, given)


@dataclass(frozen=True)
class Call:
    """A collective with its options, and the argument that a rank brings: element j of rank r is j*K + r."""

    name: str
    P: int
    dtype: torch.dtype
    root: int
    given: dict

    def __call__(self, comm):
        return partial(getattr(collectives, self.name), **self.given), self.argument(comm)

    def argument(self, comm):
        K, r = comm.world_size, comm.rank
        x = (torch.arange(self.P) * K + r).to(self.dtype)
        if self.name == "all_to_all":
            return [x + 100 * q for q in range(K)]
        if self.name == "scatter":
            return [x + 100 * q for q in range(K)] if r == self.root else None
        return x


def value(returned, argument):
    """What the rank has afterwards, as one flat tensor."""
    given = argument if returned is None else returned
    return torch.cat([each.reshape(-1) for each in given]) if isinstance(given, list) else given


def sums(comm):
    """A run that shows that the world is usable: 9j + 3 on three ranks."""
    x = torch.arange(5.0) * comm.world_size + comm.rank
    collectives.all_reduce(comm, x)
    return x.tolist()


def program(comm, usual, odd, odd_rank):
    if comm.rank == odd_rank:
        call, x = odd(comm)
        call(comm, x)                                                    # the odd line
    else:
        call, x = usual(comm)
        call(comm, x)                                                    # the usual line


def absent(comm, usual, missing_rank, does):
    if comm.rank == missing_rank:
        does(comm)
        return
    call, x = usual(comm)
    call(comm, x)                                                        # the usual line


def ends(comm):
    pass


def receives(comm):
    comm.recv((comm.rank + 1) % comm.world_size, tag=3)


def looks_for_mail(comm):
    comm.poll()


# ---- ranks that die in the middle of a collective -------------------------------------------------------------------

def counted(comm, call_of, victim, at_message, signal_number):
    """(messages this rank sent or asked for, its value). The victim gets the signal at message `at_message`, from 1."""
    made, door = [0], comm._endpoint

    def hooked(method):
        def one_more(*args, **options):
            made[0] += 1
            if comm.rank == victim and made[0] == at_message:
                os.kill(os.getpid(), signal_number)
            return method(*args, **options)
        return one_more

    for name in ("isend", "irecv", "irecv_plus", "relay"):
        setattr(door, name, hooked(getattr(door, name)))
    try:
        call, x = call_of(comm)
        return made, value(call(comm, x), x)
    finally:
        for name in ("isend", "irecv", "irecv_plus", "relay"):
            delattr(door, name)
