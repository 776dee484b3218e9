"""Letters longer than the slots of shared memory: they go on while their receiver takes them, and wait for nobody."""

import time

import pytest
import torch

from pslab.comm import ProcessWorld
from pslab.comm.process import letters
from pslab.comm.process.memory import SLOT_BYTES, SLOTS


@pytest.fixture(scope="module")
def world():
    with ProcessWorld(2, transport="shm") as made:
        yield made


def letter(n, count):
    return torch.arange(count, dtype=torch.int32) * 7 + n


@pytest.mark.parametrize("away_s", [0.0, 1.0], ids=["a receiver who listens", "a receiver who is away"])
def test_letters_may_change_at_once_and_come_whole_and_in_order(world, away_s):
    def program(comm, counts, away_s):
        slowest_s = 0.0
        if comm.rank == 0:
            tensor = torch.arange(900_001, dtype=torch.int64)          # takes slots of its own in between
            comm.barrier()
            works = []
            for n, count in enumerate(counts):
                x, began_s = letter(n, count), time.monotonic()
                comm.post(1, "long", {"n": n}, [x])
                slowest_s = max(slowest_s, time.monotonic() - began_s)
                x.fill_(-1)
                works.append(comm.isend(tensor, 1))
            for work in works:
                work.wait()
            return slowest_s
        comm.barrier()
        time.sleep(away_s)
        same = []
        for n, count in enumerate(counts):
            mail = comm.poll(10.0)
            same.append(mail.meta["n"] == n and torch.equal(mail.tensors[0], letter(n, count)))
            same.append(torch.equal(comm.recv(0), torch.arange(900_001, dtype=torch.int64)))
        return all(same)
    slots = SLOT_BYTES // 4
    counts = [slots, slots + 1, 2 * slots, 3 * slots - 1, SLOTS * slots, SLOTS * slots + 1, 4_000_000]
    slowest_s, same = world.run(program, counts, away_s).results
    assert same
    assert slowest_s < 0.8                                            # and so it does not wait for one who is away


def test_the_rest_is_copied_only_when_the_receiver_is_away(world):
    def program(comm, away_s):
        from pslab.comm.process.channel import Channel
        copied, detach = [], Channel.detach
        Channel.detach = lambda self, message: (copied.append(sum(map(len, message.pieces))), detach(self, message))
        try:
            comm.barrier()
            if comm.rank == 0:
                for _ in range(5):
                    comm.post(1, "long", {}, [torch.zeros(4_000_000)])
                    comm.poll(10.0)                                   # its answer: what came before it is credited
                assert sorted(comm._endpoint.channels[1].slots) == list(range(SLOTS))
            else:
                for _ in range(5):
                    time.sleep(away_s)
                    comm.poll(10.0)
                    comm.post(0, "got it")
        finally:
            Channel.detach = detach
        return copied
    assert min(world.run(program, 0.0).results[0]) == 0
    assert max(world.run(program, 0.1).results[0]) > 16_000_000 - (SLOTS + 1) * SLOT_BYTES
    assert letters.DRAIN_MS <= 5
