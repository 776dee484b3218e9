"""Ranks whose collective calls differ, or of which one does not come: who called what, where, in every world's words.

    rank 0   all_reduce(x, "sum")     usual line        Disagreement: rank 1 asked for another op, here and there
    rank 1   all_reduce(x, "max")     odd line
    rank 2   recv(0)                                    Deadlock: ranks 0, 1 wait in all_reduce, rank 2 is not in it
"""

import re

import pytest
import torch
from collectives_calls import CASES, differences, line_of, odd_call
from collectives_programs import SIZED, absent, build, ends, looks_for_mail, program, receives

from pslab.collectives import all_gather, all_reduce, all_reduce_fused, barrier
from pslab.comm import Deadlock, Disagreement, SimWorld, Stalled, agree
from pslab.comm.calls import KEPT, CallLog

IDS = ["-".join(case) for case in CASES]


def check_told(error, K, odd_rank, usual_words, odd_words):
    """The error's rows: the odd rank's call and line, the others' call and line, each rank once."""
    rows = {rank: row for row in error.calls for rank in numbers(row[0])}
    assert sorted(rows) == list(range(K))
    for rank, (_, call, where) in rows.items():
        assert (odd_words if rank == odd_rank else usual_words) in call
        assert where == line_of(program, "# the odd line" if rank == odd_rank else "# the usual line")


def numbers(text):
    """0-2, 5 as ranks."""
    for part in text.split(", "):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


@pytest.mark.parametrize(("name", "algorithm"), CASES, ids=IDS)
@pytest.mark.parametrize("K", [2, 3])
def test_every_difference_is_told_with_ranks_calls_and_lines(name, algorithm, K):
    usual = build(name, algorithm, **({"groups": 2} if algorithm == "hierarchical" else {}))
    for what, (changes, usual_words, odd_words) in differences(name, algorithm).items():
        if what == "groups" and K != 3:
            continue
        for odd_rank in range(K):
            with pytest.raises(Disagreement, match="ranks disagree: collective call 1 of ranks 0") as caught:
                SimWorld(K, trace=False).run(program, usual, odd_call(name, algorithm, changes), odd_rank)
            check_told(caught.value, K, odd_rank, usual_words, odd_words)
            assert isinstance(caught.value, ValueError), "what differs is bad input too"
            assert isinstance(caught.value, Stalled)


@pytest.mark.parametrize(("name", "algorithm"), CASES, ids=IDS)
def test_equal_calls_agree_whatever_may_differ(name, algorithm):
    """Views, NumPy arrays beside tensors, shapes of equal length, written-out defaults: no difference."""
    def each(comm):
        call, x = build(name, "auto" if comm.rank == 1 and algorithm == "ring" else algorithm)(comm)
        if comm.rank == 1 and isinstance(x, torch.Tensor):
            x = x.numpy()
        if comm.rank == 2 and name in SIZED:
            x = x.reshape(7, 1)
        call(comm, x)

    SimWorld(3).run(each)


def test_written_out_defaults_are_no_difference():
    def each(comm):
        x = torch.ones(7)
        all_reduce(comm, x, algorithm="chunked_ring", **({"chunks": 4} if comm.rank else {}))
        all_reduce(comm, x, algorithm="halving_doubling", **({"partner": "near"} if comm.rank else {}))
        all_reduce(comm, x, algorithm="hierarchical", groups=2 if comm.rank else [[0, 1], [2]])
        all_gather(comm, torch.ones(comm.rank))
        return x[0].item()

    assert SimWorld(3).run(each).results == [27.0] * 3


# ---- a rank that does not come --------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "algorithm"), CASES, ids=IDS)
@pytest.mark.parametrize(("does", "words"), [
    (ends, "it has finished"), (receives, r"it is in recv\(src=\d, tag=3\) at collectives_programs.py:\d+ in receives"),
    (looks_for_mail, r"it is in poll\(\) at collectives_programs.py:\d+ in looks_for_mail")])
def test_a_missing_rank_is_named_with_what_it_does(name, algorithm, does, words):
    for K in (2, 3):
        for missing_rank in range(K):
            with pytest.raises(Deadlock) as caught:
                SimWorld(K, trace=False).run(absent, build(name, algorithm), missing_rank, does)
            sentence, = caught.value.missing
            assert re.search(rf"rank {missing_rank} is not in it: {words}$", sentence)
            assert f" in {name}(" in sentence
            assert f"at {line_of(absent, '# the usual line')}, collective call 1 of ranks 0" in sentence
            assert sentence in str(caught.value)
            for wait in caught.value.waits:
                if wait.rank != missing_rank:
                    assert wait.call.startswith(f"{name}(")
                    assert wait.where == line_of(absent, "# the usual line")
                    assert re.match(r"in (recv|isend)\(", wait.note)


def test_ranks_in_different_groups_are_told_which():
    def each(comm):
        part = comm.split(0 if comm.rank < 2 else 1)
        x = torch.ones(3)
        if comm.rank == 1:
            all_reduce(comm, x)
        else:
            all_reduce(part, x)

    with pytest.raises(Deadlock) as caught:
        SimWorld(4).run(each)
    whole, part = sorted(caught.value.missing)
    assert "rank 0 waits in all_reduce" in whole
    assert "collective call 1 of ranks 0, 1; rank 1 is not in it: it is in all_reduce" in whole
    assert "rank 1 waits in all_reduce" in part
    assert "collective call 2 of ranks 0-3; rank 0 is not in it: it is in all_reduce" in part
    assert "(another group, its call 1)" in part
    assert "rank 2 is not in it: it has finished" in part


def test_swapped_order_in_a_subgroup_names_world_ranks():
    def each(comm):
        part = comm.split(int(comm.rank == 0))
        x = torch.ones(2)
        all_reduce(part, x)
        for call in (all_gather, barrier) if comm.rank != 3 else (barrier, all_gather):
            call(*(part, x)[:1 + (call is all_gather)])

    with pytest.raises(Disagreement, match="collective call 2 of ranks 1-3 is not the same") as caught:
        SimWorld(4).run(each)
    assert [(ranks, call) for ranks, call, _ in caught.value.calls] == [
        ("1, 2", "all_gather(float32, algorithm='ring')"), ("3", "barrier()")]


# ---- the log and its tags, alone ------------------------------------------------------------------------------------

def tags(calls, ctx=0):
    log = CallLog(range(3), ctx)
    return [log.note(*call) for call in calls]


SUM = ("all_reduce", torch.float32, 7, "sum", "ring", None, None, None)


def test_tags_are_equal_for_equal_calls_and_for_no_others():
    assert tags([SUM, SUM]) == tags([SUM, SUM])
    assert len(set(tags([SUM] * 50))) == 50
    other = [(*SUM[:place], change, *SUM[place + 1:]) for place, change in enumerate(
        ("reduce_scatter", torch.float64, 8, "max", "binomial", 2, ((0, 1), (2,)), "far")) if place]
    assert len({tags([call])[0] for call in [SUM, *other]}) == 1 + len(other)
    assert tags([SUM], ctx=1) != tags([SUM])


def test_lengths_alone_never_have_equal_tags():
    lengths = {*range(2000), *(2**k + d for k in range(12, 31) for d in (-1, 0, 1))}
    assert len({tags([(*SUM[:2], size, *SUM[3:])])[0] for size in lengths}) == len(lengths)


def test_a_users_tag_is_no_collectives_tag():
    with pytest.raises(ValueError, match=r"tag=2147483648; a number from 0 to 2147483647"):
        SimWorld(2).run(lambda comm: comm.send(torch.ones(1), 1 - comm.rank, tag=2**31))

    def each(comm):                                                      # once reserved for collectives
        work = comm.isend(torch.ones(1), 1 - comm.rank, tag=2_000_000_004)
        x = torch.ones(1)
        all_reduce(comm, x)
        comm.recv(1 - comm.rank, tag=2_000_000_004)
        work.wait()
        return x.item()

    assert SimWorld(2).run(each).results == [2.0, 2.0]


def said(*logs):
    return {rank: agree.told({0: log}) for rank, log in enumerate(logs)}


def logged(*calls, members=(0, 1, 2)):
    log = CallLog(members, 0)
    for call in calls:
        log.note(*call)
    return log


def test_the_first_call_that_differs_is_told():
    wrong = (*SUM[:3], "max", *SUM[4:])
    error = agree.differing(said(logged(SUM, SUM, wrong, SUM), logged(SUM, wrong, SUM), logged(SUM)))
    assert "collective call 2 of ranks 0-2" in str(error)
    assert [(ranks, call.split(", ")[1].split(",")[0]) for ranks, call, _ in error.calls[:2]] == [
        ("0", "op='sum'"), ("1", "op='max'")]
    assert error.calls[2] == ("2", "(not in it)", "has finished")
    assert agree.differing(said(logged(SUM), logged(SUM, SUM), logged())) is None


def test_a_log_forgets_and_forgotten_calls_are_no_difference():
    wrong = (*SUM[:3], "max", *SUM[4:])
    late, early = logged(SUM), logged(wrong, *[SUM] * KEPT)
    assert len(early.calls()) == KEPT
    assert early.calls()[0][0] == 2
    assert agree.differing(said(late, early, logged())) is None
    tag = early.note(*SUM)
    assert early.find(tag) == KEPT + 2
    assert early.find(tag - KEPT) == 0                                   # forgotten
    assert early.find(tag + 1) == 0                                      # not made yet
    assert early.find(5) == 0


def test_where_nobody_waits_unequally_many_calls_are_told():
    ahead = logged(*[SUM] * (KEPT + 4))
    two, one = logged(SUM, SUM), logged(SUM)
    assert agree.missing(said(two, one, two), []) == [
        f"ranks 0, 2 made {two.text(2)} at {two.calls()[1][2]}, collective call 2 of ranks 0-2; rank 1 made only 1"]
    sentence, = agree.missing(said(ahead, logged(SUM), ahead), [])       # call 2 is forgotten: the last one instead
    assert sentence.startswith("rank 0 made all_reduce(")
    assert sentence.endswith(f"collective call {KEPT + 4} of ranks 0-2; rank 1 made only 1")
    assert agree.missing(said(logged(SUM), logged(SUM), logged(SUM)), []) == []


def test_a_call_of_600_ranks_is_told_in_few_rows():
    def each(comm):
        if comm.rank == 500:
            all_reduce(comm, torch.ones(3), "max")
        else:
            all_reduce(comm, torch.ones(3))

    with pytest.raises(Disagreement) as caught:
        SimWorld(600, trace=False).run(each)
    assert [ranks for ranks, _, _ in caught.value.calls] == ["0-499, 501-599", "500"]
    assert len(str(caught.value).splitlines()) == 5


def test_the_line_is_the_programs_also_where_the_kit_makes_the_call():
    def each(comm):
        tensors = [torch.ones(3), torch.ones(4)]
        if comm.rank == 1:
            all_reduce_fused(comm, tensors, "max")                       # the odd line
        else:
            all_reduce_fused(comm, tensors, "sum")                       # the usual line

    with pytest.raises(Disagreement) as caught:
        SimWorld(2).run(each)
    assert [where for *_, where in caught.value.calls] == [line_of(each, "# the usual line"),
                                                           line_of(each, "# the odd line")]
