"""The contract grammar: each builder lets the right run pass and refuses each wrong one for its own reason.

Every answer runs in a box, as a student's does; only strange values and counts are judged on made-up runs.
"""

import grade_toys as toys
import grade_toys_more as more
import pytest

from pslab.comm import Faults, Link
from pslab.grade import Case, CourseError, contracts
from pslab.grade.box import Box, Source

JOB = toys.job("f")
PUBLIC, HIDDEN = Case(7).of("t"), Case(7, public=False).of("t")


def small(trial):
    return trial.exact and 1 < trial.K <= 3 and trial.P < 100


def judged(judge, function, case=PUBLIC):
    with Box(Source.of_functions(f=function)) as answers:
        return judge(answers, case)


VALUES = contracts.values(JOB, otherwise="8/wrong-sum", inputs_unchanged="8/in-place", explains={"8/mean": toys.means})
RING_BYTES = contracts.traffic(JOB, total=toys.elements, more="8/whole-tensor", less="8/by-global", only=small)
PORT_BYTES = contracts.traffic(JOB, out=toys.per_rank, more="8/whole-tensor", less="8/by-global", only=small)
IN_BYTES = contracts.traffic(JOB, into=lambda t, r: contracts.exactly(4 * (t.K - 1) * t.P), more="8/whole-tensor",
                             less="8/by-global", only=small)
LINK_BYTES = contracts.traffic(
    JOB, link=lambda t, s, d: contracts.exactly(4 * (t.K - 1) * t.P if toys.right(t, s, d) else 0),
    more="8/neighbour", less="8/by-global", only=lambda t: small(t) and t.K == 3)
MESSAGES = contracts.messages(JOB, total=lambda t: contracts.exactly(t.K * (t.K - 1)), more="8/messages",
                              less="8/by-global", only=small)
OUT_MESSAGES = contracts.messages(JOB, out=lambda t, r: contracts.at_most(t.K - 1), more="8/messages",
                                  less="8/by-global", only=small)
ALLOWED = contracts.order(JOB, allowed=toys.right, misconception="8/neighbour", words="right neighbours only",
                          only=lambda t: t.exact and 1 < t.K <= 5)
SEQUENCE = contracts.order(JOB, sequence=lambda t, r: [(r + 1) % t.K] * (t.K - 1), misconception="8/neighbour",
                           words="K − 1 times to the right", only=lambda t: t.exact and 1 < t.K <= 5)
TIME = contracts.virtual_time(JOB, toys.ring_seconds, slower="8/slow", faster="8/too-fast",
                              only=lambda t: t.K == 5 and t.P > 1000)
MEMORY = contracts.memory(JOB, lambda t: 16 << 20, misconception="8/held", only=lambda t: t.K == 2 and t.P > 1000)
WORLDS = contracts.two_worlds(JOB, misconception="8/worlds", trials=1, most=2)


@pytest.mark.parametrize(("judge", "function", "seen"), [
    (VALUES, toys.ring_all_reduce, "right sum"),
    (VALUES, toys.star, "right sum"),
    (RING_BYTES, toys.ring_all_reduce, "bytes in total"),
    (PORT_BYTES, toys.ring_all_reduce, "bytes out of rank"),
    (IN_BYTES, toys.whole_tensor, "bytes into rank"),
    (LINK_BYTES, toys.whole_tensor, "bytes from rank"),
    (MESSAGES, toys.whole_tensor, "6 messages in total"),
    (OUT_MESSAGES, toys.whole_tensor, "messages out of rank"),
    (ALLOWED, toys.ring_all_reduce, "as expected"),
    (SEQUENCE, toys.whole_tensor, "as expected"),
    (TIME, toys.ring_all_reduce, "µs"),
    (MEMORY, toys.whole_tensor, "bytes held"),
    (WORLDS, toys.ring_all_reduce, "the same"),
])
def test_the_right_run_passes(judge, function, seen):
    verdict = judged(judge, function)
    assert verdict.passed, verdict
    assert seen in verdict.seen
    assert verdict.run is not None
    assert verdict.misconception is None


@pytest.mark.parametrize(("judge", "function", "misconception", "seen"), [
    (VALUES, toys.mean, "8/mean", "rank 0: element 0 is 0.5, expected 1"),
    (VALUES, more.silent, "8/wrong-sum", "element 0 is 0, expected 1"),
    (VALUES, more.one_rank, "8/wrong-sum", "rank 1: element 1 is 3, expected 5"),
    (VALUES, toys.in_place, "8/in-place", "argument 1 after comm was changed"),
    (VALUES, more.not_a_tensor, "8/wrong-sum", "rank 0: 'the sum', expected a tensor of shape (0,)"),
    (VALUES, more.wrong_shape, "8/wrong-sum", "rank 0: shape ("),
    (VALUES, more.nearly, "8/wrong-sum", "elements differ"),
    (RING_BYTES, toys.whole_tensor, "8/whole-tensor", "right sum, 1.5x the traffic of the bound"),
    (RING_BYTES, toys.mean, "8/whole-tensor", "wrong sum, 1.5x the traffic"),
    (RING_BYTES, toys.by_global, "8/by-global", "right sum, with 0 of the 8 bytes in total"),
    (PORT_BYTES, toys.star, "8/whole-tensor", "bytes out of rank 0"),
    (PORT_BYTES, more.silent, "8/by-global", "wrong sum, with 0 of the 4 bytes out of rank 0"),
    (IN_BYTES, more.silent, "8/by-global", "into rank 0"),
    (LINK_BYTES, more.neighbours_swapped, "8/by-global", "from rank 0 to rank 1"),
    (MESSAGES, more.in_pieces, "8/messages", "2.0x the messages of the bound"),
    (MESSAGES, more.silent, "8/by-global", "0 of the 2 messages"),
    (OUT_MESSAGES, more.in_pieces, "8/messages", "2 messages out of rank 0"),
    (ALLOWED, more.neighbours_swapped, "8/neighbour", "to rank 2"),
    (SEQUENCE, more.silent, "8/neighbour", "rank 0 sends to nobody; expected rank 1"),
    (SEQUENCE, more.in_pieces, "8/neighbour", "sends to rank 1, 1; expected rank 1"),
    (TIME, toys.star, "8/slow", "x the time of the bound"),
    (TIME, more.silent, "8/too-fast", "faster than can be"),
    (MEMORY, more.hoards, "8/held", "x the bound"),
    (WORLDS, more.by_process_memory, "8/worlds", "element"),
])
def test_a_wrong_run_is_refused_for_its_reason(judge, function, misconception, seen):
    verdict = judged(judge, function)
    assert not verdict.passed
    assert verdict.misconception == misconception, verdict
    assert seen in verdict.seen, verdict
    assert verdict.where
    assert verdict.run is not None


def test_the_ratio_of_a_refusal_is_seen_over_bound():
    verdict = judged(RING_BYTES, toys.whole_tensor)
    assert verdict.ratio == pytest.approx(1.5)            # K(K−1)·P against 2(K−1)·P at K = 3
    assert judged(RING_BYTES, toys.ring_all_reduce).ratio == 1.0


XS = [contracts.integers(4, 3, rank) for rank in range(3)]
MAIL = contracts.Job("f", lambda case: [contracts.Trial([(x,) for x in XS], [sum(XS), XS[1], XS[2]], 4)], "sum",
                     {"face": "mail"})


def lossy(seed):
    return Faults(seed=seed, drop=0.1, duplicate=0.3, reorder_s=1e-3)


FAULTS = contracts.faults(MAIL, lossy, misconception="8/faults", schedules=40, public_schedules=12)


def test_an_answer_that_survives_all_schedules_passes():
    verdict = judged(FAULTS, more.counts_senders)
    assert verdict.passed, verdict
    assert "each of 12 fault schedules" in verdict.expected
    assert "each of 40 fault schedules" in judged(FAULTS, more.counts_senders, HIDDEN).expected


def test_an_answer_that_only_works_in_fair_weather_is_refused_with_the_seed_that_replays_it():
    verdict = judged(FAULTS, more.counts_letters)
    assert verdict.misconception == "8/faults"
    seed = int(verdict.where.rpartition(" ")[2])
    replayed = contracts.faults(MAIL, lambda _: lossy(seed), misconception="8/faults", public_schedules=1)
    with Box(Source.of_functions(f=more.counts_letters)) as answers:
        assert not replayed(answers, PUBLIC).passed
    calm = contracts.faults(MAIL, lambda s: Faults(seed=s), misconception="8/faults", public_schedules=2)
    assert judged(calm, more.counts_letters).passed, "what refuses it is the weather"


def test_faults_may_ask_for_more_than_values():
    picky = contracts.faults(MAIL, lambda s: Faults(seed=s), misconception="8/faults", public_schedules=1,
                             holds=lambda trial, run: f"{run.ledger.messages()} messages")
    assert judged(picky, more.counts_letters).seen == "2 messages"
    with pytest.raises(ValueError, match="schedules=0"):
        contracts.faults(MAIL, lossy, misconception="8/faults", schedules=0)


def test_a_stub_and_a_crash_are_told_as_such_whatever_the_builder():
    from pslab.grade import NotYet, Raised
    for judge in (VALUES, RING_BYTES, MESSAGES, ALLOWED, TIME, MEMORY, WORLDS, FAULTS):
        with pytest.raises(NotYet):
            judged(judge, toys.stub)
    with pytest.raises(Raised, match="IndexError"):
        judged(TIME, toys.crash)


def test_time_is_measured_on_the_links_that_are_asked_for():
    slow = contracts.virtual_time(JOB, toys.ring_seconds, slower="8/slow", faster="8/too-fast",
                                  only=lambda t: t.K == 2 and t.P > 1000,
                                  link=Link(latency_s=0.0, overhead_s=1e-3, bandwidth_Bps=1e6))
    verdict = judged(slow, toys.ring_all_reduce)
    assert verdict.passed
    assert verdict.run.seconds == pytest.approx(2 * (1e-3 + 4 * 2050 / 1e6), rel=0.01)


def test_a_criterion_that_tries_nothing_is_an_error_of_the_course():
    with pytest.raises(CourseError, match="no trial is left"):
        JOB.on(PUBLIC, lambda trial: False)
    with pytest.raises(CourseError, match="no trial has a bound"):
        judged(contracts.traffic(JOB, total=lambda t: None, more="8/x", less="8/y", only=small), toys.ring_all_reduce)
    with pytest.raises(CourseError, match="one expected result for each rank"):
        judged(contracts.values(contracts.Job("f", lambda case: [contracts.Trial([()])]), otherwise="8/x"), toys.star)
    with pytest.raises(ValueError, match="no bound is given"):
        contracts.traffic(JOB, more="8/x", less="8/y")
    with pytest.raises(ValueError, match="nothing is asked"):
        contracts.order(JOB, misconception="8/x", words="")
