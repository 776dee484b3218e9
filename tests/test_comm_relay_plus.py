"""recv(plus=) and relay: the same values, order and bytes in every world; what shared memory saves, and for how long
it is lent."""

import pytest
import torch

from pslab.collectives import all_gather, all_reduce, reduce_scatter
from pslab.comm import ProcessWorld, SimWorld
from pslab.comm.errors import WireError

COUNTS = [0, 8193, 300_000]          # behind the header, in one staging slot, in several


@pytest.fixture(scope="module")
def worlds():
    made = {"sim": SimWorld(3), "shm": ProcessWorld(3, transport="shm"), "tcp": ProcessWorld(3, transport="tcp")}
    yield made
    made["shm"].close()
    made["tcp"].close()


@pytest.fixture(params=["sim", "shm", "tcp"])
def world(request, worlds):
    return worlds[request.param]


def numbered(count, rank, dtype=torch.float32):
    return (torch.arange(count, dtype=torch.float64) % 101 * 3 + rank).to(dtype)


@pytest.mark.parametrize("late", [False, True], ids=["posted first", "arrives first"])
@pytest.mark.parametrize("kit", [False, True], ids=["ordinary", "kit"])
@pytest.mark.parametrize("count", COUNTS)
def test_plus_is_reduced_with_what_comes_and_stays(world, count, kit, late):
    def program(comm, count, kit, late):
        right, left = (comm.rank + 1) % 3, (comm.rank - 1) % 3
        x, plus, out = (comm.empty((count,)) if kit else torch.empty(count) for _ in range(3))
        x.copy_(numbered(count, comm.rank))
        plus.copy_(numbered(count, comm.rank + 10))
        out.fill_(-7)
        work = comm.isend(x, right)
        if late:
            comm.barrier()
        got = comm.recv(left, out=out, op="sum", plus=plus)
        work.wait()
        return got is out, out.clone(), torch.equal(plus, numbered(count, comm.rank + 10))
    for rank, (same, out, kept) in enumerate(world.run(program, count, kit, late).results):
        assert same
        assert kept
        assert torch.equal(out, numbered(count, rank + 10) + numbered(count, (rank - 1) % 3))


@pytest.mark.parametrize(("dtype", "op", "torch_op"), [
    (torch.bfloat16, "sum", torch.add), (torch.bfloat16, "max", torch.maximum), (torch.bool, "sum", torch.add),
    (torch.int32, "min", torch.minimum), (torch.float64, "prod", torch.mul)])
def test_plus_of_every_op_and_of_dtypes_that_numpy_lacks(world, dtype, op, torch_op):
    def program(comm, dtype_name, op):
        dtype = getattr(torch, dtype_name)
        if comm.rank == 0:
            comm.send(numbered(70_001, 0, dtype), 1)
        elif comm.rank == 1:
            return comm.recv(0, out=torch.zeros(70_001, dtype=dtype), op=op, plus=numbered(70_001, 5, dtype))
    out = world.run(program, str(dtype).split(".")[1], op).results[1]
    assert torch.equal(out, torch_op(numbered(70_001, 5, dtype), numbered(70_001, 0, dtype)))


@pytest.mark.parametrize(("kwargs", "text"), [
    ({"plus": torch.ones(3)}, "op=, which is missing"),
    ({"out": torch.ones(3), "plus": torch.ones(3)}, "op=, which is missing"),
    ({"out": torch.ones(3), "op": "sum", "plus": torch.ones(4)}, "plus is float32[4] and out float32[3]"),
    ({"out": torch.ones(3), "op": "sum", "plus": torch.ones(3, dtype=torch.int64)}, "plus is int64[3]"),
    ({"out": torch.ones(3), "op": "sum", "plus": [1, 2, 3]}, "plus is a list")])
def test_what_plus_cannot_be(kwargs, text):
    with pytest.raises(ValueError, match="plus") as error:
        SimWorld(2).run(lambda comm: comm.recv(1 - comm.rank, **kwargs))
    assert text in str(error.value)


@pytest.mark.parametrize("given", [False, True], ids=["own memory", "out="])
@pytest.mark.parametrize("kit", [False, True], ids=["ordinary", "kit"])
@pytest.mark.parametrize("count", COUNTS)
def test_a_relay_is_a_receive_and_a_send(world, count, kit, given):
    def program(comm, count, kit, given):
        if comm.rank == 0:
            x = comm.empty((count,)) if kit else torch.empty(count)
            x.copy_(numbered(count, 0))
            comm.isend(x, 1, tag=4).wait()
            x.fill_(-1)                          # the last in the chain must have its own by now
            return None
        out = torch.empty(count) if given else None
        if comm.rank == 1:
            got, work = comm.relay(0, 2, tag=4, out=out)
            work.wait()
        else:
            got = comm.recv(1, tag=4, out=out)
        return got, given and got is not out
    run = world.run(program, count, kit, given)
    for got, other in run.results[1:]:
        assert torch.equal(got, numbered(count, 0))
        assert not other
    size = count * 4
    assert [[run.ledger.link(src, dst) for dst in range(3)] for src in range(3)] == [
        [0, size, 0], [0, 0, size], [0, 0, 0]]


def test_shared_memory_is_lent_until_the_last_has_read_it(worlds):
    def program(comm):
        if comm.rank == 0:
            x = comm.empty((300_000,)).copy_(numbered(300_000, 0))
            work = comm.isend(x, 1)
            comm.barrier()                       # rank 1 has relayed it, rank 2 has not asked for it
            early = work.is_completed()
            comm.barrier()
            work.wait()
            return early
        if comm.rank == 1:
            slots = []
            heap = comm._endpoint.heap
            slot, heap.slot = heap.slot, lambda *a: slots.append(a) or slot(*a)
            got, work = comm.relay(0, 2)
            heap.slot = slot
            comm.barrier()
            comm.barrier()
            work.wait()
            return got, slots
        comm.barrier()
        comm.barrier()
        return comm.recv(1)
    early, (middle, slots), last = worlds["shm"].run(program).results
    assert not early
    assert slots == []
    assert torch.equal(middle, numbered(300_000, 0))
    assert torch.equal(last, middle)


def test_who_refuses_a_relayed_tensor_tells_the_one_before_and_frees_the_first(worlds):
    def program(comm):
        if comm.rank == 0:
            comm.isend(comm.empty((300_000,)).copy_(numbered(300_000, 0)), 1).wait()
            return "free"
        try:
            if comm.rank == 1:
                comm.relay(0, 2)[1].wait()
            else:
                comm.recv(1, out=torch.empty(5))
        except ValueError as error:
            return str(error)
    for name in ("sim", "shm", "tcp"):
        first, middle, last = worlds[name].run(program).results
        assert first == "free"
        assert middle == last or (name == "tcp" and middle is None)      # there its bytes have left before the answer
        assert "rank 1 sent float32[300000], but rank 2 receives into float32[5]" in last


def test_a_place_in_memory_that_is_nobodys_is_refused(worlds):
    def program(comm):
        try:
            comm._endpoint.channels[(comm.rank + 1) % 3].shared(7, 0, 10)
        except WireError as error:
            return str(error)
    assert "of rank 7, outside of its shared memory" in worlds["shm"].run(program).results[0]


@pytest.mark.parametrize(("call", "dtype"), [(call, dtype) for call in ("sum", "mean", "reduce_scatter", "all_gather")
                                             for dtype in ("float32", "bfloat16", "int64", "bool")
                                             if call != "mean" or "float" in dtype])
def test_large_collectives_in_shared_memory_have_the_bits_and_the_bytes_of_the_simulator(worlds, call, dtype):
    def program(comm, call, dtype):
        x = torch.randn(100_003, generator=comm.rng).mul(3).to(getattr(torch, dtype))
        before = x.clone()
        if call == "all_gather":
            return all_gather(comm, x), torch.equal(x, before)
        if call == "reduce_scatter":
            return reduce_scatter(comm, x), torch.equal(x, before)
        return all_reduce(comm, x, op=call), x
    shm, sim = (worlds[name].run(program, call, dtype) for name in ("shm", "sim"))
    for (a, extra_a), (b, extra_b) in zip(shm.results, sim.results):
        if isinstance(extra_a, bool):
            assert extra_a                       # the input was left alone
            assert extra_b
            assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
        else:
            assert torch.equal(extra_a, extra_b)
    assert (shm.ledger.counts == sim.ledger.counts).all()
    assert (shm.ledger.sent == sim.ledger.sent).all()


def test_a_mix_of_kit_and_ordinary_tensors_is_reduced(worlds):
    def program(comm, kit):
        x = comm.empty((200_001,)) if kit else torch.empty(200_001)
        for _ in range(3):
            x.copy_(numbered(200_001, comm.rank))
            all_reduce(comm, x)
        return x.clone()
    for kits in ([(True,), (False,), (False,)], [(False,), (True,), (True,)]):
        for x in worlds["shm"].run(program, per_rank=kits, timeout_s=20).results:
            assert torch.equal(x, sum(numbered(200_001, rank) for rank in range(3)))


def test_what_is_copied_and_what_it_costs_in_memory(worlds):
    """No piece goes through the staging slots, also of an ordinary tensor; calls of many sizes use memory again."""
    def program(comm):
        heap, slots = comm._endpoint.heap, []
        slot, heap.slot = heap.slot, lambda *a: slots.append(a) or slot(*a)
        x = torch.ones(3 * 100_000)
        all_reduce(comm, x)
        ordinary = len(slots)
        all_reduce(comm, comm.empty((300_000,)).fill_(1))
        kit = len(slots) - ordinary
        heap.slot = slot
        sizes = set()
        for count in range(150_000, 300_000, 10_000):
            all_reduce(comm, torch.ones(count))
            sizes.add(heap.size)
        return ordinary, kit, len(sizes)
    for ordinary, kit, growths in worlds["shm"].run(program).results:
        assert (ordinary, kit) == (0, 0)
        assert growths <= 3                      # of 15 sizes
