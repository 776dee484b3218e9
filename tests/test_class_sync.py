"""The class on chapter 11.4: its page, the cells it shows, its figures and its exit question."""

import re

import nbformat
import pytest
from test_class_pages import minutes_wrong

from pslab import viz
from pslab.classroom import exit_question, open_chapter, read_page


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_04.md").read_text(encoding="utf-8")


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    slots = read_page(page)
    assert len(slots) == 8
    assert minutes_wrong(slots) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * len(parts)


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.4", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 20
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def test_its_figures_are_those_of_the_kit(page):
    assert f'poll.answer("{100 * viz.slow_rounds(100, 0.01):.0f} %")' in page
    assert f"{100 * viz.slow_rounds(100, 0.01, 4):.1f} % of the rounds are slow" in page


@pytest.mark.parametrize("seed", [None, *range(8)])
def test_its_exit_question_agrees_with_the_picture_and_its_wrong_answers_do_not(page, seed):
    of_page = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question = exit_question("11.4", of_page if seed is None else seed)
    K, _, percent, factor = (int(number) for number in re.findall(r"\d+", question.text))
    assert question.answer == pytest.approx(viz.round_time(K, percent / 100, factor))
    assert not any(question.right(number) for number, _ in question.wrong)
    if seed is None:
        words = " ".join(page.replace("\n> ", " ").split())
        assert question.text in words
        assert f"The answer: {question.answer:.2f} s." in words
        assert [f"*{number:g}*, {why}" in words for number, why in question.wrong] == [True, True]
