"""Two ranks and a long tensor: the ring goes through it strip by strip. The same sums, the same bytes."""

import pytest
import torch
from collectives_oracle import judge_all_reduce

from pslab.collectives import all_reduce
from pslab.comm import ProcessWorld

LARGE = 300_007                # odd: the second rank's last strip is one element shorter


def in_strips(comm, x, op):
    """As on a tensor of 32 MB, but in strips of 64 KB from 256 KB on."""
    import importlib
    ring = importlib.import_module("pslab.collectives.ring")
    kept = ring.STRIPS_FROM_BYTES, ring.STRIP_BYTES
    ring.STRIPS_FROM_BYTES, ring.STRIP_BYTES = 1 << 18, 1 << 16
    try:
        all_reduce(comm, x, op, algorithm="ring")
    finally:
        ring.STRIPS_FROM_BYTES, ring.STRIP_BYTES = kept
    return x


@pytest.mark.parametrize(("K", "transport", "elements", "strips"), [
    (2, "shm", LARGE, 19),      # 150,004 elements a piece, 8,192 of them in a strip of 64 KB
    (2, "shm", 60_001, 1), (2, "tcp", LARGE, 1), (3, "shm", LARGE, 1)])
def test_strips(K, transport, elements, strips):
    """Only where there are two ranks, staging and a long tensor; the number of messages tells whether it was so."""
    with ProcessWorld(K, transport=transport) as world:
        judge_all_reduce(world, in_strips, elements, "sum", virtual=False)
        x = torch.arange(elements, dtype=torch.int32)
        run = world.run(in_strips, x, "sum")
        assert run.ledger.messages() == 2 * (K - 1) * K * strips
        assert all((result == K * x).all() for result in run.results)
        means = world.run(in_strips, x.to(torch.bfloat16) % 64, "mean").results
        assert all(torch.equal(mean, x.to(torch.bfloat16) % 64) for mean in means)
