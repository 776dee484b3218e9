"""Programs that cannot go on: the table names each waiting rank, its call, its peer and the user's line."""

import re
import threading

import numpy as np
import pytest
import torch

from pslab.comm import CommError, Deadlock, Disagreement, Link, SimWorld, Stalled

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

    with pytest.raises(Disagreement) as caught:                          # of ranks 2 and 3, about their first call
        SimWorld(4, engine=engine).run(program)
    error = caught.value
    assert [row[:2] for row in error.calls] == [("2", "barrier()"), ("3", "split()"), ("0", "(not in it)"),
                                                ("1", "(not in it)")]
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


@pytest.mark.parametrize("numbers", [1, 100_001])
def test_changing_a_buffer_that_is_never_waited_for_is_found_when_it_is_delivered(numbers):
    def program(comm):
        x = np.zeros(numbers, np.float32)
        if comm.rank == 0:
            comm.isend(x, 1)
            x[-1] = 1.0
        else:
            comm.compute(1.0)
            comm.recv(0)

    with pytest.raises(CommError, match=r"rank 0: the tensor of isend\(dst=1, tag=0\) at test_comm_sim_stalls.py:\d+ "
                                        r"in program was changed before its wait\(\), which had not been called"):
        SimWorld(2).run(program)


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


# ---- ranks that look for mail for ever while another waits for a tensor ---------------------------------------------


def looks_for_ever(comm):
    while comm.poll(1e-3) is None:
        pass


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize("size", [2, 4])
def test_a_wait_for_ever_among_ranks_that_look_for_mail_is_found(engine, trace, size):
    def program(comm):
        if comm.rank == 0:
            comm.recv(1, tag=5)
        else:
            looks_for_ever(comm)

    before = threading.active_count()
    with pytest.raises(Stalled, match=r"nothing has moved for 0\.3 s") as caught:
        SimWorld(size, engine=engine, trace=trace).run(program, timeout_s=0.3)
    assert threading.active_count() == before
    assert not isinstance(caught.value, Deadlock)
    assert [(w.rank, w.call, w.peer) for w in caught.value.waits] == [
        (0, "recv(src=1, tag=5)", 1), *[(rank, "poll()", None) for rank in range(1, size)]]
    assert caught.value.waits[0].where == line_of(program, "comm.recv")
    assert caught.value.waits[1].where == line_of(looks_for_ever, "comm.poll")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_send_that_nobody_takes_is_found_too(engine):
    def program(comm):
        comm.send(X, 1, tag=2) if comm.rank == 0 else looks_for_ever(comm)

    with pytest.raises(Stalled, match="nothing has moved") as caught:
        SimWorld(2, engine=engine).run(program, timeout_s=0.3)
    assert caught.value.waits[0].call == "send(dst=1, tag=2)"
    assert "rank 0 to rank 1, tag 2: float32[3]" in caught.value.undelivered[0]


def long_compute(comm, polls_s):
    comm.compute(polls_s)


def short_computes_between_polls(comm, polls_s):
    for _ in range(1000):
        comm.poll(polls_s / 1000)
        comm.compute(1e-9)


def short_sleeps_between_polls(comm, polls_s):
    for _ in range(1000):
        comm.poll(polls_s / 1000)
        comm.sleep(1e-9)


def letters(comm, polls_s):
    for _ in range(1000):
        comm.post(2, "still here")
        comm.poll(polls_s / 1000)


def real_work(comm, polls_s):
    import time
    ends_s = time.process_time() + 1.0
    while time.process_time() < ends_s:
        comm.poll(1e-6)
        sum(range(2_000_000))


def one_long_poll(comm, polls_s):
    assert comm.poll(polls_s) is None


def a_receive_with_a_time_out(comm, polls_s):
    with pytest.raises(TimeoutError):
        comm.recv(2, timeout_s=polls_s)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("keeps_busy", [
    long_compute, short_computes_between_polls, short_sleeps_between_polls, letters, real_work, one_long_poll,
    a_receive_with_a_time_out])
def test_a_rank_that_takes_long_is_no_stall(engine, keeps_busy):
    """Rank 0 waits for rank 1 all the time, which is busy in one of many ways; the others look for mail meanwhile."""
    def program(comm):
        if comm.rank == 0:
            return comm.recv(1).sum().item()
        if comm.rank == 1:
            keeps_busy(comm, 0.3)
            comm.post(2, "end")
            comm.send(X, 0)
            return None
        mail = None
        while mail is None or mail.kind != "end":
            mail = comm.poll(2e-6)
        return None

    assert SimWorld(3, engine=engine, trace=False).run(program, timeout_s=0.1).results[0] == 3.0


@pytest.mark.parametrize("engine", ENGINES)
def test_receives_with_time_outs_for_ever_are_found_as_well(engine):
    def program(comm):
        while comm.rank:
            try:
                comm.recv(0, timeout_s=0.5)
            except TimeoutError:
                continue
        comm.recv(1)

    with pytest.raises(Stalled, match="nothing has moved"):
        SimWorld(2, engine=engine).run(program, timeout_s=0.3)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_transfer_on_a_slow_link_is_no_stall(engine):
    def program(comm):
        if comm.rank < 2:
            return comm.recv(0) if comm.rank else comm.send(X, 1)
        while comm.now() < 0.5:
            comm.poll(2e-6)

    links = {(0, 1): Link(bandwidth_Bps=24.0)}                           # half a virtual second for 12 bytes
    SimWorld(3, engine=engine, links=links, trace=False).run(program, timeout_s=0.1)


def nothing(kernel, fabric):
    pass


def a_message(kernel, fabric):
    fabric.endpoints[1].lanes_to[0].messages += 1


def a_pause(kernel, fabric):
    fabric.pauses += 1


def an_end(kernel, fabric):
    kernel.tasks[1].ended = True


def another_wait(kernel, fabric):
    kernel.tasks[0].since_s += 1.0


def few_turns(kernel, fabric):
    kernel.ticks -= 10**6


def the_same_poll(kernel, fabric):
    kernel.tasks[1].since_s -= 1.0


@pytest.mark.parametrize(("change", "found"), [(nothing, True), (a_message, False), (a_pause, False), (an_end, False),
                                               (another_wait, False), (few_turns, False), (the_same_poll, False)])
def test_what_counts_as_progress_between_two_looks(change, found):
    from pslab.comm.sim.endpoint import _POLL, Fabric, SimEndpoint
    from pslab.comm.sim.faults import Faults
    from pslab.comm.sim.kernel import Alarm, Deadline, Kernel, Task
    from pslab.comm.sim.standstill import Probe

    kernel, fabric = Kernel(), Fabric(Link(), {}, False, None, Faults())
    kernel.tasks = [Task(0), Task(1)]
    fabric.endpoints = [SimEndpoint(fabric, kernel, task, 2, 0) for task in kernel.tasks]
    waiting = kernel.tasks[0].waits_for = fabric.endpoints[0].irecv(1, 0, 0, None, None, False)
    waiting.waiter = kernel.tasks[0]
    kernel.tasks[1].waits_for = _POLL
    kernel.at(5.0, Deadline(Alarm(kernel.tasks[1])))
    probe = Probe(kernel, fabric, timeout_s=0.0)
    assert probe.fire() is None                                          # the first look only remembers
    kernel.tasks[1].since_s += 1.0                                       # it has polled again
    kernel.ticks += 10**6
    change(kernel, fabric)
    assert (probe.fire() is kernel.main) is found
    assert (kernel.failed is kernel.main) is found
