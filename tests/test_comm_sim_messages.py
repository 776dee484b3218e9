"""Tensors and mail in the simulator: orders, time-outs, copies, counts, traces."""

import numpy as np
import pytest
import torch

from pslab.comm import Link, SimWorld, arrays

ENGINES = ["threads", "greenlets"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("trace", [True, False])
def test_order_holds_per_source_and_tag_and_not_beyond(engine, trace):
    def program(comm):
        if comm.rank < 2:
            works = [comm.isend(np.array([100 * comm.rank + 10 * tag + i], np.float32), 2, tag)
                     for i in range(3) for tag in (0, 1)]
            for work in works:
                work.wait()
            return None
        late = [comm.irecv(0, 1) for _ in range(2)]                       # posted before anything else
        order = [(1, 1), (1, 0), (0, 0), (1, 1), (0, 0), (0, 1), (1, 0), (1, 0), (0, 0), (1, 1)]
        got = [int(comm.recv(src, tag)) for src, tag in order]
        return got, [int(work.wait()) for work in late]

    assert SimWorld(3, engine=engine, trace=trace).run(program).results[2] == (
        [110, 100, 0, 111, 1, 12, 101, 102, 2, 112], [10, 11])


@pytest.mark.parametrize(("name", "op"), [
    (name, op) for name in arrays.DTYPES if name != "bool" for op in (None, "sum", "max", "min", "prod")
    if not (name.startswith("complex") and op in ("max", "min"))])       # complex numbers have no order
@pytest.mark.parametrize("trace", [True, False])
def test_every_dtype_and_op_against_torch(name, op, trace):
    mine = torch.tensor([1, 2, 3, 0], dtype=torch.float32)
    theirs = torch.tensor([3, 2, 1, 2], dtype=torch.float32)
    expected = {None: mine, "sum": mine + theirs, "max": torch.maximum(mine, theirs),
                "min": torch.minimum(mine, theirs), "prod": mine * theirs}[op].tolist()
    dtype = getattr(torch, name)

    def program(comm):
        seen = []
        for way in range(2 if name != "bfloat16" else 1):                # tensors, then arrays
            for blocking in (True, False):
                x, out = mine.to(dtype).clone(), theirs.to(dtype).clone()
                if way:
                    x, out = x.numpy(), out.numpy()
                if comm.rank == 0:
                    comm.send(x, 1) if blocking else comm.isend(x, 1).wait()
                elif blocking:
                    assert comm.recv(0, out=out, op=op) is out
                    seen.append([complex(v).real for v in out.tolist()])
                else:
                    work = comm.irecv(0, out=out, op=op)
                    assert work.wait() is out
                    assert work.wait() is out
                    seen.append([complex(v).real for v in out.tolist()])
        return seen

    seen = SimWorld(2, trace=trace).run(program).results[1]
    assert seen == [expected] * len(seen)
    assert seen


def test_without_out_the_receiver_owns_a_torch_tensor():
    def program(comm):
        if comm.rank == 0:
            x = torch.arange(6.0).view(2, 3).bfloat16()
            comm.send(x, 1)
            x.zero_()
            comm.send(np.float32(3.0), 1)
            comm.send(torch.arange(6.0).view(2, 3).t(), 1)
            comm.send(torch.empty(0, 4), 1)
            return None
        return [comm.recv(0) for _ in range(4)]

    tensor, scalar, transposed, empty = SimWorld(2).run(program).results[1]
    assert torch.equal(tensor, torch.arange(6.0).view(2, 3).bfloat16())
    assert (scalar.shape, scalar.item()) == ((), 3.0)
    assert torch.equal(transposed, torch.arange(6.0).view(2, 3).t())
    assert empty.shape == (0, 4)


@pytest.mark.parametrize("engine", ENGINES)
def test_is_completed_follows_the_clock(engine):
    link = Link(latency_s=1.0, bandwidth_Bps=4.0)

    def program(comm):
        work = comm.isend(torch.zeros(4), 1) if comm.rank == 0 else comm.irecv(0)
        seen = [work.is_completed()]
        for _ in range(6):
            comm.compute(1.0)
            seen.append(work.is_completed())
        work.wait()
        return seen, work.is_completed(), comm.now()

    sender, receiver = SimWorld(2, link=link, engine=engine).run(program).results
    assert sender == ([False] * 4 + [True] * 3, True, 6.0)
    assert receiver == ([False] * 5 + [True] * 2, True, 6.0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("out", [True, False])
def test_a_receive_that_timed_out_leaves_the_message_to_the_next(engine, out):
    """Once before the send, once while the message is under way; the send is not disturbed, the order is kept."""
    link = Link(latency_s=1.0, bandwidth_Bps=4.0)

    def program(comm):
        if comm.rank == 0:
            comm.compute(1.0)
            works = []
            for value in (5.0, 6.0):
                x = torch.full((1,), value)
                work = comm.isend(x, 1)
                if value == 5.0:
                    work.wait()
                    x.fill_(-1)
                works.append(work)
            works[1].wait()
            return comm.now()
        log = []
        for limit in (0.5, 1.0, 0.75, 9.0, 9.0):
            box = torch.zeros(1) if out else None
            if limit == 9.0:
                log.append((comm.recv(0, out=box, timeout_s=limit).item(), comm.now()))
                continue
            with pytest.raises(TimeoutError, match=rf"rank 1: recv\(src=0, tag=0\) took longer than .*={limit:g}"):
                comm.recv(0, out=box, timeout_s=limit)
            assert box is None or box.item() == 0.0
            log.append(comm.now())
        return log

    run = SimWorld(2, link=link, engine=engine).run(program)
    # Sent at 1, port until 2, there at 3. Tries end at 0.5, 1.5 and 2.25; the second message's port is 2.25 to 3.25.
    assert run.results[1] == [0.5, 1.5, 2.25, (5.0, 3.0), (6.0, 5.0)]
    assert run.results[0] == 4.0


@pytest.mark.parametrize("engine", ENGINES)
def test_waiting_again_after_a_time_out(engine):
    def program(comm):
        if comm.rank == 0:
            comm.compute(2.0)
            comm.send(torch.ones(2), 1)
            return None
        out = torch.zeros(2)
        work = comm.irecv(0, out=out)
        with pytest.raises(TimeoutError):
            work.wait(1.0)
        assert not work.is_completed()
        assert work.wait(5.0) is out
        return out.tolist()

    assert SimWorld(2, engine=engine).run(program).results[1] == [1.0, 1.0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_send_that_timed_out_may_be_waited_for_again(engine):
    def program(comm):
        if comm.rank == 1:
            comm.compute(2.0)
            return comm.recv(0).item()
        work = comm.isend(torch.ones(1), 1)
        with pytest.raises(TimeoutError, match=r"isend\(dst=1, tag=0\).wait\(\) took longer"):
            work.wait(1.0)
        work.wait()
        return comm.now() > 2.0

    assert SimWorld(2, engine=engine).run(program).results == [True, 1.0]


def test_mail_is_copied_when_posted_and_typed_as_on_the_wire():
    def program(comm):
        if comm.rank == 0:
            x, meta = torch.arange(3.0), {"list": [1, (2, 3)], "none": None, "text": "ä", 7: b"x"}
            comm.post(1, "kind", meta, [x, np.arange(2, dtype=np.int32), torch.ones(2).bfloat16()])
            x.fill_(-1)
            meta["list"].append(4)
            return None
        mail = comm.poll()
        return mail.src, mail.kind, mail.meta, mail.tensors

    src, kind, meta, tensors = SimWorld(2).run(program).results[1]
    assert (src, kind, meta) == (0, "kind", {"list": [1, [2, 3]], "none": None, "text": "ä", 7: b"x"})
    assert [(t.dtype, t.tolist()) for t in tensors] == [
        (torch.float32, [0, 1, 2]), (torch.int32, [0, 1]), (torch.bfloat16, [1, 1])]


def test_the_ledger_counts_by_link_and_kind():
    import msgpack

    def program(comm):
        if comm.rank == 0:
            comm.isend(torch.zeros(5, dtype=torch.int64), 2).wait()      # tensors are vals, whatever their dtype
            comm.post(1, "push", {"clock": 3}, [torch.zeros(7, dtype=torch.int64), torch.zeros(7, 2),
                                                torch.zeros(3).bfloat16(), torch.zeros(4, dtype=torch.bool)])
        elif comm.rank == 1:
            comm.poll()
            comm.send(np.zeros(3), 2)
        else:
            comm.recv(0), comm.recv(1)

    ledger = SimWorld(3, trace=False).run(program).ledger
    header = len(msgpack.packb(("push", {"clock": 3})))
    assert [ledger.link(0, 1, kind) for kind in ("vals", "keys", "header", "retry")] == [56 + 6 + 4, 56, header, 0]
    assert (ledger.link(0, 2), ledger.link(1, 2), ledger.link(1, 0)) == (40, 24, 0)
    assert (ledger.messages(0, 1), ledger.messages(0, 2), ledger.messages()) == (1, 1, 3)
    assert ledger.port(2) == (0, 64)
    assert ledger.port(0) == (40 + 122 + header, 0)


def test_the_trace_tells_each_message_once_with_all_its_times():
    link = Link(latency_s=1.0, bandwidth_Bps=4.0)

    def program(comm):
        if comm.rank == 0:
            work = comm.isend(torch.zeros(2), 1, tag=3)
            comm.post(1, "note")
            work.wait()
        else:
            comm.compute(10.0)
            mail = comm.poll()
            comm.recv(0, tag=3)
            return mail.kind

    run = SimWorld(2, link=link).run(program)
    note = run.ledger.link(0, 1, "header")
    letter, tensor = run.trace.events
    assert letter == (0, 1, "mail", "note", note, 0.0, 0.0, note / 4, note / 4 + 1, 10.0)
    assert tensor == (0, 1, "tensor", "3", 8, 0.0, 10.0, 12.0, 13.0, 13.0)
    assert run.ledger.total() == sum(event.payload_bytes for event in run.trace.events)
