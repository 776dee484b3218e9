"""Calls that differ, and ranks that do not come, in real processes: told at once or by the deadline; then healed."""

import gc
import re
import time

import psutil
import pytest
import torch
from collectives_calls import CASES, differences, line_of, odd_call
from collectives_programs import absent, build, ends, looks_for_mail, program, receives, sums
from test_collectives_agree import check_told

from pslab.collectives import all_gather, all_reduce, barrier, broadcast
from pslab.comm import Disagreement, ProcessWorld, Stalled

IDS = ["-".join(case) for case in CASES]
TRANSPORTS = ["shm", "tcp"]


@pytest.fixture(scope="module")
def worlds():
    with ProcessWorld(3, transport="shm") as shm, ProcessWorld(3, transport="tcp") as tcp:
        yield [shm, tcp]


@pytest.fixture(params=range(2), ids=TRANSPORTS)
def world(request, worlds):
    return worlds[request.param]


def check_usable(world):
    """The same world, after an error."""
    assert world.run(sums).results == [[9.0 * j + 3 for j in range(5)]] * 3


def check_difference(world, name, algorithm, what, odd_rank, P=7):
    changes, usual_words, odd_words = differences(name, algorithm)[what]
    usual = build(name, algorithm, P)
    if what not in ("collective", "length", "emptiness"):
        changes = {**changes, "P": P}
    began_s = time.monotonic()
    with pytest.raises(Disagreement, match="ranks disagree: collective call 1 of ranks 0-2") as caught:
        world.run(program, usual, odd_call(name, algorithm, changes), odd_rank, timeout_s=30.0)
    assert time.monotonic() - began_s < 15
    text = usual_words if P == 7 else re.sub(r"\[7\]", f"[{P}]", usual_words)
    check_told(caught.value, 3, odd_rank, text, odd_words)
    assert caught.value.ledger is not None


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_differences_are_told_long_before_the_deadline(worlds, case):
    at, table = CASES.index(case), list(differences(*case))
    check_difference(worlds[at % 2], *case, table[at % len(table)], at % 3)
    check_usable(worlds[at % 2])


@pytest.mark.long
@pytest.mark.parametrize("P", [7, 100_001])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_all_differences_are_told(world, case, P):
    for what in differences(*case):
        for odd_rank in range(3):
            check_difference(world, *case, what, odd_rank, P)
    check_usable(world)


def check_missing(world, case, missing_rank, does, words):
    with pytest.raises(Stalled, match=r"nothing has moved for 0\.3 s: every rank waits") as caught:
        world.run(absent, build(*case), missing_rank, does, timeout_s=0.3)
    sentence, = caught.value.missing
    assert re.search(rf"rank {missing_rank} is not in it: {words}$", sentence)
    assert f"at {line_of(absent, '# the usual line')}, collective call 1 of ranks 0-2" in sentence
    waiting = [wait for wait in caught.value.waits if wait.inside]
    assert {wait.rank for wait in waiting} <= set(range(3)) - {missing_rank}
    assert all(wait.call.startswith(f"{case[0]}(") for wait in waiting)


KINDS = [(ends, "it has finished"), (receives, r"it is in recv\(src=\d, tag=3\) at .*:\d+ in receives"),
         (looks_for_mail, r"it is in poll\(\) at .*:\d+ in looks_for_mail")]


@pytest.mark.parametrize("case", [("all_reduce", "ring"), ("all_to_all", "pairwise"), ("gather", "direct")])
def test_a_missing_rank_is_named_by_the_deadline(world, case):
    at = CASES.index(case)
    check_missing(world, case, 1, *KINDS[at % 3])
    check_usable(world)


def needs(case, missing_rank):
    """Whether anyone waits for that rank: in a broadcast from 0, nobody does for the others."""
    return case[0] not in ("broadcast", "scatter") or missing_rank == 0


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_missing_rank_is_named(world, case):
    for missing_rank in range(3):
        for kind in KINDS:
            if needs(case, missing_rank):
                check_missing(world, case, missing_rank, *kind)
    check_usable(world)


def test_a_rank_that_computes_for_ever_is_named_by_the_limit(world):
    def each(comm):
        while comm.rank == 1:
            sum(range(1000))
        all_reduce(comm, torch.ones(3))

    with pytest.raises(Stalled, match=r"did not end within its limit of 0\.5 s") as caught:
        world.run(each, limit_s=0.5)
    assert "rank 1 is not in it: it is computing" in caught.value.missing[0]


def test_calls_in_the_background_are_told_too(world):
    def differ(comm):
        work = all_reduce(comm, torch.ones(4), ("sum", "max", "sum")[comm.rank], async_op=True)
        work.wait()

    def missing(comm):
        if comm.rank != 2:
            all_reduce(comm, torch.ones(4), async_op=True).wait()

    with pytest.raises(Disagreement) as caught:
        world.run(differ)
    assert [ranks for ranks, _, _ in caught.value.calls] == ["0, 2", "1"]
    assert all(re.match(r"test_\w+.py:\d+ in differ", where) for *_, where in caught.value.calls)
    with pytest.raises(Stalled) as caught:
        world.run(missing, timeout_s=0.3)
    assert "collective call 1 of ranks 0-2; rank 2 is not in it: it has finished" in caught.value.missing[0]


def test_a_receiver_who_is_never_missed_leaves_its_message_behind(world):
    """Small messages are eager: rank 0 can broadcast to a rank that never asks. The end tells what was left over."""
    def each(comm):
        if comm.rank != 1:
            broadcast(comm, torch.ones(3), 0)

    with pytest.raises(Stalled, match="the run ended with messages that nobody received") as caught:
        world.run(each)
    assert caught.value.undelivered == ["rank 0 to rank 1: 1 of its tensors"]
    assert caught.value.missing == [
        f"ranks 0, 2 made broadcast(float32[3], src=0, algorithm='binomial') at {line_of(each, 'broadcast(comm')}, "
        "collective call 1 of ranks 0-2; rank 1 made only 0"]
    check_usable(world)


def test_a_rank_that_is_far_ahead_is_told_with_its_last_call(world):
    """A broadcast of few bytes does not wait: rank 0 has forgotten its first when rank 1 still stands in its own."""
    def each(comm):
        if comm.rank == 1:
            barrier(comm)
        for _ in range(40 if comm.rank == 0 else 0):
            broadcast(comm, torch.ones(3), 0)

    with pytest.raises(Stalled) as caught:
        world.run(each, timeout_s=0.3)
    assert ("rank 0 has gone on from call 1 of ranks 0-2 to call 40, broadcast(float32[3], src=0, algorithm='binomial')"
            f" at {line_of(each, 'broadcast(comm')}") in str(caught.value)
    check_usable(world)


def test_what_a_differing_call_left_over_never_gets_into_a_later_one(world):
    """Everyone can leave the first broadcast: rank 0 sends from 0, the others from 1. Its message waits at rank 1,
    which then asks rank 0 for the second broadcast: it must get that, or nothing."""
    def each(comm):
        first, second = torch.full((3,), 70.0 + comm.rank), torch.full((3,), 80.0 + comm.rank)
        broadcast(comm, first, 0 if comm.rank == 0 else 1)
        broadcast(comm, second, 0)
        comm.report([first.tolist(), second.tolist()])

    seen = {}
    with pytest.raises(Disagreement, match="collective call 1 of ranks 0-2") as caught:
        world.run(each, on_report=lambda rank, values: seen.setdefault(rank, values))
    assert [(ranks, call) for ranks, call, _ in caught.value.calls if "broadcast" in call] == [
        ("0", "broadcast(float32[3], src=0, algorithm='binomial')"),
        ("1, 2", "broadcast(float32[3], src=1, algorithm='binomial')")]
    for rank, (first, second) in seen.items():
        assert first == [70.0 if rank == 0 else 71.0] * 3
        assert second == [80.0] * 3
    check_usable(world)


def test_a_rank_in_the_wrong_group_is_told(world):
    def each(comm):
        part = comm.split(0 if comm.rank < 2 else 1)
        all_reduce(comm if comm.rank == 1 else part, torch.ones(3))

    with pytest.raises(Stalled) as caught:
        world.run(each, timeout_s=0.3)
    assert len(caught.value.missing) == 2
    assert any("collective call 1 of ranks 0, 1; rank 1 is not in it: it is in all_reduce" in sentence
               and "(another group, its call 2)" in sentence for sentence in caught.value.missing)


def test_a_difference_in_the_thousandth_call_and_in_a_barrier(world):
    def each(comm):
        x = torch.ones(3)
        for _ in range(999):
            all_reduce(comm, x, "max")
        if comm.rank == 2:
            barrier(comm)
        all_gather(comm, x)

    with pytest.raises(Disagreement, match="collective call 1000 of ranks 0-2") as caught:
        world.run(each)
    assert [(ranks, call) for ranks, call, _ in caught.value.calls] == [
        ("0, 1", "all_gather(float32, algorithm='ring')"), ("2", "barrier()")]


def test_errors_caught_by_the_program_do_not_confuse_the_count(world):
    """A call that is refused before it begins is no call."""
    def each(comm):
        if comm.rank == 1:
            with pytest.raises(ValueError, match="op='average'"):
                all_reduce(comm, torch.ones(3), "average")
        return sums(comm)

    assert world.run(each).results == [[9.0 * j + 3 for j in range(5)]] * 3


def test_nothing_is_left_when_the_world_closes():
    me = psutil.Process()
    with ProcessWorld(3) as made:
        made.run(sums)
        before = held(me)
        for case in (("all_reduce", "ring"), ("gather", "direct")):
            check_difference(made, *case, "dtype", 1)
        check_usable(made)
        assert held(me) == before


def held(process):
    gc.collect()
    return process.num_fds(), len(process.children(recursive=True))
