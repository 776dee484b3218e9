"""Who computes when: the clock rule against a simulation event by event, staleness against a count, what s can hide."""

import heapq
import math

import numpy as np
import pytest

from pslab.train import AdaptiveStaleness, Pace, backup_rounds, schedule

PACES = {"equal": Pace.equal(1.0), "exponential": Pace.exponential(1.0, seed=3),
         "persistent": Pace.persistent(1.0, rank=2, factor=4), "transient": Pace.transient(1.0, 0.1, 5, seed=2)}


def event_by_event(seconds, s):
    """The rule as told: a worker begins when nobody is more than s steps behind; (starts, ends, staleness)."""
    K, T = seconds.shape
    done, applied, now, queue = [0] * K, 0, 0.0, []
    starts, ends, stale, read_at = np.zeros((K, T)), np.zeros((K, T)), np.zeros((K, T), int), [0] * K
    waiting = []

    def begin(r):
        c = done[r]
        starts[r, c], read_at[r] = now, applied
        heapq.heappush(queue, (now + seconds[r, c], r))

    for r in range(K):
        begin(r)
    while queue:
        now, r = heapq.heappop(queue)
        c = done[r]
        ends[r, c], stale[r, c] = now, applied - read_at[r]
        applied, done[r] = applied + 1, c + 1
        if done[r] < T:
            waiting.append(r)
        # Whoever does not wait reads at once; who waits reads when all updates of this moment are in.
        if r in waiting and min(done) > done[r] - s:
            waiting.remove(r)
            begin(r)
        if not queue or queue[0][0] > now:
            for r in [r for r in waiting if min(done) >= done[r] - s]:
                waiting.remove(r)
                begin(r)
    return starts, ends, stale


@pytest.mark.parametrize("name", PACES)
@pytest.mark.parametrize("s", [0, 1, 3, math.inf])
def test_times_are_those_of_the_rule(name, s):
    seconds = PACES[name].table(5, 40)
    starts, ends, stale = event_by_event(seconds, s)
    plan = schedule(seconds, s)
    assert np.array_equal(plan.starts, starts)
    assert np.array_equal(plan.ends, ends)
    assert plan.makespan_s == ends.max()
    if s and name == "exponential":             # no two at one moment: the order is not a matter of taste
        assert np.array_equal(plan.staleness, stale)
    if s == 0:
        assert not plan.staleness.any()


def test_leads_at_a_start_keep_the_bound_and_reach_it():
    for s in (0, 1, 2, 5):
        for name in ("exponential", "persistent", "transient"):
            assert schedule(PACES[name].table(6, 60), s).leads.max() == s
    assert schedule(PACES["persistent"].table(6, 60), math.inf).leads.max() > 5


def test_a_persistent_straggler_gives_the_makespan_of_bsp_for_every_finite_s():
    seconds = Pace.persistent(1.0, rank=2, factor=4).table(8, 200)
    assert [schedule(seconds, s).makespan_s for s in (0, 1, 2, 4, 8)] == [800.0] * 5


def test_transient_stragglers_are_hidden_step_by_step():
    seconds = Pace.transient(1.0, probability=0.1, factor=5, seed=2).table(8, 200)
    spans = [schedule(seconds, s).makespan_s for s in (0, 1, 2, 4, 8, math.inf)]
    assert spans[0] == seconds.max(axis=0).sum()                    # every round waits for its slowest
    assert spans[-1] == seconds.sum(axis=1).max()                   # nobody waits: the unluckiest worker's own time
    assert [round(spans[0] / span, 2) for span in spans] == [1.0, 1.41, 1.66, 1.9, 2.04, 2.14]


def test_a_worker_waits_between_its_steps_and_nowhere_else():
    plan = schedule(PACES["exponential"].table(4, 30), 1)
    assert (plan.waits_s >= 0).all()
    assert np.allclose(plan.waits_s.sum(axis=1) + PACES["exponential"].table(4, 30).sum(axis=1), plan.ends[:, -1])
    assert schedule(PACES["exponential"].table(4, 30), math.inf).waits_s.max() == 0


def test_one_worker_and_no_steps():
    plan = schedule(np.ones((1, 5)), 0)
    assert plan.makespan_s == 5
    assert schedule(np.ones((1, 5)), math.inf).staleness.tolist() == [[0] * 5]
    assert schedule(np.zeros((3, 0)), 2).makespan_s == 0


# ---- backup workers -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("backup", [0, 1, 3])
def test_a_round_with_backup_workers_takes_the_order_statistic(backup):
    seconds = PACES["exponential"].table(6, 50)
    took, used = backup_rounds(seconds, backup)
    assert np.allclose(took, np.sort(seconds, axis=0)[5 - backup], rtol=1e-12)
    assert (used.sum(axis=0) == 6 - backup).all()
    assert np.allclose(np.where(used, seconds, 0).max(axis=0), took, rtol=1e-12)
    assert (np.where(used, np.inf, seconds).min(axis=0) >= took - 1e-9).all()


def test_late_workers_that_finish_join_the_open_round():
    # worker 1 needs 5 s for round 0, which closes at 1; rounds 1 and 2 close at 2 and 3 without it; it joins round 5
    seconds = np.ones((2, 8))
    seconds[1, 0] = 5.0
    took, used = backup_rounds(seconds, 1, finish=True)
    assert took.tolist() == [1.0] * 8
    assert used[0].tolist() == [True] * 8
    seconds[0, 5] = 3.0                             # and there it is the faster one
    took, used = backup_rounds(seconds, 1, finish=True)
    assert took.tolist() == [1.0] * 8
    assert used[:, 5].tolist() == [False, True]
    assert used[:, 6:].tolist() == [[False, False], [True, True]]
    assert np.array_equal(backup_rounds(PACES["exponential"].table(6, 50), 0, finish=True)[0],
                          backup_rounds(PACES["exponential"].table(6, 50), 0)[0])


def test_equal_times_leave_the_lower_ranks_in():
    assert backup_rounds(np.ones((4, 1)), 1)[1][:, 0].tolist() == [True, True, True, False]


# ---- adaptive -----------------------------------------------------------------------------------------------------

def chosen(pace, K=8, T=600, **options):
    choosers = [AdaptiveStaleness(**options) for _ in range(K)]
    return choosers, schedule(pace.table(K, T), choosers)


def test_adaptive_staleness_rises_where_stragglers_are_transient():
    pace = Pace.transient(1.0, 0.1, 5, seed=2)
    choosers, plan = chosen(pace)
    assert all(chooser.staleness >= 4 for chooser in choosers)
    seconds = pace.table(8, 600)
    assert schedule(seconds, 8).makespan_s <= plan.makespan_s < 0.62 * schedule(seconds, 0).makespan_s


def test_adaptive_staleness_falls_back_where_the_straggler_is_persistent():
    choosers, plan = chosen(Pace.persistent(1.0, rank=2, factor=4))
    assert [chooser.staleness for chooser in choosers] == [0] * 8
    assert [chooser.settled for chooser in choosers] == [True, True, False, True, True, True, True, True]
    assert plan.makespan_s == 2400


def test_every_option_of_adaptive_staleness_counts():
    transient, persistent = Pace.transient(1.0, 0.1, 5, seed=2), Pace.persistent(1.0, rank=2, factor=4)
    assert max(c.staleness for c in chosen(transient, most=2)[0]) == 2
    assert min(c.staleness for c in chosen(persistent, least=1)[0]) == 1
    assert {c.staleness for c in chosen(transient, bearable=1.0)[0]} == {0}
    assert chosen(persistent, helped=1.0)[0][0].staleness == 8
    assert len(chosen(transient, window=100)[0][0].shares) == 6
    assert [s for s, _ in chosen(transient, window=100)[0][0].shares] != [0] * 6


@pytest.mark.parametrize(("call", "words"), [
    (lambda: schedule(np.ones((2, 3)), -1), "staleness=-1"),
    (lambda: schedule(np.ones((2, 3)), 1.5), "staleness=1.5"),
    (lambda: schedule(np.ones((2, 3)), True), "staleness=True"),
    (lambda: schedule(np.ones((2, 3)), [AdaptiveStaleness()]), "one for each of 2 workers"),
    (lambda: schedule(np.ones(3), 0), "seconds has shape"),
    (lambda: schedule(-np.ones((2, 3)), 0), "seconds has shape"),
    (lambda: backup_rounds(np.ones((2, 3)), 2), "backup=2"),
    (lambda: AdaptiveStaleness(least=3, most=2), "most=2"),
    (lambda: AdaptiveStaleness(window=0), "window=0"),
    (lambda: AdaptiveStaleness(helped=2), "helped=2"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
