"""Lab 9: its references against other sources of the same truth, and the cases that students are asked."""

import itertools
import json
import math

import numpy as np
import pytest
from direct_answers import Direct

from pslab import cost, exercises
from pslab.comm import SimWorld
from pslab.exercises import lab9_crossover, lab9_measure, lab9_quiz, lab9_recommend, lab9_rivals, lab9_route
from pslab.grade import cases
from pslab.grade.judging import judge

STUDENTS = [f"student-{i}" for i in range(12)]
REFERENCES = {
    "9.1": {"crossover": lab9_crossover.crossover},
    "9.2": {"recommend": lab9_recommend.recommend},
    "9.4": {"route": lab9_route.route},
}


def rng_of(seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("student", STUDENTS)
@pytest.mark.parametrize("exercise", sorted(REFERENCES))
def test_the_reference_passes_whatever_the_student_s_seed(exercise, student):
    report = judge(exercises.get(exercise), Direct(REFERENCES[exercise]), *cases(exercise, student, "s"), strict=True)
    assert report.passed, report.first_failure
    assert report.score == exercises.get(exercise).points


def test_points_minutes_and_core_are_those_of_the_course():
    table = {e.id: (e.points, e.minutes, e.core, e.chapter_number) for e in exercises.lab("9") if e.kind == "code"}
    assert table == {"9.1": (15, 15, True, "11.9.1"), "9.2": (20, 20, True, "11.9.2"), "9.3": (30, 30, True, "11.9.3"),
                     "9.4": (20, 20, False, None), "9.5": (25, 25, False, None)}


def test_the_notebook_tells_points_minutes_and_titles_as_they_are(repo_root):
    text = (repo_root / "solutions" / "src" / "lab_09_verdict.py").read_text(encoding="utf-8")
    told = exercises.lab("9")
    for e in told:
        core = "core" if e.core else "optional"
        assert f"# | {e.id} | {e.title} | {e.points} | {e.minutes} | {core} |" in text
        assert f"*{e.points} points · {e.minutes} minutes · {core}" in text
        assert f'check("{e.id}", {", ".join(e.names)})' in text
    assert told


# ---- 9.1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", ["totals", "busiest", "direction"])
def test_crossover_agrees_with_the_kit_s_own_formula(view):
    for K, D, key, S in itertools.product((2, 3, 8, 31), (1, 7, 128), (0, 4, 8), (1, 2, 8, 40)):
        assert lab9_crossover.crossover(K, D, key, S, view) == pytest.approx(
            cost.crossover_fraction(K, D, key, S, view), rel=1e-12)


def test_crossover_at_the_printed_figures():
    assert lab9_crossover.crossover(8, 128, 0, 1, "totals") == 0.875
    assert round(lab9_crossover.crossover(8, 128, 8, 1, "totals"), 3) == 0.862
    assert round(lab9_crossover.crossover(8, 16, 8, 1, "totals"), 3) == 0.778
    assert round(lab9_crossover.crossover(8, 1, 8, 1, "totals"), 3) == 0.292
    assert round(lab9_crossover.crossover(8, 128, 0, 1, "busiest"), 3) == 0.109


def test_the_gather_s_crossover_is_where_counted_bytes_meet():
    K, D, V = 3, 2, 600
    flips = lab9_crossover.crossover(K, D, 8, 1, "gather") * V
    ring = lab9_rivals.counted(SimWorld(K).run(lab9_rivals.dense_ring, V, D, 1).ledger)
    for n, less in ((math.floor(flips) - 1, True), (math.ceil(flips) + 1, False)):
        moved = lab9_rivals.counted(SimWorld(K).run(lab9_rivals.sparse_all_gather, V, D, n).ledger)
        assert (moved < ring) == less


def test_every_slip_of_the_crossover_differs_from_the_truth_somewhere_it_is_asked():
    points = lab9_crossover._everywhere(rng_of(0)) + lab9_crossover._one_port(rng_of(0))
    for name, belief in lab9_crossover.BELIEFS.items():
        assert any(not math.isclose(belief(*p), lab9_crossover.crossover(*p), rel_tol=1e-9) for p in points), name


# ---- 9.2 ------------------------------------------------------------------------------------------------------------


def test_forty_cases_hold_what_they_promise():
    for seed in range(5):
        specs = lab9_recommend.forty(rng_of(seed))
        answers = [lab9_recommend.recommend(spec) for spec in specs]
        assert len(specs) == 40
        reasons = [reason for _, reason in answers]
        assert [reasons.count(r) for r in lab9_recommend.REASONS] == [10, 6, 8, 16]
        by_bytes = [arch for arch, reason in answers if reason == "bytes"]
        assert [by_bytes.count(a) for a in lab9_recommend.ARCHITECTURES] == [5, 6, 5]


def test_recommend_agrees_with_the_kit_s_chooser_where_that_one_decides():
    names = {"allreduce": "all-reduce", "gather": "sparse all-gather", "server": "server"}
    seen = set()
    for seed, what in itertools.product(range(6), ("capacity", *lab9_recommend.ARCHITECTURES)):
        spec = lab9_recommend.make_spec(rng_of(seed), what)
        choice = cost.choose(K=spec["workers"], S=spec["servers"], rows=spec["rows"], row_bytes=spec["row_bytes"],
                             rows_per_worker=spec["rows_per_worker"], slots=spec["optimizer_slots"],
                             worker_memory_bytes=spec["worker_memory_bytes"], key_bytes=spec["key_bytes"])
        assert lab9_recommend.recommend(spec)[0] == names[choice.architecture]
        seen.add(choice.architecture)
    assert seen == set(names)


def test_the_edge_of_capacity_is_one_byte_wide():
    fits, not_quite = lab9_recommend.edge_specs(rng_of(3))
    assert fits["worker_memory_bytes"] - not_quite["worker_memory_bytes"] == 1
    assert lab9_recommend.recommend(fits)[1] == "bytes"
    assert lab9_recommend.recommend(not_quite) == ("server", "capacity")


@pytest.mark.parametrize(("straggler", "staleness", "helps"), [
    ("none", math.inf, False), ("transient", 0, False), ("transient", 1, True), ("persistent", 100, False),
    ("persistent", math.inf, True)])
def test_slack_helps_only_as_long_as_it_lasts(straggler, staleness, helps):
    assert lab9_recommend.helps_against_straggler({"straggler": straggler, "staleness": staleness}) == helps


def test_thirty_five_of_forty_are_not_enough_and_a_missed_capacity_never_is():
    exercise = exercises.get("9.2")
    hidden = next(c for c in exercise.criteria if c.hidden)
    case = cases("9.2", "anna", "s")[1]

    def score(flips, reason):
        left = [flips]

        def recommend(spec):
            right = lab9_recommend.recommend(spec)
            if left[0] and right[1] == reason:
                left[0] -= 1
                return "all-reduce" if right[0] != "all-reduce" else "server", "bytes"
            return right
        return hidden.judge(Direct({"recommend": recommend}), case.of(hidden.name)).passed

    assert [score(n, "bytes") for n in (0, 4, 5)] == [True, True, False]
    assert [score(n, "capacity") for n in (0, 1)] == [True, False]


# ---- 9.4 ------------------------------------------------------------------------------------------------------------


def test_no_plan_moves_fewer_bytes_than_the_reference_s():
    for seed, make in itertools.product(range(6), lab9_route.KINDS):
        model = make(rng_of(seed))
        groups = [names for names, *_ in lab9_route.groups(model)]
        plans = ({name: to for names, to in zip(groups, routes) for name in names}
                 for routes in itertools.product(lab9_route.ROUTES, repeat=len(groups)))
        best = min(lab9_route.plan_bytes(model, plan) for plan in plans)
        assert lab9_route.plan_bytes(model, lab9_route.route(model)) == best


def test_models_hold_the_cases_that_matter():
    model = lab9_route.recommender(rng_of(0))
    tied = lab9_route.language_model(rng_of(0))
    assert any(not p["trainable"] for p in model["parameters"])
    assert any(p["same_as"] for p in tied["parameters"])
    plan = lab9_route.route(model)
    assert plan["country"] == "all-reduce"                      # a table, touched nearly everywhere
    assert plan["item"] == plan["user"] == "server"
    assert "old_item" not in plan
    assert lab9_route.route(tied)["words"] == lab9_route.route(tied)["output.weight"] == "all-reduce"


# ---- 9.5 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("K", "V", "D", "n"), [(2, 100, 4, 10), (3, 57, 1, 9), (5, 64, 7, 33)])
def test_predicted_bytes_are_those_of_the_ledger(K, V, D, n):
    runs = lab9_measure.simulated(K, V, D, n, 1e-5, 1e9)
    counted = {name: lab9_rivals.counted(run.ledger) for name, run in runs.items()}
    assert counted == lab9_measure.predict_bytes(K, V, D, n)
    assert runs["server"].results[K] == pytest.approx(runs["dense ring"].results[0])       # the same sums arrive
    assert runs["sparse all-gather"].results[0] == pytest.approx(runs["dense ring"].results[0])


def test_the_order_by_formula_is_the_simulator_s_wherever_it_is_asked():
    for seed in range(3):
        for question in lab9_measure._throttled(rng_of(seed)) + lab9_measure._elsewhere(rng_of(seed)):
            times = {name: run.seconds for name, run in lab9_measure.simulated(*question).items()}
            order = lab9_measure.finish_order(*question)
            for first, then in itertools.combinations(order, 2):
                assert times[first] < lab9_measure.APART * times[then]


def test_a_question_of_order_separates_clocks_from_totals():
    question = lab9_measure._throttled(rng_of(0))[1]
    totals = lab9_measure.predict_bytes(*question[:4])
    times = {name: run.seconds for name, run in lab9_measure.simulated(*question).items()}
    assert totals["server"] < totals["dense ring"]
    assert times["server"] > lab9_measure.APART * times["dense ring"]


def test_ids_of_the_contenders_are_never_a_range():
    for rank, V, n in itertools.product(range(4), (3, 4, 9), (2, 3, 8)):
        if n < V:
            ids = lab9_rivals.ids_of(rank, V, n)
            assert len(np.unique(ids)) == n
            assert ids.min() >= 0
            assert ids.max() < V
            assert n == V - 1 or ids[-1] - ids[0] >= n


# ---- 9.7 ------------------------------------------------------------------------------------------------------------


def quiz(chosen):
    return judge(exercises.get("9.7"), Direct({"choices": lambda: chosen}), cases("9.7")[0], strict=True)


def test_every_option_is_explained_and_only_the_right_ones_pass(repo_root):
    right = {q.letter: q.right for q in lab9_quiz.QUESTIONS}
    assert quiz(right).score == exercises.get("9.7").points == len(right)
    for q in lab9_quiz.QUESTIONS:
        assert len({leads_to for _, leads_to in q.options}) == len(q.options) == 4
        for option in range(1, 5):
            verdict = {c.name: v for c, v in quiz({**right, q.letter: option}).verdicts}[q.name]
            assert verdict.passed == (option == q.right)
            told = verdict.seen if verdict.passed else exercises.get("9.7").sentence(verdict.misconception)
            assert told == q.options[option - 1][1]
    text = (repo_root / "solutions" / "src" / "lab_09_verdict.py").read_text(encoding="utf-8")
    assert "\n".join(f"# {line}".rstrip() for line in lab9_quiz.markdown().splitlines()) in text


@pytest.mark.parametrize("chosen", [None, {"a": 0}, {"a": 5}, {"a": "2"}, {"a": True}, 3])
def test_a_choice_that_is_none_of_the_options_is_told(chosen):
    report = quiz(chosen)
    assert report.score == 0
    assert report.verdicts[0][1].misconception == "all/bad-value"


def test_what_is_not_chosen_is_no_mistake():
    assert {v.misconception for _, v in quiz({}).verdicts} == {"all/unpicked"}


# ---- the notebook ---------------------------------------------------------------------------------------------------


def test_the_notebook_s_contenders_move_what_the_grader_s_do(repo_root):
    notebook = json.loads((repo_root / "solutions" / "lab_09_verdict.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    names = {}
    for text in cells[:3]:                                       # imports, what a worker has, the contenders
        exec(text, names)
    K, V, D, n = 3, 90, 5, 11
    for name in lab9_rivals.CONTENDERS:
        run = SimWorld(names["ranks"](name, K)).run(names["CONTENDERS"][name], V, D, n)
        assert names["counted"](run) == lab9_measure.predict_bytes(K, V, D, n)[name]


def test_what_a_prediction_is_about_is_not_shown_in_the_students_copy(repo_root):
    notebook = json.loads((repo_root / "labs" / "lab_09_verdict.ipynb").read_text(encoding="utf-8"))
    reveals = [cell for cell in notebook["cells"] if "reveal(" in "".join(cell["source"]).replace("import", "")
               and cell["cell_type"] == "code"]
    assert len(reveals) == 3
    assert not any(cell["outputs"] for cell in reveals)
