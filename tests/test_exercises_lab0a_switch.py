"""Lab 0A: tree or ring against the simulator and the closed forms; the quiz; a notebook that shows no answer."""

import itertools
import json
import re

import pytest
import torch
from direct_answers import Direct

from pslab import collectives, cost, exercises
from pslab.comm import Deadlock, Link, SimWorld
from pslab.exercises import lab0a_first, lab0a_quiz, lab0a_switch
from pslab.grade import cases
from pslab.grade.judging import judge


def notebook(repo_root, folder):
    """The code cells of the lab."""
    stored = json.loads((repo_root / folder / "lab_00a_patterns.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in stored["cells"] if cell["cell_type"] == "code"]


# ---- 0A.4 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("K", "switch"), [(2, 0), (3, 0), (4, 100_000), (8, 235_294), (16, 448_980), (64, 1_420_561)])
def test_the_switch_is_that_of_the_course_s_contract(K, switch):
    assert round(lab0a_switch.switch_bytes(K, 10e-6, 12.5e9)) == switch


@pytest.mark.parametrize("K", [2, 3, 4, 5, 7, 8, 16])
def test_the_faster_one_in_the_simulator_changes_at_the_switch(K):
    alpha_s, bandwidth_Bps = 10e-6, 1e9
    at = lab0a_switch.switch_bytes(K, alpha_s, bandwidth_Bps)
    for size_bytes, winner in ((at / 1.05, "tree"), (max(1.05 * at, 64), "ring")):
        if size_bytes < 8 * K and winner == "tree":
            continue
        runs = lab0a_switch.simulated(K, alpha_s, bandwidth_Bps, size_bytes)
        assert min(runs, key=lambda name: runs[name].seconds) == winner, (K, size_bytes)


def test_the_lines_of_the_switch_are_the_kit_s_closed_forms():
    for K in (4, 8, 16):
        P = K * round(lab0a_switch.switch_bytes(K, 10e-6, 12.5e9) / 4 / K)
        seconds = [traffic.seconds(10e-6, 12.5e9) if hasattr(traffic, "seconds") else
                   traffic.rounds * 10e-6 + traffic.critical_bytes / 12.5e9
                   for traffic in (cost.ring_all_reduce(P, K), cost.binomial_all_reduce(P, K))]
        assert seconds[0] == pytest.approx(seconds[1], rel=1e-3)


def test_beliefs_about_the_switch_differ_from_the_truth_and_from_each_other():
    points = [(K, 10e-6, 1e9) for K in (2, 3, 5, 6, 12)]
    values = {name: [belief(*point) for point in points] for name, belief in lab0a_switch.BELIEFS.items()}
    values["right"] = [lab0a_switch.switch_bytes(*point) for point in points]
    for (one, first), (other, second) in itertools.combinations(values.items(), 2):
        assert first != pytest.approx(second, rel=1e-4), (one, other)


@pytest.mark.parametrize("said", [None, "100", -5.0, float("nan"), True])
def test_what_is_no_number_of_bytes_is_told(said):
    criterion = next(c for c in exercises.get("0A.4").criteria if c.name == "both run on either side")
    found = criterion.judge(Direct({"tree_or_ring": lambda *_: said}), cases("0A.4")[0])
    assert (found.passed, found.misconception) == (False, "all/bad-value")


# ---- 0A.5 and the notebook ------------------------------------------------------------------------------------------


def test_every_option_of_the_quiz_is_explained_and_only_the_right_ones_pass(repo_root):
    right = {q.letter: q.right for q in lab0a_quiz.QUESTIONS}
    for q in lab0a_quiz.QUESTIONS:
        assert len({leads_to for _, leads_to in q.options}) == len(q.options) == 4
        for option in range(1, 5):
            report = judge(exercises.get("0A.5"), Direct({"choices": lambda c={**right, q.letter: option}: c}),
                           cases("0A.5")[0], strict=True)
            assert report.score == (4 if option == q.right else 3)
    text = (repo_root / "solutions" / "src" / "lab_00a_patterns.py").read_text(encoding="utf-8")
    assert "\n".join(f"# {line}".rstrip() for line in lab0a_quiz.markdown().splitlines()) in text


def test_the_quiz_s_numbers_are_computed():
    def program(comm, algorithm):
        collectives.all_reduce(comm, torch.zeros(1), algorithm=algorithm)
    link = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=1e15)
    ring, tree = (SimWorld(64, link=link, trace=False).run(program, name).seconds for name in ("ring", "binomial"))
    assert ring == pytest.approx(1_260e-6)
    assert tree == pytest.approx(120e-6)


def test_the_notebook_shows_the_program_that_the_grader_asks_about(repo_root):
    names = {}
    for cell in notebook(repo_root, "solutions"):
        if "def four(comm)" in cell:
            program = cell.replace("report_of(four, 4)", "")
            exec("import torch\nfrom pslab.comm import Deadlock, SimWorld\n" + program, names)
    with pytest.raises(Deadlock, match="no rank can ever go on") as stuck:
        SimWorld(4).run(names["four"])
    assert {wait.rank: wait.peer for wait in stuck.value.waits} == lab0a_first.waiting()


def test_what_a_prediction_is_about_is_not_shown_in_the_students_copy(repo_root):
    stored = json.loads((repo_root / "labs" / "lab_00a_patterns.ipynb").read_text(encoding="utf-8"))
    shown = [cell for cell in stored["cells"] if cell["cell_type"] == "code"
             and re.search(r"^_ = reveal\(", "".join(cell["source"]), re.MULTILINE)]
    assert len(shown) == 3
    assert not any(cell["outputs"] for cell in shown)
