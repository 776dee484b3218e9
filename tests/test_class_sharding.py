"""The class on chapter 11.3: its page and its exit questions."""

import re

import nbformat
import numpy as np
import pytest
from test_class_pages import minutes_wrong

from pslab import cost, viz
from pslab.classroom import exit_question, open_chapter, read_page
from pslab.ps import ConsistentHash, HashPartition, RangePartition, movement_plan
from pslab.ps.partition import zipf


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_03.md").read_text(encoding="utf-8")


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    assert minutes_wrong(read_page(page)) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * 8


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.3", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 20
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def moved(way, S, R=110_000):
    return 100 * movement_plan(way.bind(R, S), way.bind(R, S + 1)).moved_fraction


def test_its_figures_are_those_of_the_kit(page):
    words = " ".join(page.split())
    busiest = {points: [10 * max(viz.ring_shares(ConsistentHash(points, seed).bind(None, 10)).values())
                        for seed in range(100)] for points in (1, 128)}
    eight = {S: cost.step_s(240_000, 8, S, bandwidth_Bps=125e6) for S in (1, 2, 8)}
    rows, names = np.arange(11_000), np.array([0, 1, 2, 3, 4, 10, 5, 6, 7, 8, 9])       # the newcomer in the middle
    in_the_middle = np.mean(RangePartition().bind(11_000, 10).owner(rows) != names[rows // 1000])
    said = [
        f'poll.answer("{moved(HashPartition(), 10):.0f} %")',
        f"{np.median(busiest[1]):.1f} times the mean; with 128 points {np.median(busiest[128]):.2f}",
        f"The answer: {moved(HashPartition(), 4):.0f} %, {moved(RangePartition(), 4):.0f} %, about 20 %",
        f"draws {100 * zipf(20_000, 1.1)[0]:.0f} % of the requests, a fair server {100 / 8:.1f} %",
        f"two bring {eight[1] / eight[2]:.2f}", f"{eight[1] / eight[8]:.2f}: the workers' own ports",
    ]
    assert [figure for figure in said if figure not in words] == []
    assert in_the_middle == pytest.approx(0.25, abs=0.03)


def test_its_exit_question_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question, words = exit_question("11.3", seed), " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:.2f} GB." in words
    assert [f"*{number:.2f}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words


def test_its_poll_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    assert "0 of 0" in eval(re.search(r"`(poll\.answer\(.+?\))`", page)[1], space).title


@pytest.mark.parametrize("seed", range(8))
def test_an_exit_question_agrees_with_a_plan_and_its_wrong_answers_do_not(seed):
    """A hundred thousandth of the question's rows, placed and counted."""
    question = exit_question("11.3", seed)
    S, millions, dim = (int(n) for n in re.findall(r"\b\d+\b", question.text)[:3])
    rows = 1000 * millions
    counted = movement_plan(HashPartition().bind(rows, S), HashPartition().bind(rows, S + 1)).moved_rows
    assert question.answer == pytest.approx(1000 * counted * 2 * 4 * dim / 1e9, rel=0.01)
    assert not any(question.right(number) for number, _ in question.wrong)
    assert exit_question("11.3", seed) == question
