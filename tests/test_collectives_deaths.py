"""SIGKILL and SIGSTOP of a rank in the middle of every collective, by every algorithm, over shared memory and TCP.

    rank 1   ── isend ── irecv ── isend ─✕            all others leave: RankDied, or Stalled by the deadline for a rank
    rank 0   ── isend ── irecv ── …                   that is only stopped; and the same world's next run is right

The victim gets the signal at a message that it is about to send or receive, chosen by a seed: no timing is involved.
"""

import gc
import os
import random
import signal
import time

import psutil
import pytest
import torch
from collectives_calls import CASES
from collectives_programs import build, counted, sums

from pslab.comm import Disagreement, Faults, ProcessWorld, RankDied, SimWorld, Stalled

IDS = ["-".join(case) for case in CASES]
KILL, STOP = int(signal.SIGKILL), int(signal.SIGSTOP)
SMALL, LARGE = 7, 150_001             # LARGE: pieces lie in shared memory, and take several writes on a socket


TRANSPORTS = ("shm", "tcp")
# Each case with both signals and over both ways; all together only in the long tests.
PLAN = [(case, (KILL, STOP)[each], TRANSPORTS[(at + each) % 2]) for at, case in enumerate(CASES) for each in range(2)]
ALL = [(case, signal_number, transport) for case in CASES for signal_number in (KILL, STOP) for transport in TRANSPORTS]


def names(plan):
    return ["-".join([transport, *case, signal.Signals(number).name]) for case, number, transport in plan]


@pytest.fixture(scope="module")
def worlds():
    with ProcessWorld(3, transport="shm") as shm, ProcessWorld(3, transport="tcp") as tcp:
        yield {"shm": shm, "tcp": tcp}


@pytest.fixture(params=TRANSPORTS)
def world(request, worlds):
    return worlds[request.param]


def check_death(world, case, P, victim, seed, signal_number, timeout_s=0.4):
    call = build(*case, P)
    clean = world.run(counted, call, -1, 0, 0).results
    messages = clean[victim][0][0]
    assert messages >= 1
    at_message = random.Random(f"{case} {P} {victim} {seed}").randint(1, messages)
    began_s = time.monotonic()
    if signal_number == KILL:
        with pytest.raises(RankDied, match=rf"^rank {victim} was killed by signal 9 \(SIGKILL\)") as caught:
            world.run(counted, call, victim, at_message, signal_number, timeout_s=20.0)
        assert (caught.value.rank, caught.value.signal) == (victim, KILL)
    else:
        with pytest.raises(Stalled, match=rf"rank {victim} is stopped") as caught:
            world.run(counted, call, victim, at_message, signal_number, timeout_s=timeout_s)
        assert not isinstance(caught.value, Disagreement)
        stopped = caught.value.waits[victim]
        assert (stopped.call, stopped.note.split(";")[0]) == ("stopped", "by signal 19 (SIGSTOP)")
        for wait in caught.value.waits:
            if wait.rank != victim:
                assert wait.call.startswith(f"{case[0]}(") or wait.call in ("finished", FINISHING)
    assert time.monotonic() - began_s < 10
    assert caught.value.ledger is not None
    again = world.run(counted, call, -1, 0, 0).results                   # the world has healed: the same values
    for (_, before), (_, after) in zip(clean, again, strict=True):
        assert torch.equal(before, after)


FINISHING = "finish: a message is still to be taken"


@pytest.mark.parametrize(("case", "signal_number", "transport"), PLAN, ids=names(PLAN))
def test_everyone_else_leaves_and_the_world_heals(worlds, case, signal_number, transport):
    at = CASES.index(case) + (signal_number == STOP)
    check_death(worlds[transport], case, (SMALL, LARGE)[at // 2 % 2], at % 3, 0, signal_number)


@pytest.mark.long
@pytest.mark.parametrize(("case", "signal_number", "transport"), ALL, ids=names(ALL))
def test_everyone_else_leaves_wherever_it_happens(worlds, case, signal_number, transport):
    for P in (SMALL, LARGE):
        for victim in range(3):
            for seed in range(3):
                check_death(worlds[transport], case, P, victim, seed, signal_number)


def test_two_die_and_two_are_stopped(world):
    """The first that is found is named; nobody is left behind."""
    def two(comm, signal_number):
        if comm.rank:
            os.kill(os.getpid(), signal_number)
        return sums(comm)

    with pytest.raises(RankDied, match=r"^rank [12] was killed"):
        world.run(two, KILL)
    with pytest.raises(Stalled, match=r"nothing has moved for 0\.3 s: ranks 1, 2 are stopped by a signal"):
        world.run(two, STOP, timeout_s=0.3)
    assert world.run(sums).results == [[9.0 * j + 3 for j in range(5)]] * 3


def test_a_rank_that_goes_on_in_time_is_no_stall(world):
    """Stopped for a moment (a debugger, Ctrl-Z): the caller is asked to let it go on, and the run ends as ever."""
    def each(comm):
        if comm.rank == 1:
            comm.report(os.getpid())
            os.kill(os.getpid(), STOP)
        return sums(comm)

    def let_go_on(rank, pid):
        launcher = world._ranks.launcher
        while not launcher.stopped(pid):
            assert launcher.death(pid, 0.05) is None
        os.kill(pid, signal.SIGCONT)
        while launcher.stopped(pid):
            assert launcher.death(pid, 0.05) is None

    pids = world.run(lambda comm: os.getpid()).results
    assert world.run(each, on_report=let_go_on, timeout_s=5.0).results == [[9.0 * j + 3 for j in range(5)]] * 3
    assert world.run(lambda comm: os.getpid()).results == pids, "it is as good as the others again"


def test_a_rank_that_is_stopped_between_runs_is_replaced(world):
    pids = world.run(lambda comm: os.getpid()).results
    launcher = world._ranks.launcher
    os.kill(pids[2], STOP)
    while not launcher.stopped(pids[2]):                                 # the news needs a moment
        assert launcher.death(pids[2], 0.05) is None
    assert world.run(sums, timeout_s=5.0).results == [[9.0 * j + 3 for j in range(5)]] * 3
    assert not psutil.pid_exists(pids[2])


def test_a_stopped_rank_waits_for_others_that_compute():
    """Somebody is at work: what the stopped one would do then, nobody can know. The limit ends it, by name."""
    def each(comm):
        if comm.rank == 0:
            os.kill(os.getpid(), STOP)
        while comm.rank == 1:
            sum(range(1000))

    with ProcessWorld(2) as world, pytest.raises(Stalled, match=r"did not end within its limit of 0\.8 s") as caught:
        world.run(each, timeout_s=0.2, limit_s=0.8)
    assert [wait.call for wait in caught.value.waits] == ["stopped", "computing"]


def test_nothing_is_left_of_worlds_whose_ranks_died_or_were_stopped():
    me = psutil.Process()

    def held():
        gc.collect()
        return me.num_fds(), len(me.children(recursive=True)), sorted(os.listdir("/dev/shm"))

    with ProcessWorld(2) as first:                                       # the launcher stays
        first.run(sums)
    before = held()
    with ProcessWorld(3) as shm, ProcessWorld(3, transport="tcp") as tcp:
        for made in (shm, tcp):
            check_death(made, ("all_reduce", "ring"), LARGE, 1, 1, KILL)
            check_death(made, ("all_reduce", "ring"), LARGE, 2, 2, STOP)
    assert held() == before


@pytest.mark.parametrize("case", CASES, ids=IDS)
@pytest.mark.parametrize("K", [2, 3])
def test_a_crash_in_the_middle_in_the_simulator(case, K):
    """The same by the virtual clock: half of the run has passed."""
    call = build(*case)
    clean = SimWorld(K).run(busy_to_the_end, call, 0.0)
    for victim in range(K):
        with pytest.raises(RankDied, match=rf"^rank {victim} "):
            SimWorld(K, faults=Faults(crash={victim: clean.seconds / 2})).run(busy_to_the_end, call, clean.seconds)


def busy_to_the_end(comm, call_of, seconds):
    call, x = call_of(comm)
    call(comm, x)
    comm.compute(seconds)                                                # the victim may have done its part
