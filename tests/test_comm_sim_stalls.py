"""Programs that cannot go on: the table names each waiting rank, its call, its peer and the user's line."""

import re
import threading

import numpy as np
import pytest
import torch

from pslab.comm import CommError, Deadlock, Link, SimWorld, Stalled

ENGINES = ["threads", "greenlets"]
X = torch.arange(3.0)


def line_of(function, text):
    """`file:line in function` of the line of `function` that contains text."""
    import inspect
    lines, first = inspect.getsourcelines(function)
    at = next(i for i, line in enumerate(lines) if text in line)
    return f"{__file__.rsplit('/', 1)[-1]}:{first + at} in {function.__name__}"


def deadlock(program, size, engine, **world):
    before = threading.active_count()
    with pytest.raises(Deadlock) as caught:
        SimWorld(size, engine=engine, **world).run(program)
    assert threading.active_count() == before
    return caught.value


def forgotten_send(comm):
    comm.compute(1.0)
    if comm.rank == 1:
        comm.recv(0, tag=4)


def forgotten_receive(comm):
    if comm.rank == 0:
        comm.compute(0.5)
        comm.send(X, 2)
    else:
        comm.compute(2.0)


def swapped_order(comm):
    other = 1 - comm.rank
    comm.send(X, other, tag=comm.rank)
    comm.recv(other, tag=other)


def wrong_tag(comm):
    if comm.rank == 0:
        comm.isend(X, 1, tag=7)
        comm.isend(X, 1, tag=8).wait()
    else:
        comm.recv(0, tag=5)


@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize("engine", ENGINES)
def test_forgotten_send(engine, trace):
    error = deadlock(forgotten_send, 2, engine, trace=trace)
    wait, = error.waits
    assert (wait.rank, wait.call, wait.peer, wait.waited_s) == (1, "recv(src=0, tag=4)", 0, 0.0)
    assert wait.where == line_of(forgotten_send, "comm.recv")
    assert wait.note == "rank 0 has ended"
    assert error.undelivered == []


@pytest.mark.parametrize("engine", ENGINES)
def test_forgotten_receive(engine):
    error = deadlock(forgotten_receive, 3, engine)
    wait, = error.waits
    assert (wait.rank, wait.call, wait.peer, wait.waited_s) == (0, "send(dst=2, tag=0)", 2, 1.5)
    assert wait.where == line_of(forgotten_receive, "comm.send")
    assert error.undelivered == [f"rank 0 to rank 2, tag 0: float32[3], sent at 0.5 s (send at {wait.where})"]


@pytest.mark.parametrize("engine", ENGINES)
def test_swapped_order(engine):
    error = deadlock(swapped_order, 2, engine)
    assert [(w.rank, w.call, w.peer, w.where) for w in error.waits] == [
        (rank, f"send(dst={1 - rank}, tag={rank})", 1 - rank, line_of(swapped_order, "comm.send")) for rank in (0, 1)]
    assert len(error.undelivered) == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_wrong_tag(engine):
    error = deadlock(wrong_tag, 2, engine)
    assert [(w.rank, w.call, w.peer, w.note) for w in error.waits] == [
        (0, "isend(dst=1, tag=8).wait()", 1, "rank 1 receives tag 5"),
        (1, "recv(src=0, tag=5)", 0, "rank 0 has sent tag 7, 8")]
    assert [w.where for w in error.waits] == [line_of(wrong_tag, "tag=8"), line_of(wrong_tag, "comm.recv")]
    assert [text.split(":")[0] for text in error.undelivered] == ["rank 0 to rank 1, tag 7", "rank 0 to rank 1, tag 8"]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_table_reads_well(engine):
    text = str(deadlock(wrong_tag, 2, engine))
    print(text)
    assert re.search(r"^1 +recv\(src=0, tag=5\) +rank 0 +0 s +test_comm_sim_stalls.py:\d+ in wrong_tag +"
                     r"rank 0 has sent tag 7, 8$", text, re.MULTILINE)


@pytest.mark.parametrize("engine", ENGINES)
def test_polls_barriers_and_splits_that_nobody_joins(engine):
    def program(comm):
        if comm.rank == 0:
            comm.compute(3.0)
        elif comm.rank == 1:
            comm.poll()
        elif comm.rank == 2:
            comm.barrier()
        else:
            comm.split(0)

    error = deadlock(program, 4, engine)
    assert [(w.rank, w.call, w.peer, w.waited_s) for w in error.waits] == [
        (1, "poll()", None, 3.0), (2, "barrier()", 1, 3.0), (3, "split()", 0, 3.0)]
    assert error.undelivered == []                                       # control messages are nobody's business


def test_the_line_is_the_users_also_inside_our_collectives():
    from pslab import collectives

    def program(comm):
        if comm.rank:
            collectives.all_reduce(comm, torch.zeros(4))

    for wait in deadlock(program, 3, "threads").waits:
        assert wait.where == line_of(program, "all_reduce")


def test_a_deadlock_on_100_greenlets_names_all_100():
    def program(comm):
        comm.recv((comm.rank + 1) % comm.world_size)

    error = deadlock(program, 100, "auto", trace=False)
    assert [(w.rank, w.peer) for w in error.waits] == [(rank, (rank + 1) % 100) for rank in range(100)]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("trace", [True, False])
def test_a_tensor_that_nobody_received(engine, trace):
    def program(comm):
        if comm.rank == 0:
            comm.isend(X, 1, tag=3)
            comm.isend(np.zeros((2, 2)), 1, tag=3)

    with pytest.raises(Stalled, match="nobody received") as caught:
        SimWorld(2, engine=engine, trace=trace).run(program)
    assert not isinstance(caught.value, Deadlock)
    lines = caught.value.undelivered
    assert [line.split(" (")[0] for line in lines] == ["rank 0 to rank 1, tag 3: float32[3], sent at 0 s",
                                                       "rank 0 to rank 1, tag 3: float64[2, 2], sent at 0 s"]
    assert all((f"isend at {__file__.rsplit('/', 1)[-1]}:" in line) == trace for line in lines)
    assert caught.value.ledger.link(0, 1) == 12 + 32                     # the ledger outlives the run


def test_unread_mail_is_no_stall():
    run = SimWorld(2).run(lambda comm: comm.post(1 - comm.rank, "bye"))
    assert run.ledger.messages() == 2


@pytest.mark.parametrize("engine", ENGINES)
def test_an_endless_loop_is_thrown_out(engine):
    def program(comm):
        if comm.rank == 0:
            comm.recv(1)
        spins = 0
        while True:
            spins += 1

    before = threading.active_count()
    with pytest.raises(Stalled) as caught:
        SimWorld(2, engine=engine).run(program, timeout_s=0.3)
    assert threading.active_count() == before
    assert "rank 1 kept its turn for 0.3 s" in str(caught.value)
    looping, waiting = caught.value.waits
    assert (looping.rank, looping.call) == (1, "computing")
    assert re.fullmatch(r"test_comm_sim_stalls.py:\d+ in program", looping.where)
    assert (waiting.rank, waiting.call) == (0, "recv(src=1, tag=0)")


@pytest.mark.parametrize("engine", ENGINES)
def test_looking_into_an_empty_box_for_ever_is_thrown_out(engine):
    def program(comm):
        while comm.poll(0) is None:
            pass

    with pytest.raises(Stalled, match="rank 0 kept its turn"):
        SimWorld(2, engine=engine).run(program, timeout_s=0.2)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_caller_that_takes_its_time_is_no_stall(engine):
    """on_report runs in the caller: a slow picture is not the rank's fault."""
    waited = threading.Event()
    SimWorld(2, engine=engine).run(lambda comm: comm.report(1), timeout_s=0.05, on_report=lambda *_: waited.wait(0.2))


# ---- data that does not fit, buffers that change --------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("out", [torch.zeros(4), torch.zeros(3, dtype=torch.float64), np.zeros((1, 3), np.float32)])
@pytest.mark.parametrize("first", [0, 1])
def test_a_misfit_is_told_to_both_sides(engine, out, first):
    def program(comm, out):
        comm.compute(float(comm.rank != first))
        call = (lambda: comm.send(X, 1)) if comm.rank == 0 else (lambda: comm.recv(0, out=out))
        with pytest.raises(ValueError, match=r"rank 0 sent float32\[3\], but rank 1 receives into") as caught:
            call()
        comm.barrier()                                                   # and both may go on
        return str(caught.value), comm.now()

    link = Link(latency_s=0.0)
    left, right = SimWorld(2, engine=engine, link=link).run(program, out).results
    assert left == right
    assert left[1] == 1.0                                                # no port was held


def test_a_misfit_that_nobody_catches_reaches_the_caller():
    def program(comm):
        if comm.rank == 0:
            comm.isend(X, 1).wait()
        else:
            comm.recv(0, out=torch.zeros(2))

    with pytest.raises(ValueError, match=r"float32\[3\].*float32\[2\]"):
        SimWorld(2).run(program)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize("numbers", [1, 1000, 16_384, 16_385, 100_001])
@pytest.mark.parametrize("when", ["before the receive", "after it"])
def test_changing_a_buffer_before_wait_is_found(engine, trace, numbers, when):
    def program(comm):
        x = np.zeros(numbers, np.float32)
        comm.barrier()
        if comm.rank == 0:
            work = comm.isend(x, 1)
            if when == "after it":
                comm.compute(1.0)
            x[-1] = 1.0
            work.wait()
        else:
            comm.recv(0, out=x)

    with pytest.raises(CommError, match=r"rank 0: the tensor of isend\(dst=1, tag=0\).* was changed before its "
                                        r"wait\(\) \(test_comm_sim_stalls.py:\d+ in program\)"):
        SimWorld(2, engine=engine, trace=trace).run(program)


def test_every_byte_and_every_order_counts_in_a_seal():
    from pslab.comm.sim.transfer import seal_of
    for numbers in (3, 20_000, 40_001):
        x = np.arange(numbers, dtype=np.float64)
        seal = seal_of(x)
        for at in {0, 1, 511, 512, numbers // 2, numbers - 1} & set(range(numbers)):
            x[at] += 1
            assert seal_of(x) != seal
            x[at] -= 1
        x[0], x[1] = x[1], x[0]
        assert seal_of(x) != seal
        x[0], x[1] = x[1], x[0]
        assert seal_of(x) == seal


def test_an_untouched_buffer_may_change_after_wait_while_the_receiver_has_not_looked():
    def program(comm):
        if comm.rank == 0:
            x = torch.arange(5.0)
            comm.isend(x, 1).wait()
            x.fill_(-1)
            comm.barrier()
            return None
        out = torch.full((5,), 7.0)
        work = comm.irecv(0, out=out, op="sum")
        comm.barrier()
        before = out.tolist()
        work.wait()
        return before, out.tolist()

    before, after = SimWorld(2).run(program).results[1]
    assert before == [7.0] * 5                                           # never written before wait()
    assert after == [7.0, 8.0, 9.0, 10.0, 11.0]
