"""What the tests of async_op share: inputs, sums, programs, and all collectives in one."""

import numpy as np
import torch

from pslab.collectives import (
    all_gather,
    all_reduce,
    all_reduce_fused,
    all_to_all,
    background,
    barrier,
    broadcast,
    gather,
    reduce,
    reduce_scatter,
    scatter,
)
from pslab.comm import Link

LARGE = 400_007                # pieces of a megabyte: more than the staging slots or a socket's buffer hold
LINK = Link(latency_s=2.0**-17, overhead_s=2.0**-18, bandwidth_Bps=2.0**30)          # dyadic: sums of times are exact


def mine(comm, P=12, dtype=torch.float64):
    """Element j of rank r is j·K + r."""
    return torch.arange(P, dtype=dtype) * comm.world_size + comm.rank


def sums(K, P=12):
    return torch.arange(P, dtype=torch.float64) * K * K + K * (K - 1) // 2


def alone(comm, P):
    all_reduce(comm, mine(comm, P))


def overlapped(comm, P, compute_s):
    x = mine(comm, P)
    work = all_reduce(comm, x, async_op=True)
    comm.compute(compute_s)
    work.wait()
    return comm.now(), x


def everything(comm, is_async):
    """The results of all collectives: (tensors written in place, results)."""
    K, r, x = comm.world_size, comm.rank, mine(comm, 11)
    written = [x.clone() for _ in range(5)]
    a, b, c, d, e = written
    odd = torch.zeros(11, 2, dtype=torch.float64)
    odd[:, 0] = x                                        # a column is not contiguous
    numpy = x.numpy().copy()
    many = [torch.full((2,), float(r)), x.clone()]
    calls = [
        lambda **o: all_reduce(comm, a, "max", algorithm="binomial", **o),
        lambda **o: all_reduce(comm, b, "mean", **o),
        lambda **o: broadcast(comm, c, K - 1, **o),
        lambda **o: reduce(comm, d, K - 1, **o),
        lambda **o: all_reduce(comm, e, algorithm="hierarchical", groups=2, **o),
        lambda **o: all_reduce(comm, odd[:, 0], **o),
        lambda **o: all_reduce(comm, numpy, **o),
        lambda **o: all_gather(comm, x[:r + 1], **o),
        lambda **o: all_to_all(comm, [x[:q + r] for q in range(K)], **o),
        lambda **o: gather(comm, x, K - 1, **o),
        lambda **o: reduce_scatter(comm, x, "max", **o),
        lambda **o: scatter(comm, [x[:q] for q in range(K)] if r == 1 % K else None, 1 % K, **o),
        lambda **o: barrier(comm, **o),
    ]
    results = [call(async_op=True) for call in calls] if is_async else [call() for call in calls]
    if is_async:
        results = [work.wait() for work in results]
        fused = background.start(comm, all_reduce_fused, many, writes=True).wait()
    else:
        fused = all_reduce_fused(comm, many)
    return [*written, odd, numpy, *many], results, fused


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    else:
        assert np.array_equal(a, b)


def both_lines(comm, rounds):
    """Large and small ones on both lines at once; returns the number of wrong sums."""
    wrong = 0
    for i in range(rounds):
        P, Q = (LARGE, 3, 20_011, 0)[i % 4], (5, LARGE, LARGE // 2, 20_011)[i % 4]
        x, y = mine(comm, P) + i, mine(comm, Q) - i
        first, second = all_reduce(comm, x, async_op=True), all_gather(comm, y[:100].clone(), async_op=True)
        all_reduce(comm, y)
        comm.barrier()
        pieces = second.wait()
        first.wait()
        K = comm.world_size
        wrong += not torch.equal(x, sums(K, P) + K * i) or not torch.equal(y, sums(K, Q) - K * i)
        wrong += any(not torch.equal(piece, (torch.arange(min(Q, 100)) * K + r - i).double())
                     for r, piece in enumerate(pieces))
    return wrong


def around(comm, x):
    """Tensors, mail, a group, a barrier, and something in the background, from one rank to the next."""
    right, left = (comm.rank + 1) % comm.world_size, (comm.rank - 1) % comm.world_size
    work = comm.isend(x, right)
    came = comm.recv(left)
    work.wait()
    comm.barrier()
    comm.post(right, "note", {"from": comm.rank})
    mail = comm.poll()
    part = comm.split(0)
    all_reduce(part, came, async_op=True).wait()
    return came, mail.meta["from"]


def around_on_both_lines(comm):
    x = mine(comm)
    work = comm.background(around, x)
    mail_first = comm.poll(1e-3)                         # mail of the strand is not the program's
    return mail_first, around(comm, x + 100), work.wait()


def judge_own_messages(world):
    """Equal tags on both lines never meet; what a strand starts itself has a strand of its own."""
    K = world.world_size
    for rank, (mail, (came, sender), (theirs, their_sender)) in enumerate(world.run(around_on_both_lines).results):
        assert mail is None
        assert torch.equal(theirs, sums(K))
        assert torch.equal(came, sums(K) + 100 * K)
        assert sender == their_sender == (rank - 1) % K
