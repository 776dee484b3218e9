"""Every lab's answers under tests/answers: wrong ones die as they declare, right ones pass, a stub is no answer.

Generic over labs: a new lab adds a folder of answers. `pslab bench grader` prints the same as a table. Answers that
say LONG = True are judged by `make test-long` only, as are all of the labs outside EVERY_TIME.
"""

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import grader

from pslab import exercises
from pslab.grade import Criterion, Verdict

EXERCISES = grader.chosen()
ANSWERS = [answer for exercise in EXERCISES for answer in grader.answers_of(exercise.id)]


EVERY_TIME = ("0A", "6", "9")         # answers of other labs are judged by `make test-long`
JUDGED = [pytest.param(answer, marks=pytest.mark.long) if answer.long or answer.exercise.split(".")[0] not in EVERY_TIME
          else answer for answer in ANSWERS]


def named(answer):
    return f"{answer.exercise}-{answer.name}"


def test_the_set_is_not_empty():
    assert EXERCISES
    assert ANSWERS


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_every_coding_exercise_has_enough_answers_and_hints(exercise):
    assert grader.too_few(exercise, grader.answers_of(exercise.id)) == []


def test_every_folder_of_answers_belongs_to_a_coding_exercise():
    folders = {path for path in grader.ANSWERS.glob("lab*/ex_*") if path.is_dir()}
    assert folders == {grader.folder_of(exercise.id) for exercise in EXERCISES}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_every_exercise_has_short_answers_of_both_kinds(exercise):
    kept = [answer for answer in grader.answers_of(exercise.id) if not answer.long]
    assert any(answer.right for answer in kept)
    assert sum(not answer.right for answer in kept) >= 3


@pytest.mark.parametrize("answer", JUDGED, ids=named)
def test_an_answer_ends_as_it_declares(answer):
    assert grader.judged(answer, exercises.get(answer.exercise), first=True).problems == []


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.id)
def test_a_stub_is_not_yet_an_answer(exercise):
    row = grader.judged(grader.stub(exercise), exercise)
    assert row.problems == []
    assert {verdict.misconception for _, verdict in row.verdicts} == {"all/not-yet"}


# ---- the matrix can fail --------------------------------------------------------------------------------------------


@pytest.fixture
def wrong():
    """A wrong answer of 9.1 that its first criterion refuses."""
    return next(answer for answer in ANSWERS if answer.name == "wrong_percent")


def lenient(exercise, name):
    """The exercise with one criterion that lets everything pass."""
    criteria = tuple(Criterion(c.name, lambda answers, case: Verdict(True), c.points, c.hidden) if c.name == name else c
                     for c in exercise.criteria)
    return dataclasses.replace(exercise, criteria=criteria)


def test_a_wrong_answer_that_survives_is_told(wrong):
    exercise = exercises.get("9.1")
    for criterion in exercise.criteria:
        exercise = lenient(exercise, criterion.name)
    assert grader.judged(wrong, exercise).problems == ["is wrong and survives every criterion"]


def test_a_wrong_answer_that_dies_by_another_criterion_is_told(wrong):
    exercise = lenient(exercises.get("9.1"), wrong.refused_by)
    problem, = grader.judged(wrong, exercise, first=True).problems
    assert problem.startswith("dies for another reason: by 'all links together' as 9/fraction-not-percent")


def test_a_wrong_answer_that_dies_with_another_sentence_is_told(wrong):
    other = dataclasses.replace(wrong, misconception="9/keys-are-free")
    problem, = grader.judged(other, exercises.get("9.1"), first=True).problems
    assert "as 9/fraction-not-percent" in problem
    assert "declared 'the printed example' as 9/keys-are-free" in problem


def test_a_right_answer_that_is_refused_is_told(wrong):
    right = dataclasses.replace(wrong, right=True)
    problem, *_ = grader.judged(right, exercises.get("9.1"), first=True).problems
    assert problem.startswith("is right and refused by 'the printed example' (9/fraction-not-percent)")


def test_a_stub_that_passes_is_told():
    exercise = exercises.get("9.1")
    solved = next(answer for answer in ANSWERS if answer.exercise == "9.1" and answer.right)
    passing = dataclasses.replace(grader.stub(exercise), text=solved.text)
    assert grader.judged(passing, exercise).problems == ["is wrong and survives every criterion"]


def test_missing_answers_and_hints_are_told():
    exercise = dataclasses.replace(exercises.get("9.1"), hints=("only one",))
    answers = grader.answers_of("9.1")
    lacks = grader.too_few(exercise, [a for a in answers if not a.right][:4])
    told = [line.partition(";")[0] for line in lacks]
    assert told[:3] == ["9.1: 4 wrong answers", "9.1: 0 right answers", "9.1: 1 hints"]
    assert told[3].startswith("9.1: no wrong answer is told 9/")
    twins = grader.too_few(exercises.get("9.1"), [answers[0], answers[0], *answers])
    assert "9.1: two right answers are the same" in twins


def test_an_answer_that_declares_nothing_is_refused(tmp_path):
    (tmp_path / "wrong_silent.py").write_text("def crossover(*args):\n    return 0\n")
    (tmp_path / "other.py").write_text("")
    with pytest.raises(ValueError, match="declares REFUSED_BY and MISCONCEPTION"):
        grader.read_answer(tmp_path / "wrong_silent.py", "9.1")
    with pytest.raises(ValueError, match="begins with right_ or wrong_"):
        grader.read_answer(tmp_path / "other.py", "9.1")


def test_the_bench_prints_the_matrix_and_ends_with_its_verdict(capsys, monkeypatch):
    def run(*words):
        parser = grader.argparse.ArgumentParser()
        grader.add_arguments(parser)
        return grader.main(parser.parse_args(words)), capsys.readouterr().out

    code, out = run("--exercise", "9.4", "--answer", "keys_are_free")
    assert code == 0
    assert "wrong_keys_are_free  ·  ·  ·  K  x" in out
    monkeypatch.setattr(grader, "answers_of", lambda exercise_id: [])
    code, out = run("--exercise", "9.4")
    assert code == 1
    assert "PROBLEM 9.4: 0 wrong answers" in out
