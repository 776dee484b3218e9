"""A thousand ranks on one core."""

import time

import numpy as np
import pytest

from pslab.comm import Link, SimWorld


def ring_all_reduce(comm, numbers):
    size, rank = comm.world_size, comm.rank
    x, piece = (np.arange(numbers, dtype=np.float32) * size + rank) % 512, numbers // size
    right, left = (rank + 1) % size, (rank - 1) % size
    for start, op in ((0, "sum"), (1, None)):
        for step in range(size - 1):
            mine = (rank + start - step) % size
            theirs = mine - 1 if mine else size - 1
            work = comm.isend(x[mine * piece:(mine + 1) * piece], right)
            comm.recv(left, out=x[theirs * piece:(theirs + 1) * piece], op=op)
            work.wait()
    return x


@pytest.mark.long                       # test_collectives_scale.py holds the same limit with the kit's own ring
@pytest.mark.serial
@pytest.mark.timeout(180)
def test_two_million_messages_on_1024_ranks_in_15_seconds_of_one_core():
    """The promise is 15 s of one core; doubled here, because a thousand stacks live off the cache, which is shared."""
    size, numbers, link = 1024, 4096, Link(latency_s=3e-6, overhead_s=2e-6, bandwidth_Bps=1e9)
    began_s = time.process_time()
    run = SimWorld(size, link=link, trace=False).run(lambda comm: ring_all_reduce(comm, numbers))
    seconds = time.process_time() - began_s
    print(f"{seconds:.1f} s of one core, {seconds / run.ledger.messages() * 1e6:.1f} µs a message")
    assert seconds < 30
    assert run.ledger.messages() == 2 * (size - 1) * size
    assert run.seconds == pytest.approx(2 * (size - 1) * (5e-6 + numbers / size * 4 / 1e9), rel=1e-9)
    base = np.arange(numbers, dtype=np.int64) * size
    expected = sum((base + rank) % 512 for rank in range(size))
    assert all((x == expected).all() for x in run.results)
