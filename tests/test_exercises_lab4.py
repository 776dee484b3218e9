"""Lab 4: references against what is independent of them, slips that differ, judges that name what they see."""

import json
import math
import re

import numpy as np
import pytest
import torch

from pslab import collectives, exercises
from pslab.comm import SimWorld
from pslab.exercises import lab4_asp, lab4_backup, lab4_bsp, lab4_rate, lab4_rounds, lab4_slow, lab4_staleness
from pslab.exercises.lab4_common import SENTENCES, job, speeds
from pslab.grade import Case, cases
from pslab.grade.failures import Stalled
from pslab.grade.judging import judge, verdict_of
from pslab.train.stale import law_of_updates, stable_rate_by_experiment

LAB = ("4.1", "4.2", "4.3", "4.4", "4.5", "4.6")
FIRST = {"4.1": "right_dict", "4.2": "right_following", "4.3": "right_counter", "4.4": "right_formula",
         "4.5": "right_dict", "4.6": "right_medians"}


class Here:
    """The course's own functions, asked in this process."""

    def __init__(self, functions: dict):
        self.functions = functions

    def call(self, name, *args, timeout_s=10.0):
        return self.functions[name](*args)

    def run(self, name, world_size, *, per_rank, within, face, link, trace=True, faults=None, seed=0):
        assert face == "mail"
        world = SimWorld(world_size, link=link, faults=faults, seed=seed, trace=trace)
        return world.run(lambda comm, *mine: within(self.functions[name], comm, *mine), per_rank=per_rank)


@pytest.fixture(scope="module")
def shipped(repo_root):
    """shipped("4.1") -> the functions of a right answer, or of the one named."""
    def load(exercise, name=None):
        folder = repo_root / "tests" / "answers" / "lab4" / f"ex_{exercise.replace('.', '_')}"
        namespace = {}
        exec((folder / f"{name or FIRST[exercise]}.py").read_text(encoding="utf-8"), namespace)
        return namespace
    return load


def rng_of(seed):
    return np.random.default_rng(seed)


# ---- the lab as a whole ---------------------------------------------------------------------------------------------


def test_points_minutes_and_core_are_those_of_the_course():
    table = {e.id: (e.points, e.minutes, e.core) for e in exercises.lab("4")}
    assert table == {"4.1": (20, 20, True), "4.2": (10, 10, True), "4.3": (20, 20, True), "4.4": (20, 20, True),
                     "4.5": (25, 25, False), "4.6": (10, 10, False)}
    assert max(e.difficulty for e in exercises.lab("4")) == 3
    assert sum(minutes for _, minutes, core in table.values() if core) < 90
    assert sum(minutes for _, minutes, _ in table.values()) < 150


def test_every_exercise_has_a_hidden_check_and_bars_the_rooms_that_would_be_the_answer():
    for e in exercises.lab("4"):
        assert e.hidden == 1
        assert len(e.hints) == 3
        assert {"pslab.ps", "pslab.train"} <= set(e.forbidden)
        assert all(SENTENCES.get(m.id, m.sentence) == m.sentence for m in e.misconceptions)
    assert "pslab.collectives" in exercises.get("4.4").forbidden


def test_the_notebook_tells_points_minutes_and_titles_as_they_are(repo_root):
    text = (repo_root / "solutions" / "src" / "lab_04_sync_async.py").read_text(encoding="utf-8")
    for e in exercises.lab("4"):
        core = "core" if e.core else "optional"
        assert f"# | {e.id} | {e.title} | {e.points} | {e.minutes} | {core} |" in text
        assert f"## {e.id} {e.title}\n#\n# *{e.points} points · {e.minutes} minutes · {core}*" in text
        assert f'check("{e.id}", {", ".join(e.names)})' in text


@pytest.mark.parametrize(("exercise", "student"), [
    (exercise, "anna") if exercise in ("4.3", "4.4", "4.6") and student == "anna" else
    pytest.param(exercise, student, marks=pytest.mark.long)
    for exercise in LAB for student in ("anna", "boris", "cleo")])
def test_right_answers_pass_whatever_the_student_s_seed(shipped, exercise, student):
    report = judge(exercises.get(exercise), Here(shipped(exercise)), *cases(exercise, student, "s"), strict=True)
    assert report.passed, report.first_failure


# ---- rounds: 4.1 and 4.5 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", [1, 2, 5])
def test_the_reference_ends_where_one_process_ends(K):
    group = job(rng_of(K), speeds(rng_of(1), K, 6))
    run = lab4_rounds.simulated([group])
    w = group["w"].double().numpy()
    for at in range(6):
        w = w - group["lr"] * np.mean([w - target[at] for target in group["targets"].double().numpy()], axis=0)
    assert run.results[K]["value"][0].tolist() == w.tolist()
    assert torch.equal(lab4_rounds.sequential(group), run.results[K]["value"][0])


class Recorded(Here):
    """Keeps the groups of each run that a judge asks for."""

    def run(self, name, world_size, *, per_rank, **settings):
        self.asked = [job for rank, (job, first) in enumerate(per_rank) if rank == first]
        return super().run(name, world_size, per_rank=per_rank, **settings)


@pytest.mark.parametrize(("exercise", "scene", "ways"), [
    ("4.1", lab4_bsp.plain, lab4_bsp.PLAIN), ("4.1", lab4_bsp.twice, lab4_bsp.TWICE),
    ("4.1", lab4_bsp.late, lab4_bsp.LATE), ("4.5", lab4_backup.never_there, lab4_backup.PLAIN),
    ("4.5", lab4_backup.late_pushes, lab4_backup.LATE), ("4.5", lab4_backup.copies, lab4_backup.COPIES)])
def test_every_slip_of_a_server_shows_in_its_scene(shipped, exercise, scene, ways):
    answers = Recorded(shipped(exercise))
    assert scene(answers, Case(3)).passed
    right = lab4_rounds.simulated(answers.asked)
    for why, tried in ways.items():
        for way in tried:
            slip = lab4_rounds.simulated(answers.asked, way)
            assert slip is None or lab4_rounds.unlike(answers.asked, slip, right) is not None, (why, way)


def test_a_late_gradient_is_pushed_and_dropped_as_often_as_the_times_say():
    """Two workers of 3 ms and one of 5 ms, b = 1: its push of round r comes 5 ms after its round began, 2 later."""
    group = job(rng_of(0), np.array([[3e-3] * 10, [3.1e-3] * 10, [5e-3] * 10]), 1)
    run = lab4_rounds.simulated([group], link=lab4_backup.AT_ONCE)
    begun = 3.1e-3 * np.arange(10)
    assert run.results[0]["begun"] == pytest.approx(begun.tolist())
    assert run.results[3]["value"][1] == {0: 0, 1: 0, 2: int((begun + 5e-3 < 31e-3).sum())}


def test_counts_of_dropped_pushes_are_read_strictly():
    group = job(rng_of(0), speeds(rng_of(0), 3, 2), 1)
    run = lab4_rounds.simulated([group])
    value = run.results[3]["value"]
    for said in (value[0], [value[0], 1], [value[0], {5: 1}], [value[0], {0: 0.5}]):
        run.results[3]["value"] = said
        assert lab4_backup.counted(run, [group], "").misconception == "all/bad-value"


# ---- 4.2 ------------------------------------------------------------------------------------------------------------


def test_every_slip_of_an_asynchronous_server_shows():
    seconds = np.array([[2.0, 3.0, 2.6, 2.2], [9.0, 8.0, 4.0, 9.5], [5.0, 9.2, 9.1, 5.6]]) * 1e-3
    jobs = [lab4_asp.work(rng_of(0), seconds, copies=[(0, 0, 1.5e-3), (0, 1, 9e-3), (1, 1, 0.5e-3)])]
    right = lab4_asp.simulated(jobs)
    sent = sum(result["sent"] for result in right.results[:3])
    assert torch.equal(right.results[3]["value"], jobs[0]["w"] - sent)
    for why, slips in lab4_asp.SLIPS.items():
        for slip in slips:
            run = lab4_asp.simulated(jobs, slip)
            assert run is None or lab4_asp.unlike(jobs, run, right) is not None, (why, slip)


def test_a_server_that_answers_nobody_is_told_so(shipped):
    class Stuck(Here):
        def run(self, *args, **settings):
            raise Stalled("every rank waits")
    for e, why in (("4.1", "4/nobody-is-told"), ("4.2", "4/waits-for-others"), ("4.5", "4/nobody-is-told")):
        exercise = exercises.get(e)
        verdict = verdict_of(exercise.criteria[0], exercise, Stuck({}), cases(e)[0], strict=True)
        assert verdict.misconception == why


# ---- 4.3 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slowness", [[1, 1, 1], [1, 1, 1, 1, 4], [0.5, 1, 2, 3], [1]])
def test_the_mean_is_k_minus_1_less_a_boundary_as_the_kit_s_law_says(slowness):
    trace = lab4_staleness.run_of(rng_of(2), slowness, 200)
    values, who = lab4_staleness.staleness(trace), lab4_staleness.workers_of(trace)
    law = law_of_updates(who, values, len(slowness))
    assert (law.mean, law.boundary) == (pytest.approx(law.predicted), lab4_staleness.boundary(trace))
    assert lab4_staleness.means(trace) == pytest.approx(dict(enumerate(law.by_worker)))


@pytest.mark.parametrize("seed", range(3))
def test_traces_are_in_order_and_every_update_has_a_read(seed):
    made = [*lab4_staleness.plain_traces(rng_of(seed)), *lab4_staleness.other_traces(rng_of(seed)),
            *lab4_staleness.hidden_traces(rng_of(seed))]
    for where, trace in made:
        whens = [when for when, *_ in trace]
        assert whens == sorted(whens), where
        steps = [(worker, step) for _, what, worker, step in trace if what == "apply"]
        assert len(set(steps)) == len(steps) >= 4
        assert set(steps) <= {(worker, step) for _, what, worker, step in trace if what == "read"}


def test_every_belief_about_staleness_shows_in_some_public_trace():
    public = [("", lab4_staleness.EXAMPLE), *lab4_staleness.plain_traces(rng_of(0)),
              *lab4_staleness.other_traces(rng_of(0))]
    for why, belief in lab4_staleness.BELIEFS.items():
        assert any(belief(trace) != lab4_staleness.staleness(trace) for _, trace in public), why
    for why, belief in lab4_staleness.MEAN_BELIEFS.items():
        for _, trace in lab4_staleness.slow_traces(rng_of(0)):
            assert belief(trace) != lab4_staleness.means(trace), why


def test_who_reads_ahead_misses_its_own_update():
    trace = [(0.0, "read", 0, 0), (1.0, "read", 0, 1), (2.0, "apply", 0, 0), (3.0, "apply", 0, 1)]
    assert lab4_staleness.staleness(trace) == [0, 1]


# ---- 4.4 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", range(lab4_rate.MOST + 1))
def test_the_rate_is_the_kit_s_and_descent_agrees_on_both_sides(tau):
    for curvature in (1.0, 0.03, 40.0):
        rate = lab4_rate.stable_rate(tau, curvature)
        assert rate == pytest.approx(collectives.stable_rate(curvature, tau), rel=1e-12)
        assert lab4_rate.rests(0.98 * 0.99 * rate, curvature, tau)
        assert lab4_rate.rests(0.98 * 1.01 * rate, curvature, tau)
        assert not lab4_rate.rests(1.02 * 0.99 * rate, curvature, tau)


def test_the_rate_of_the_contract_and_by_an_experiment_without_a_formula():
    assert lab4_rate.stable_rate(3, 1.0) == pytest.approx(0.445, abs=1e-4)
    assert stable_rate_by_experiment(2.0, 3) == pytest.approx(lab4_rate.stable_rate(3, 2.0), rel=2e-3)


def test_beliefs_about_the_rate_are_told_apart_by_the_printed_ones():
    answers = {why: tuple(round(rule(*question), 9) for question in lab4_rate.EXAMPLES)
               for why, rule in lab4_rate.BELIEFS.items()}
    answers["right"] = tuple(round(lab4_rate.stable_rate(*question), 9) for question in lab4_rate.EXAMPLES)
    assert len(set(answers.values())) == len(answers)
    asked = lab4_rate.questions(rng_of(0), 40)
    assert len(asked) == 40
    assert {tau for tau, _ in asked} == set(range(lab4_rate.MOST + 1))


@pytest.mark.parametrize(("said", "why"), [(None, "all/bad-value"), (True, "all/bad-value"), (0.0, "all/bad-value"),
                                           (1e-3, "4/another-rate"), (5.0, "4/another-rate")])
def test_descent_is_run_with_what_was_said(said, why):
    verdict = lab4_rate.either_side(Here({"stable_rate": lambda tau, curvature: said}), Case(1))
    assert (verdict.passed, verdict.misconception) == (False, why)


# ---- 4.6 ------------------------------------------------------------------------------------------------------------


def test_stragglers_stand_out_by_whatever_measure():
    """Largest mean and largest excess name one worker; medians and shares of slow steps one kind, with room."""
    for seed in range(30):
        for where, trace, slow, kind in lab4_slow.HIDDEN(rng_of(seed)):
            took = {}
            for worker, _, begun, computed, _ in trace:
                took.setdefault(worker, []).append(computed - begun)
            usual = np.median([s for mine in took.values() for s in mine])
            means = {worker: np.mean(mine) - usual for worker, mine in took.items()}
            excess = {worker: sum(mine) - usual * len(mine) for worker, mine in took.items()}
            for measure in (means, excess):
                assert all(measure[slow] > 1.2 * other for worker, other in measure.items() if worker != slow), where
            share = np.mean(np.array(took[slow]) > 1.3 * usual)
            assert share > 0.8 if kind == "persistent" else 0 < share < 0.4
            assert lab4_slow.who_was_slow(trace) == (slow, kind)


def test_workers_wait_in_rounds_and_only_there():
    seconds = lab4_slow.seconds_of(rng_of(0), 3, 10, "persistent", 1)
    waits = [[on - computed for *_, computed, on in lab4_slow.trace_of(seconds, rounds)] for rounds in (True, False)]
    assert sum(waits[0]) == pytest.approx((seconds.max(0) - seconds).sum())
    assert not any(waits[1])
    counts = np.bincount([line[0] for line in lab4_slow.trace_of(seconds, False)])
    assert counts[1] == min(counts)
    assert max(counts) == 10


# ---- the notebook ---------------------------------------------------------------------------------------------------


def cells(repo_root, folder):
    stored = json.loads((repo_root / folder / "lab_04_sync_async.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_an_untouched_lab_says_not_yet(repo_root):
    checks = [cell for cell in cells(repo_root, "labs") if "check" in cell["metadata"].get("pslab", {})]
    said = ["".join(line for out in cell["outputs"] for line in out.get("text", "")).strip() for cell in checks]
    assert said == [f"{exercise}: not yet" for exercise in LAB]


def test_what_a_prediction_is_about_is_not_shown_in_the_students_copy(repo_root):
    shown = [cell for cell in cells(repo_root, "labs")
             if re.search(r"^_ = reveal\(", "".join(cell["source"]), re.MULTILINE)]
    assert len(shown) == 4
    assert not any(cell["outputs"] for cell in shown)


def test_the_printed_trace_and_its_staleness_are_the_grader_s(repo_root):
    text, = ("".join(cell["source"]) for cell in cells(repo_root, "labs") if "EXAMPLE = [" in "".join(cell["source"]))
    names = {}
    exec(text.partition("\nupdates = ")[0], names)
    assert names["EXAMPLE"] == lab4_staleness.EXAMPLE
    told = re.search(r"zip\(updates, (\[.*?\])\)", text)[1]
    assert json.loads(told) == lab4_staleness.staleness(names["EXAMPLE"])


def test_a_round_of_eight_is_as_long_as_the_notebook_s_formula(repo_root):
    """4 ms + 16 ms (1 - 0.9^8) = 13.1 ms, which the notebook's run of 200 rounds shows within a millisecond."""
    said = "".join("".join(out.get("text", "")) for cell in cells(repo_root, "solutions") for out in cell["outputs"])
    shown = float(re.search(r"mean round of eight workers: .* the run shows ([0-9.]+) ms", said)[1])
    assert math.isclose(shown, 4 + 16 * (1 - 0.9**8), abs_tol=1.0)
