"""Tensors and mail in every world: same program, same values; what differs per rank and position cannot be swapped."""

import random

import numpy as np
import pytest
import torch

from pslab.comm import ProcessWorld, SimWorld, arrays

KINDS = ["sim", "shm", "tcp"]


@pytest.fixture(scope="module")
def worlds():
    made = {"sim": SimWorld(3), "shm": ProcessWorld(3, transport="shm"), "tcp": ProcessWorld(3, transport="tcp")}
    yield made
    made["shm"].close()
    made["tcp"].close()


@pytest.fixture(params=KINDS)
def world(request, worlds):
    return worlds[request.param]


def numbered(count, comm, extra=0, dtype=torch.float32):
    return (torch.arange(count, dtype=torch.float64) * comm.world_size + comm.rank + extra).to(dtype)


@pytest.mark.parametrize("count", [0, 1, 7, 8192, 8193, 70_001, 600_000])
def test_sizes_around_every_limit(world, count):
    """Inline, staged in one slot, in many slots, not a multiple of anything; copied, reduced and taken without out."""
    def program(comm, count):
        right, left = (comm.rank + 1) % 3, (comm.rank - 1) % 3
        x = numbered(count, comm)
        out, total = torch.full((count,), -1.0), numbered(count, comm, 5)
        for kwargs in ({"out": out}, {"out": total, "op": "sum"}, {}):
            work = comm.isend(x, right)
            got = comm.recv(left, **kwargs)
            work.wait()
        return out, total, got, torch.equal(x, numbered(count, comm))
    for rank, (out, total, got, unchanged) in enumerate(world.run(program, count).results):
        expected = np.arange(count, dtype=np.float64) * 3 + (rank - 1) % 3
        np.testing.assert_array_equal(out.numpy(), expected)
        np.testing.assert_array_equal(got.numpy(), expected)
        np.testing.assert_array_equal(total.numpy(), expected + np.arange(count) * 3 + rank + 5)
        assert unchanged


def test_messages_larger_than_a_step_of_claimed_memory(world):
    """Without `out` memory grows with the bytes that come: 70 MB need more than one step of 64 MiB."""
    def program(comm, count):
        if comm.rank == 0:
            work = comm.isend(torch.arange(count, dtype=torch.int32), 1)
            comm.post(1, "large", {}, [torch.arange(count, dtype=torch.int32)])
            work.wait()
        elif comm.rank == 1:
            mail = comm.poll()
            x = comm.recv(0)
            return torch.equal(x, torch.arange(count, dtype=torch.int32)), torch.equal(x, mail.tensors[0])
    assert world.run(program, 17_500_000).results[1] == (True, True)


@pytest.mark.parametrize("name", arrays.DTYPES)
def test_every_dtype_travels_and_reduces(world, name):
    def program(comm, name):
        dtype = arrays.tensor_of(arrays.empty(1, name), name).dtype
        x = (torch.arange(40) % 3).to(dtype)
        total = torch.ones(40).to(dtype)
        if comm.rank == 0:
            comm.send(x, 1)
            comm.send(x.reshape(5, 8), 1, tag=1)
        elif comm.rank == 1:
            comm.recv(0, out=total, op="sum")
            return total, comm.recv(0, tag=1)
        return None
    total, moved = world.run(program, name).results[1]
    assert moved.dtype == total.dtype
    assert moved.shape == (5, 8)
    x = torch.arange(40) % 3
    if name == "bool":                                         # a sum of truth values is `or`
        assert total.all()
        assert torch.equal(moved.reshape(-1), x.bool())
    else:
        assert total.tolist() == (x + 1).tolist()
        assert moved.reshape(-1).tolist() == x.tolist()


@pytest.mark.parametrize(("op", "torch_op"), [
    ("sum", torch.add), ("max", torch.maximum), ("min", torch.minimum), ("prod", torch.mul)])
def test_ops_reduce_in_place(world, op, torch_op):
    def program(comm, op, count):
        if comm.rank == 1:
            comm.send(torch.arange(count) % 7 - 3.0, 0)
        elif comm.rank == 0:
            out = torch.arange(count) % 5 - 2.0
            same = comm.recv(1, out=out, op=op)
            return out, same is out
    for count in (10, 150_000):
        out, same = world.run(program, op, count).results[0]
        assert torch.equal(out, torch_op(torch.arange(count) % 5 - 2.0, torch.arange(count) % 7 - 3.0))
        assert same


def test_tags_keep_their_own_order(world):
    def program(comm):
        if comm.rank == 0:
            works = [comm.isend(torch.full((n,), 10.0 * tag + n), 1, tag=tag)
                     for n in (1, 40_000, 3) for tag in (0, 1, 2)]
            for work in works:
                work.wait()
        elif comm.rank == 1:
            return [(len(x), float(x[0])) for tag in (2, 0, 1) for x in [comm.recv(0, tag=tag) for _ in range(3)]]
    expected = [(n, 10.0 * tag + n) for tag in (2, 0, 1) for n in (1, 40_000, 3)]
    assert world.run(program).results[1] == expected


def test_numpy_arrays_are_shared_not_copied(world):
    def program(comm):
        x = np.arange(100_000, dtype=np.float32)
        if comm.rank == 0:
            comm.send(x, 1)
            comm.send(x[::2], 1)                       # not contiguous: sent through a copy
        elif comm.rank == 1:
            out = np.zeros(100_000, np.float32)
            got = comm.recv(0, out=out)
            return got is out, out[-1].item(), comm.recv(0)[-1].item()
    assert world.run(program).results[1] == (True, 99_999.0, 99_998.0)


def test_tensors_of_the_kit_are_read_in_place(worlds):
    """Sent from its heap a tensor leaves no copy in staging, and is free again when the receiver has it."""
    def program(comm, count):
        x = comm.empty((count,))
        x.copy_(torch.arange(count) + comm.rank)
        right, left = (comm.rank + 1) % 3, (comm.rank - 1) % 3
        heap = comm._endpoint.heap
        before = heap.slot(right, 3)[1].copy()
        heap.slot(right, 3)[1][:] = 77
        lent = True
        for _ in range(3):
            work = comm.isend(x[1:], right)
            lent = lent and work.lent is not None
            y = comm.recv(left)
            work.wait()
        untouched = bool((heap.slot(right, 3)[1] == 77).all())
        ordinary = comm.isend(torch.ones(count), right)              # through the slots, last one first
        lent = lent and ordinary.lent is None
        comm.recv(left)
        ordinary.wait()
        untouched = untouched and not (heap.slot(right, 3)[1] == 77).all()
        heap.slot(right, 3)[1][:] = before
        where, size = heap.find(x[1:].numpy()), heap.size
        del x, work
        again = comm.empty((count,))
        return y[:2], untouched and lent, where is not None, heap.size == size, heap.find(again.numpy()) is not None
    for rank, (y, untouched, found, reused, found_again) in enumerate(worlds["shm"].run(program, 500_000).results):
        assert y.tolist() == [1.0 + (rank - 1) % 3, 2.0 + (rank - 1) % 3]
        assert (untouched, found, reused, found_again) == (True, True, True, True)


def test_a_tensor_in_place_may_change_after_wait(world):
    def program(comm):
        x = comm.empty((300_000,))
        if comm.rank == 0:
            for _ in range(2):
                for step in range(5):
                    x.fill_(step)
                    comm.isend(x, 1).wait()
                comm.barrier()
        elif comm.rank == 1:
            first = [comm.recv(0, out=x).unique().tolist() for _ in range(5)]
            comm.barrier()
            kept = [comm.recv(0) for _ in range(5)]                  # without out: the receiver's own memory
            comm.barrier()
            return first, [y.unique().tolist() for y in kept]
        else:
            comm.barrier()
            comm.barrier()
    assert world.run(program).results[1] == ([[float(step)] for step in range(5)],) * 2


def test_mismatch_raises_on_both_sides(world):
    def program(comm, what):
        sent = {"shape": torch.ones(2, 3), "dtype": torch.ones(6, dtype=torch.int32), "length": torch.ones(200_000)}
        try:
            if comm.rank == 0:
                comm.send(sent[what], 1)
            elif comm.rank == 1:
                comm.recv(0, out=torch.ones(6))
        except ValueError as error:
            if comm.rank == 0:
                comm.send(torch.full((3,), 4.0), 1)            # the pair can still talk
            else:
                comm.recv(0, out=torch.ones(3))
            return str(error)
    for what, text in (("shape", "float32[2, 3]"), ("dtype", "int32[6]"), ("length", "float32[200000]")):
        results = world.run(program, what).results
        assert results[2] is None
        assert results[0] == results[1]
        assert text in results[0]
        assert "rank 0 sent" in results[0]


def test_recv_with_timeout_leaves_the_message_to_the_next(world):
    def program(comm):
        if comm.rank == 0:
            try:
                comm.recv(1, timeout_s=0.01)
            except TimeoutError as error:
                comm.send(torch.ones(1), 1)
                return str(error), comm.recv(1).item()
        elif comm.rank == 1:
            comm.recv(0)
            comm.send(torch.full((1,), 9.0), 0)
    text, value = world.run(program).results[0]
    assert "recv(src=1, tag=0)" in text
    assert value == 9.0


def test_mail_from_anyone_with_tensors_that_may_change_at_once(world):
    def program(comm):
        if comm.rank == 0:
            letters = [comm.poll() for _ in range(4)]
            return sorted((m.src, m.meta["n"], m.kind, [t.tolist()[:3] for t in m.tensors], [t.dtype for t in m.tensors]
                           == [torch.int64, torch.float32, torch.uint8]) for m in letters), comm.poll(0) is None
        for n in (5, 700_000):
            keys, vals = torch.arange(n) + comm.rank, torch.full((n,), float(comm.rank))
            comm.post(0, "push", {"n": n, "list": [1, {"a": None}]}, [keys, vals, torch.tensor([7], dtype=torch.uint8)])
            keys.fill_(-1)
            vals.fill_(-1)
    letters, empty = world.run(program).results[0]
    assert letters == sorted((src, n, "push", [[src, src + 1, src + 2], [float(src)] * 3, [7]], True)
                             for src in (1, 2) for n in (5, 700_000))
    assert empty


def test_mail_to_oneself_and_a_poll_that_finds_nothing(world):
    def program(comm):
        nothing = comm.poll(0.001)
        x = torch.ones(2)
        comm.post(comm.rank, "note", {"a": 1}, [x])
        x.fill_(5)
        mail = comm.poll()
        return nothing, mail.src, mail.kind, mail.meta, mail.tensors[0]
    run = world.run(program)
    for rank, (nothing, src, kind, meta, tensor) in enumerate(run.results):
        assert (nothing, src, kind, meta, tensor.tolist()) == (None, rank, "note", {"a": 1}, [1.0, 1.0])
    assert run.ledger.total() == 0                             # it crosses no link


def test_groups_do_not_hear_each_other(world):
    def program(comm):
        group = comm.split(0 if comm.rank != 1 else 1, key=-comm.rank)
        outside = comm.split(None if comm.rank == 2 else 3)
        if group.world_size == 2:                              # ranks 2 and 0, in this order
            other = 1 - group.rank
            comm.post(0 if comm.rank == 2 else 2, "world")
            group.post(other, "group", {"from": comm.rank})
            work = group.isend(torch.tensor([float(comm.rank)]), other)
            mine = comm.isend(torch.tensor([100.0 + comm.rank]), 0 if comm.rank == 2 else 2)
            heard = group.recv(other).item(), comm.recv(0 if comm.rank == 2 else 2).item()
            work.wait()
            mine.wait()
            letter, world_letter = group.poll(), comm.poll()
            return (group.rank, group.members, heard, letter.src, letter.meta, world_letter.kind,
                    outside and outside.world_size)
        return group.rank, group.members, outside.world_size
    results = world.run(program).results
    assert results[0] == (1, (2, 0), (2.0, 102.0), 0, {"from": 2}, "world", 2)
    assert results[1] == (0, (1,), 2)
    assert results[2] == (0, (2, 0), (0.0, 100.0), 1, {"from": 0}, "world", None)


@pytest.mark.parametrize("seed", range(6))
def test_a_storm_of_messages_in_any_order(world, seed):
    """Random sizes, tags and orders of posting; every receive must get its own message. Replay: the seed."""
    draw = random.Random(seed)
    plan = [(src, dst, draw.randrange(3), draw.choice([0, 3, 9000, 60_000]), draw.random() < 0.3)
            for src in range(3) for dst in range(3) if src != dst for _ in range(6)]
    orders = [draw.sample(range(len(plan)), len(plan)) for _ in range(3)]

    def program(comm, plan, order):
        # A receive's place among those of its (src, tag) fixes which message it gets, so posting keeps that order.
        works, inbox, count = [], {}, {}
        pending = {}
        for i, (src, dst, tag, *_) in enumerate(plan):
            pending.setdefault((src, dst, tag), []).append(i)
        for i in order:
            src, dst, tag, *_ = plan[i]
            if comm.rank not in (src, dst):
                continue
            at = count.get((src, dst, tag), 0)
            count[src, dst, tag] = at + 1
            j = pending[src, dst, tag][at]
            n, kit = plan[j][3], plan[j][4]
            if comm.rank == src:
                x = comm.empty((n,)) if kit else torch.empty(n)
                x.copy_(torch.arange(n) * len(plan) + j)
                works.append(comm.isend(x, dst, tag))
            else:
                inbox[j] = comm.irecv(src, tag)
        got = {j: work.wait() for j, work in inbox.items()}
        for work in works:
            work.wait()
        return got
    results = world.run(program, per_rank=[(plan, order) for order in orders]).results
    for j, (_, dst, _, n, _) in enumerate(plan):
        np.testing.assert_array_equal(results[dst][j].numpy(), np.arange(n) * len(plan) + j, err_msg=f"seed {seed}")


@pytest.mark.parametrize(("call", "text"), [
    (lambda c: c.send(torch.ones(1), 3), "dst=3; this group has ranks 0..2"),
    (lambda c: c.send(torch.ones(1), -1), "dst=-1"),
    (lambda c: c.recv(c.rank), "src=. is this rank itself"),
    (lambda c: c.isend([1.0], (c.rank + 1) % 3), "tensor is a list; a torch.Tensor or a NumPy array"),
    (lambda c: c.isend(np.array(["a"]), (c.rank + 1) % 3), "tensor has dtype <U1; allowed: float32"),
    (lambda c: c.isend(torch.eye(2).to_sparse(), (c.rank + 1) % 3), "sparse_coo tensor.*dense tensors"),
    (lambda c: c.isend(torch.ones(1), (c.rank + 1) % 3, tag=-1), "tag=-1; a number from 0"),
    (lambda c: c.irecv((c.rank + 1) % 3, op="sum"), "op='sum' reduces into out=, which is missing"),
    (lambda c: c.irecv((c.rank + 1) % 3, out=torch.ones(1), op="avg"), "op='avg'; allowed"),
    (lambda c: c.irecv((c.rank + 1) % 3, out=torch.ones(4, 4).T), "out is not contiguous"),
    (lambda c: c.post((c.rank + 1) % 3, "", {}), "kind=''; a non-empty string"),
    (lambda c: c.post((c.rank + 1) % 3, "k", {"f": {1}}), "meta=.* of mail 'k' cannot travel"),
    (lambda c: c.poll(-1), "timeout_s=-1"),
    (lambda c: c.split(-3), "color=-3"),
    (lambda c: c.sleep(-1), "seconds=-1"),
    (lambda c: c.empty((2,), "float99"), "float99"),
])
def test_bad_input_of_a_comm_call(world, call, text):
    with pytest.raises((ValueError, TypeError), match=text):
        world.run(lambda comm: call(comm) and None)
