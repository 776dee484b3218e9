"""async_op on real processes: two threads of a rank share its sockets and its memory, and nothing is left behind."""

import os
import re
import signal
import threading
import time

import numpy as np
import pytest
import torch
from collectives_async import LARGE, both_lines, everything, judge_own_messages, mine, same, sums

from pslab.collectives import all_gather, all_reduce, background
from pslab.comm import CommError, Disagreement, Link, ProcessWorld, RankDied, Stalled


@pytest.fixture(scope="module", params=[(2, "shm"), (3, "shm"), (3, "tcp")], ids=lambda p: f"K={p[0]}-{p[1]}")
def world(request):
    K, transport = request.param
    with ProcessWorld(K, transport=transport) as world:
        yield world


@pytest.fixture(scope="module")
def pair():
    with ProcessWorld(2) as pair:
        yield pair


def well(comm):
    x = mine(comm)
    all_reduce(comm, x, async_op=True).wait()
    return torch.equal(x, sums(comm.world_size)), len(threading.enumerate())


def test_every_collective_gives_what_its_blocking_call_gives(world):
    blocking, started = world.run(everything, False), world.run(everything, True)
    for a, b in zip(blocking.results, started.results, strict=True):
        same(a, b)
    assert np.array_equal(blocking.ledger.counts, started.ledger.counts)


def test_a_function_of_ones_own_with_messages_of_its_own(world):
    judge_own_messages(world)


def test_both_lines_at_once_on_large_and_small_ones(world):
    assert world.run(both_lines, 12).results == [0] * world.world_size


def test_on_throttled_links_too():
    with ProcessWorld(2, link=Link(bandwidth_Bps=2e9, latency_s=1e-4), trace=True) as world:
        run = world.run(both_lines, 4)
        assert run.results == [0, 0]
        assert len(run.trace.events) == run.ledger.sent.sum()


def test_it_goes_on_without_any_call_of_the_program(pair):
    """Between start and end the program only looks at is_completed(), which touches no socket."""
    def program(comm):
        x, idle = mine(comm, LARGE), threading.Event()
        work, until_s = all_reduce(comm, x, async_op=True), time.monotonic() + 30
        while not work.is_completed() and time.monotonic() < until_s:
            idle.wait(0.001)
        return work.is_completed(), torch.equal(x, sums(comm.world_size, LARGE)), work.wait()

    assert pair.run(program).results == [(True, True, None)] * 2


def test_a_line_that_sleeps_is_woken_when_the_other_has_something_to_write():
    """The strand sleeps on the sockets, as long as it likes; the program's tensor does not fit into them at once."""
    def program(comm):
        from pslab.comm import threads
        threads.PATIENCE_S, patience_s = 60.0, threads.PATIENCE_S
        try:
            if comm.rank:
                comm.recv(0)
                comm.background(lambda twin: twin.send(torch.ones(1), 0)).wait()
                return 0.0
            work = comm.background(lambda twin: twin.recv(1))
            while not comm._endpoint.shared.driving:
                time.sleep(0.001)
            begun_s = time.monotonic()
            comm.isend(torch.zeros(4_000_000), 1).wait()
            work.wait()
            return time.monotonic() - begun_s
        finally:
            threads.PATIENCE_S = patience_s

    with ProcessWorld(2, transport="tcp") as world:
        assert world.run(program).results[0] < 20


def test_nothing_is_in_the_way_before_and_after(pair):
    """No thread, and not one of the endpoint's methods replaced, where no strand exists."""
    def before(comm):
        all_reduce(comm, mine(comm))
        return threading.active_count(), sorted(name for name, value in vars(comm._endpoint).items() if callable(value)
                                                and hasattr(type(comm._endpoint), name))

    def during(comm):
        all_reduce(comm, mine(comm), async_op=True).wait()
        return threading.active_count(), "isend" in vars(comm._endpoint)

    clean = pair.run(before).results
    assert clean == [(1, [])] * 2
    assert pair.run(during).results == [(2, True)] * 2
    assert pair.run(before).results == clean


def test_what_a_future_was_taken_of_arrives_though_the_program_ends(pair):
    def program(comm):
        x = mine(comm, LARGE)
        for _ in range(3):
            all_reduce(comm, x.clone(), async_op=True).get_future().then(lambda future: print("arrived"))

    assert pair.run(program).prints == ["arrived\n" * 3] * 2


def test_futures(pair):
    def fails(comm, x):
        raise KeyError("mine")

    def program(comm):
        x = mine(comm)
        summed = background.start(comm, all_gather, x).get_future()
        pieces = summed.wait()
        late = all_reduce(comm, x, async_op=True)
        late.wait()
        assert late.get_future().wait() is None          # taken after the end: it is there at once
        with pytest.raises(KeyError, match="mine"):
            comm.background(fails, x).get_future().wait()
        all_reduce(comm, x)
        return pieces

    for pieces in pair.run(program).results:
        assert [piece[1].item() for piece in pieces] == [2, 3]


# ---- what goes wrong ------------------------------------------------------------------------------------------------


def test_time_out_error_and_what_stands_behind(pair):
    def fails(comm, x):
        raise KeyError("mine")

    def program(comm):
        x = mine(comm)
        if comm.rank:
            comm.recv(0, tag=7)                          # rank 0 has seen its time-out
        work = all_reduce(comm, x, async_op=True)
        if not comm.rank:
            with pytest.raises(TimeoutError, match=r"rank 0: wait\(\) of all_reduce, started at .* in program, took "
                                                   r"longer than timeout_s=0.05 seconds"):
                work.wait(timeout_s=0.05)
            comm.send(x.clone(), 1, tag=7)
        work.wait(timeout_s=20.0)
        first, second = comm.background(fails, x.clone()), all_reduce(comm, x.clone(), async_op=True)
        with pytest.raises(KeyError, match="mine"):
            first.wait()
        with pytest.raises(CommError, match="all_reduce, started at .*, was not begun: fails, which was started"):
            second.wait()
        return torch.equal(x, sums(2))

    assert pair.run(program).results == [True, True]


def test_a_program_that_does_not_wait_is_told_where(pair):
    def program(comm):
        all_reduce(comm, mine(comm), async_op=True)

    line = program.__code__.co_firstlineno + 1
    with pytest.raises(CommError, match=rf"without waiting .*: all_reduce, started at "
                                        rf"test_collectives_async_processes.py:{line} in program"):
        pair.run(program)
    assert pair.run(well).results == [(True, 2)] * 2


def test_stalls_name_the_call_and_the_line_that_started_it(pair):
    def absent(comm):
        if comm.rank:
            comm.recv(0)
        all_reduce(comm, mine(comm), async_op=True).wait()

    def other_order(comm):
        for work in [call(comm, mine(comm), async_op=True)
                     for call in ((all_reduce, all_gather) if comm.rank else (all_gather, all_reduce))]:
            work.wait()

    line = absent.__code__.co_firstlineno + 3
    with pytest.raises(Stalled, match=rf"0 +wait\(\) of all_reduce +rank 1 .*:{line} in absent +in the background: "
                                      rf"recv\(src=1, tag=all_reduce\) of all_reduce, started at .*:{line} in absent"):
        pair.run(absent, timeout_s=0.5)
    with pytest.raises(Disagreement, match=r"(?s)0 +all_gather\(.*1 +all_reduce\("):
        pair.run(other_order, timeout_s=0.5)
    assert pair.run(well).results == [(True, 2)] * 2


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP])
def test_a_rank_that_is_lost_while_it_travels(pair, sign):
    def program(comm, sign):
        x = mine(comm, LARGE)
        works = [all_reduce(comm, x + i, async_op=True) for i in range(3)]
        if comm.rank:
            works[0].wait()
            os.kill(os.getpid(), sign)
        for work in works:
            work.wait()

    begun_s = time.monotonic()
    with pytest.raises(RankDied if sign == signal.SIGKILL else Stalled, match="rank 1|wait.. of all_reduce"):
        pair.run(program, sign, timeout_s=1.0)
    assert time.monotonic() - begun_s < 20
    assert pair.run(well).results == [(True, 2)] * 2


def test_an_error_of_the_program_while_something_travels(pair):
    def program(comm):
        works = [all_reduce(comm, mine(comm, LARGE), async_op=True) for _ in range(3)]
        works[0].wait()
        raise ValueError("planned")

    with pytest.raises(ValueError, match="planned"):
        pair.run(program)
    assert pair.run(well).results == [(True, 2)] * 2


def test_an_exit_in_the_background_is_the_ranks_own(pair):
    def program(comm):
        comm.background(lambda twin: exit(3)).wait()

    with pytest.raises(RankDied, match=re.escape("left with exit code 3")):
        pair.run(program)
