"""What is found out about async_op in the simulator: tensors changed, orders that differ, errors, nobody waiting."""

import re
import threading

import pytest
import torch
from collectives_async import LINK, alone, mine, overlapped, sums

from pslab.collectives import all_gather, all_reduce, broadcast
from pslab.comm import CommError, Deadlock, Disagreement, Faults, RankDied, SimWorld


@pytest.fixture(params=["threads", "greenlets"])
def engine(request):
    return request.param


def test_who_looks_too_early_sees_the_old_values(engine):
    def program(comm):
        x = mine(comm)
        work = all_reduce(comm, x, async_op=True)
        comm.compute(1.0)                                # long done
        early = x.clone()
        work.wait()
        return work.is_completed(), early, x

    for rank, (done, early, x) in enumerate(SimWorld(2, engine=engine).run(program).results):
        assert done
        assert torch.equal(early, torch.arange(12, dtype=torch.float64) * 2 + rank)
        assert torch.equal(x, sums(2))


@pytest.mark.parametrize("moment_s", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize("call", [all_reduce, all_gather], ids=["written", "read"])
def test_a_tensor_that_is_changed_before_wait_is_found(engine, moment_s, call):
    def program(comm):
        x = mine(comm, 5000)
        work = call(comm, x, async_op=True)
        comm.compute(moment_s)
        if comm.rank == 1:
            x[4321] += 1
        work.wait()

    with pytest.raises(CommError, match=r"rank 1: a tensor of all_\w+, started in the background at test_.*:\d+ in "
                                        r"program, was changed before its wait\(\) \(test_.*:\d+ in program\)"):
        SimWorld(2, engine=engine).run(program)


def test_the_order_of_starts_must_agree(engine):
    def program(comm):
        x, y = mine(comm), mine(comm)
        starts = [lambda: all_reduce(comm, x, async_op=True), lambda: all_gather(comm, y, async_op=True)]
        for work in [start() for start in (starts if comm.rank else starts[::-1])]:
            work.wait()

    with pytest.raises(Disagreement, match=r"(?s)0 +all_gather\(.*test_collectives_async_errors.py:\d+ in <lambda>.*"
                                           r"1 +all_reduce\("):
        SimWorld(2, engine=engine).run(program)


def test_blocking_here_and_in_the_background_there_do_not_meet(engine):
    def program(comm):
        x = mine(comm)
        if comm.rank:
            all_reduce(comm, x)
        else:
            all_reduce(comm, x, async_op=True).wait()

    with pytest.raises(Deadlock, match="in the background; rank 1 has started nothing there") as deadlock:
        SimWorld(2, engine=engine).run(program)
    assert re.search(r"0 +wait\(\) of all_reduce +rank 1 .*in program", str(deadlock.value))
    line = program.__code__.co_firstlineno + 5
    assert re.search(rf"rank 0 to rank 1, tag all_reduce: .*\(isend at .*:{line} in program\)", str(deadlock.value))


def test_a_program_that_does_not_wait_is_told_where(engine):
    def program(comm):
        all_reduce(comm, mine(comm), async_op=True).wait()
        all_reduce(comm, mine(comm), async_op=True)
        comm.compute(1.0)

    line = program.__code__.co_firstlineno + 2
    with pytest.raises(CommError, match=rf"rank \d ended its program without waiting .*: all_reduce, started at "
                                        rf"test_collectives_async_errors.py:{line} in program; call wait\(\)"):
        SimWorld(2, engine=engine).run(program)


def test_an_error_comes_out_of_wait_and_those_behind_it_are_not_begun(engine):
    def fails(comm, x):
        raise KeyError("mine")

    def program(comm):
        x, y = mine(comm), mine(comm)
        first, second = comm.background(fails, x), all_reduce(comm, y, async_op=True)
        with pytest.raises(KeyError, match="mine") as told:
            first.wait()
        with pytest.raises(CommError, match=r"all_reduce, started at .*, was not begun: fails, which was started "
                                            r"before it at .*, failed: 'mine'"):
            second.wait()
        all_reduce(comm, y)                              # the group itself is well
        return told.value.__notes__, y

    for notes, y in SimWorld(2, engine=engine).run(program).results:
        assert re.match(r"in the background: fails, started at test_collectives_async_errors.py:\d+ in pro", notes[0])
        assert torch.equal(y, sums(2))


def test_a_failure_that_nobody_waited_for_is_in_the_table(engine):
    def fails(comm, x):
        raise KeyError("mine")

    def program(comm):
        work = comm.background(fails, mine(comm))
        comm.recv(1 - comm.rank)
        work.wait()

    with pytest.raises(Deadlock, match=r"fails, started at .* in program, failed with KeyError: 'mine'"):
        SimWorld(2, engine=engine).run(program)


def test_time_outs_are_virtual_and_may_be_followed_by_another_wait(engine):
    def program(comm, P):
        x = mine(comm, P)
        work = all_reduce(comm, x, async_op=True)
        with pytest.raises(TimeoutError, match="wait.. of all_reduce took longer than timeout_s=1e-06 seconds"):
            work.wait(timeout_s=1e-6)
        at_s = comm.now()
        work.wait(timeout_s=1.0)
        return at_s, comm.now(), x

    world = SimWorld(3, link=LINK, engine=engine)
    for at_s, end_s, x in world.run(program, 999).results:
        assert (at_s, end_s) == (1e-6, world.run(alone, 999).seconds)
        assert torch.equal(x, sums(3, 999))


def test_a_crash_and_an_exit_end_the_run(engine):
    def program(comm):
        all_reduce(comm, mine(comm, 2**16), async_op=True).wait()

    def leaves(comm):
        comm.background(lambda twin: exit(3)).wait()

    with pytest.raises(RankDied, match="rank 1 was killed by signal 9"):
        SimWorld(3, link=LINK, engine=engine, faults=Faults(crash={1: 1e-4})).run(program)
    with pytest.raises(RankDied, match="left with exit code 3"):
        SimWorld(2, engine=engine).run(leaves)
    assert SimWorld(2, engine=engine).run(overlapped, 12, 0.0).results[0][1].equal(sums(2))


def test_no_thread_is_left():
    def fails(comm):
        works = [all_reduce(comm, mine(comm), async_op=True) for _ in range(3)]
        works[0].wait()
        raise ValueError("planned")

    before = threading.active_count()
    with pytest.raises(ValueError, match="planned"):
        SimWorld(4, engine="threads").run(fails)
    SimWorld(4, engine="threads").run(overlapped, 12, 0.0)
    assert threading.active_count() == before


def test_bad_arguments_are_told_where_they_are_given(engine):
    def program(comm):
        with pytest.raises(ValueError, match="op='median'; allowed"):
            all_reduce(comm, mine(comm), "median", async_op=True)
        with pytest.raises(ValueError, match="src=7; this group has ranks 0..1"):
            broadcast(comm, mine(comm), 7, async_op=True)
        work = all_reduce(comm, mine(comm), async_op=True)
        with pytest.raises(ValueError, match="a torch future would wait in real time"):
            work.get_future()
        work.wait()

    SimWorld(2, engine=engine).run(program)
