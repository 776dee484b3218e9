"""The class on chapter 11.5: its page and its exit questions."""

import math
import re

import nbformat
import pytest
from test_class_pages import minutes_wrong

from pslab.classroom import exit_question, open_chapter, read_page
from pslab.ps import stable_alpha
from pslab.train import Pace, schedule, usual_kinds


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_05.md").read_text(encoding="utf-8")


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    assert minutes_wrong(read_page(page)) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * 8


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.5", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 18
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def test_its_figures_are_those_of_the_kit(page):
    words, kinds, steps = " ".join(page.split()), usual_kinds(), 200
    slow, moving = (kinds[kind].table(8, steps) for kind in ("persistent", "transient"))
    bsp_s, slack_s = schedule(slow, 0).makespan_s, schedule(slow, 8).makespan_s
    speed_ups = [schedule(moving, 0).makespan_s / schedule(moving, s).makespan_s for s in (0, 1, 2, 4, 8, math.inf)]
    fast = schedule(slow[[0, 1]], 0).makespan_s
    said = [f"in lock step the job takes {bsp_s:g} s", f'poll.answer("{slack_s:g} s")', f'["{fast:g} s"',
            f"*{bsp_s - 8 * 3:g} s*", "{}, {}, {}, {}, {}, and {} without".format(*(f"{up:.2f}" for up in speed_ups)),
            "{}, {}, {}, {} pulls".format(*(math.ceil(64 / (s + 1)) for s in range(4))),
            f"2/(K + 1) = {stable_alpha(3):g}"]
    assert [figure for figure in said if figure not in words] == []


def test_its_exit_question_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question, words = exit_question("11.5", seed), " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:g} s." in words
    assert [f"*{number:g}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words


def test_its_poll_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    assert "0 of 0" in eval(re.search(r"`(poll\.answer\(.+?\))`", page)[1], space).title


@pytest.mark.parametrize("seed", range(6))
def test_an_exit_question_agrees_with_a_schedule_and_its_wrong_answers_do_not(seed):
    question = exit_question("11.5", seed)
    K, steps, s, step_s, factor = (float(number) for number in re.findall(r"\d+(?:\.\d+)?", question.text))
    seconds = Pace.persistent(step_s, 1, factor).table(int(K), int(steps))
    assert question.right(schedule(seconds, int(s)).makespan_s)
    assert [question.right(number) for number, _ in question.wrong] == [False, False]
    assert question.wrong[0][0] == schedule(seconds[[0]], 0).makespan_s
