"""Lab 5: references against what is independent of them, beliefs that differ, judges that name what they see."""

import json
import math
import re
from functools import partial
from itertools import product

import numpy as np
import pytest
from direct_answers import Direct

from pslab import exercises
from pslab.comm import SimWorld
from pslab.exercises import lab5_choose, lab5_clocks, lab5_delay, lab5_elastic, lab5_gate, lab5_reads
from pslab.exercises.lab5_common import belief_of, profile
from pslab.exercises.lab5_programs import gated, issued
from pslab.grade import cases
from pslab.grade.judging import verdict_of
from pslab.ps import SSP, VectorClock
from pslab.ps.elastic import elastic_step, stable_alpha
from pslab.ps.history import check
from pslab.ps.vector_clock import RangeClocks
from pslab.train.timing import schedule

LAB = ("5.1", "5.2", "5.3", "5.4", "5.5", "5.6")


class Here(Direct):
    """Asked in this process; programs around an answer as well."""

    def run(self, name, world_size, *args, within, link=None, trace=True, face="tensors", timeout_s=10.0):
        return SimWorld(world_size, link=link, trace=trace).run(partial(within, self.functions[name]), *args)


def told(exercise, criterion, functions):
    found = next(c for c in exercises.get(exercise).criteria if c.name == criterion)
    public, hidden = cases(exercise, "anna", "s")
    return verdict_of(found, exercises.get(exercise), Here(functions), hidden if found.hidden else public, strict=True)


def rng_of(seed):
    return np.random.default_rng(seed)


# ---- the lab as a whole ---------------------------------------------------------------------------------------------


def test_minutes_points_difficulty_and_core_are_those_of_the_course_s_table():
    lab = exercises.lab("5")
    assert tuple(e.id for e in lab) == LAB
    assert [e.minutes for e in lab] == [20, 25, 20, 15, 15, 20]
    assert [e.points for e in lab] == [20, 25, 20, 15, 15, 20]
    assert max(e.difficulty for e in lab) == 4
    assert sum(e.minutes for e in lab if e.core) < 90
    assert sum(e.minutes for e in lab) < 150


def test_every_exercise_has_a_hidden_check_three_hints_and_bars_the_rooms_that_would_be_the_answer():
    for e in exercises.lab("5"):
        assert e.hidden == 1
        assert len(e.hints) == 3
        assert {"pslab.ps", "pslab.train"} <= set(e.forbidden)


def test_beliefs_are_named_by_all_answers_then_by_the_wrong_ones():
    believed = {"5/a": [1, 2, 9], "5/b": [1, 2, 3], "5/c": [7, 7, 7]}
    assert belief_of([1, 2, 3], [1, 2, 4], believed, "5/none") == "5/b"
    assert belief_of([1, 2, 9], [1, 5, 9], {"5/right": [1, 5, 9], "5/b": [0, 2, 0]}, "5/none") == "5/b"
    assert belief_of([1, 2, 8], [1, 2, 4], believed, "5/none") == "5/none"


# ---- 5.1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_recurrence_the_gate_and_the_kit_s_schedule_agree(seed):
    rng = rng_of(seed)
    for kind, s in product(("persistent", "transient", "mixed"), (0, 1, 3)):
        seconds = profile(rng, 4, 12, kind)
        starts, ends = lab5_gate.schedule(seconds, s)
        plan = schedule(np.array(seconds), s)
        assert (starts == plan.starts).all()
        assert (ends == plan.ends).all()
        assert lab5_gate.largest_lead(starts.tolist(), ends.tolist()) == plan.leads.max() <= s
        seen, = gated(lab5_gate.may_begin, None, [(seconds, s)])
        assert (seen["starts"], seen["ends"]) == (starts.tolist(), ends.tolist())


def test_a_bound_is_reached_and_commits_may_be_one_more_apart():
    seconds = profile(rng_of(0), 3, 12, "persistent")
    for s in (0, 1, 2, 4):
        starts, ends = lab5_gate.schedule(seconds, s)
        assert lab5_gate.largest_lead(starts.tolist(), ends.tolist()) == s
        commits = [[int(np.searchsorted(own, at, side="right")) for own in ends] for at in ends.ravel()]
        assert max(max(now) - min(now) for now in commits) == s + 1


def test_zero_is_the_only_staleness_that_is_bsp_bit_for_bit():
    seconds = profile(rng_of(1), 4, 10, "mixed")
    ends = [gated(lab5_gate.may_begin, None, [(seconds, s)])[0]["w"] for s in (0, 1, 5)]
    assert [w == lab5_gate.in_rounds(4, 10) for w in ends] == [True, False, False]


def test_every_gate_that_is_believed_makes_another_schedule():
    seconds = [profile(rng_of(seed), 4, 14, kind) for seed in range(3) for kind in ("persistent", "transient", "mixed")]
    jobs = [(ms, s) for ms in seconds for s in (0, 1, 3)]
    made = {name: str([run["starts"] for run in gated(gate, None, jobs)]) for name, gate in lab5_gate.BELIEFS.items()}
    made["right"] = str([run["starts"] for run in gated(lab5_gate.may_begin, None, jobs)])
    assert len(set(made.values())) == len(made)


def test_counting_the_own_clock_is_a_deadlock_at_zero_and_one_less_above():
    seconds = profile(rng_of(2), 3, 9, "transient")
    stuck, at_three = gated(lab5_gate.BELIEFS["5/own-clock-counts"], None, [(seconds, 0), (seconds, 3)])
    assert stuck["stuck"]
    assert stuck["commits"] == [0, 0, 0]
    assert at_three["starts"] == lab5_gate.schedule(seconds, 2)[0].tolist()


@pytest.mark.parametrize("gate", ["5/one-too-tight", "5/one-too-loose", "5/spread-of-commits", "5/really-bsp"])
def test_the_clock_server_s_run_names_the_gate(gate):
    verdict = told("5.1", "three workers and a clock server", {"may_begin": lab5_gate.BELIEFS[gate]})
    assert (verdict.passed, verdict.misconception) == (False, gate)


# ---- 5.2 ------------------------------------------------------------------------------------------------------------


def test_a_row_in_64_clocks_is_pulled_as_often_as_the_contract_says():
    pulls = [len(lab5_reads.simulated(lab5_reads.hot_row(s))[-1]["pulls"]) for s in range(4)]
    assert pulls == [64, 32, 22, 16] == [math.ceil(64 / (s + 1)) for s in range(4)]


def test_the_history_of_the_reference_keeps_every_promise_and_of_each_slip_breaks_one_or_pulls_more():
    plan, marks = lab5_reads.mixed(rng_of(0), 2, kind="persistent")
    right = lab5_reads.simulated(plan)
    found = check(lab5_reads.history_of(right, plan, marks), SSP(2), own=True)
    assert found == []
    assert found.facts["bound"] > 100
    assert found.lag == 2, "reads are as old as they may be"
    broken = {}
    for slip in lab5_reads.SLIPS:
        results = lab5_reads.simulated(plan, slip)
        rules = check(lab5_reads.history_of(results, plan, marks), SSP(2), own=True).rules
        broken[slip] = rules or len(results[-1]["pulls"]) > len(right[-1]["pulls"])
    assert all(broken.values()), broken
    assert broken["5/own-updates-missing"] == {"own"}
    assert broken["5/age-of-the-pull"] == {"bound"}


# ---- 5.3 ------------------------------------------------------------------------------------------------------------


def test_clocks_are_those_of_the_kit():
    for a, b in lab5_clocks.pairs(rng_of(0)):
        ours, theirs = VectorClock(a), VectorClock(b)
        assert lab5_clocks.merge(a, b) == dict(ours.merge(theirs))
        assert lab5_clocks.holds(a, b) == (theirs <= ours)
        assert lab5_clocks.concurrent(a, b) == ours.concurrent(theirs)
    for kinds, right in ((lab5_clocks.HOLDS, lab5_clocks.holds), (lab5_clocks.CONCURRENT, lab5_clocks.concurrent),
                         (lab5_clocks.MERGES, lab5_clocks.merge)):
        made = {name: str([belief(*pair) for pair in lab5_clocks.pairs(rng_of(0))])
                for name, belief in {**kinds, "right": right}.items()}
        assert len(set(made.values())) == len(made)


def test_pushes_hold_late_news_single_keys_and_the_whole_table():
    pushes = [push for seed in range(4) for push in lab5_clocks.some_pushes(rng_of(seed), 14)]
    assert any(hi - lo == 1 for lo, hi, *_ in pushes)
    assert any((lo, hi) == (0, lab5_clocks.KEYS) for lo, hi, *_ in pushes)
    held = RangeClocks(0, lab5_clocks.KEYS)
    late = 0
    for lo, hi, worker, clock in lab5_clocks.some_pushes(rng_of(0), 40):
        late += any(held.at(key).get(worker, 0) > clock for key in range(lo, hi))
        before = len(held)
        held.push(lo, hi, worker, clock)
        assert len(held) <= before + 2
    assert late


# ---- 5.4 ------------------------------------------------------------------------------------------------------------


def test_the_recurrence_of_bounded_delay_is_what_the_rule_gives_and_ssp_is_another_one():
    jobs = [lab5_delay.SHIPPED, ([[10, 10, 10, 10]], [[50, 1, 1, 1]], 2)]
    for job, seen in zip(jobs, issued(lab5_delay.may_issue, None, jobs)):
        assert seen["starts"] == lab5_delay.starts_of(*job)
    assert lab5_delay.starts_of(*jobs[1]) == [[0, 10, 20, 60]]
    quick, _ = lab5_delay.starts_of(*lab5_delay.SHIPPED)
    assert quick[-1] + 10 < lab5_delay.ssp_end(lab5_delay.SHIPPED)


def test_situations_tell_every_belief_apart():
    asked = lab5_delay.situations(cases("5.4")[0].of("one decision at a time").rng)
    made = {name: str([rule(*question) for question in asked])
            for name, rule in {**lab5_delay.BELIEFS, "right": lab5_delay.may_issue}.items()}
    assert len(set(made.values())) == len(made)
    assert 0.2 < np.mean([lab5_delay.may_issue(*question) for question in asked]) < 0.9


# ---- 5.5 ------------------------------------------------------------------------------------------------------------


def test_the_exchange_and_the_limit_are_those_of_the_kit():
    for locals_, centre, alpha in lab5_elastic._states(rng_of(0)):
        for ours, theirs in zip(lab5_elastic.easgd_step(locals_, centre, alpha), elastic_step(locals_, centre, alpha)):
            assert np.array_equal(ours, theirs)
        if len(locals_) > 1:
            made = {name: str(step(locals_, centre, alpha)) for name, step in lab5_elastic.STEPS.items()}
            assert len(set(made.values())) == len(made)
    for K in (1, 2, 9):
        assert lab5_elastic.alpha_limit(K) == stable_alpha(K)
        assert lab5_elastic._gap_after(K, 0.98 * stable_alpha(K)) < 1e-6
        assert lab5_elastic._gap_after(K, 1.02 * stable_alpha(K)) > 1e6


# ---- 5.6 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("group", [0, 1, 2])
@pytest.mark.parametrize("place", [0, *(pytest.param(place, marks=pytest.mark.long) for place in range(1, 8))])
def test_profiles_of_stragglers_are_clear_cut(group, place):
    times = lab5_choose.curve("transient", *lab5_choose.TRANSIENT[group][place])
    assert lab5_choose.clear_cut(times)
    assert lab5_choose.least_good(times) in ((1, 2), (3,), (4, 5))[group]
    assert times[-1] == math.inf or times[-1] > 1.2 * min(times)


def test_against_a_persistent_straggler_no_s_is_ten_per_cent_better_than_zero():
    for K, times_slower in ((3, 2), (5, 5)):
        times = lab5_choose.curve("persistent", K, 1, times_slower)
        assert min(times) > times[0] / 1.1
        assert lab5_choose.least_good(times) == 0


def test_runs_are_counted_and_a_search_without_end_is_stopped():
    verdict = told("5.6", "at most twelve runs", {"choose_s": lambda simulate, largest: [simulate(9) for _ in range(13)]
                                                  and 3})
    assert (verdict.misconception, verdict.seen) == ("5/too-many-runs", "13")


# ---- the notebook ---------------------------------------------------------------------------------------------------


def cells(repo_root, folder):
    stored = json.loads((repo_root / folder / "lab_05_staleness.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_s_training_and_cluster_are_the_grader_s(repo_root):
    texts = {"".join(cell["source"]) for cell in cells(repo_root, "solutions")}
    names = {"np": np, "math": math}
    for start in ("import heapq", "def clocked"):
        exec(next(text for text in texts if text.startswith(start)), names)
    ms = lab5_choose.transient_ms(4, 0.15, 4, 749)
    for s in (0, 3, 12):
        ours, theirs = names["trained"](ms, s), lab5_choose.trained(ms, s)
        assert ours["to_target_ms"] == theirs["to_target_ms"]
        assert ours["iterations_per_s"] == pytest.approx(theirs["iterations_per_s"])
    seconds = profile(rng_of(0), 3, 8)
    run = SimWorld(4, link=lab5_gate.LINK, trace=False).run(names["clocked"], lab5_gate.may_begin, seconds, 2)
    assert round(1e3 * run.seconds) == lab5_gate.schedule(seconds, 2)[1].max()


def test_what_a_prediction_is_about_is_not_shown_in_the_students_copy(repo_root):
    shown = [cell for cell in cells(repo_root, "labs")
             if re.search(r"^_ = reveal\(", "".join(cell["source"]), re.MULTILINE)]
    assert len(shown) == 2
    assert not any(cell["outputs"] for cell in shown)


def test_an_untouched_lab_says_not_yet(repo_root):
    checks = [cell for cell in cells(repo_root, "labs") if "check" in cell["metadata"].get("pslab", {})]
    said = ["".join(line for out in cell["outputs"] for line in out.get("text", "")).strip() for cell in checks]
    assert said == [f"{exercise}: not yet" for exercise in LAB]
