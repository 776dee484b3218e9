"""The class on chapter 11.1: its page and its exit questions."""

import re

import nbformat
import pytest
from test_class_pages import minutes_wrong

from pslab import cost
from pslab.classroom import exit_question, open_chapter, read_page


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_01.md").read_text(encoding="utf-8")


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    assert minutes_wrong(read_page(page)) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * 8


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.1", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 18
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def output(repo_root, words) -> str:
    """What the chapter's cell with these words printed."""
    chapter = open_chapter("11.1", repo_root)
    cell, = (c for c in nbformat.read(chapter.notebook, as_version=4).cells
             if c.cell_type == "code" and words in c.source)
    return "\n".join(str(o.get("text", "")) + str(o.get("data", {}).get("text/plain", "")) for o in cell.outputs)


def test_its_figures_are_those_of_the_kit_and_of_the_chapter(page, repo_root):
    words = " ".join(page.split())
    assert "84 GB" in words
    assert "84 GB" in output(repo_root, "MEMORY_BYTES = 80")
    assert "from 16 on" in words
    assert next(S for S in range(1, 40) if cost.parameter_server(720_720, 16, S).busiest == 4 * 720_720) == 16
    assert "1.48 times" in output(repo_root, "def timed_step")
    assert "In 1, the first" in words
    assert "twelve: 1 steps" in output(repo_root, "distance = {name: apart(")
    last = output(repo_root, 'series = {f"{what}, {name}"').split("32 ")[-1].split()
    assert round(float(last[0])) == 3
    assert round(float(last[2])) == 47
    assert "3 % or 47 %" in words


def test_the_exit_question_of_the_page_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question, words = exit_question("11.1", seed), " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:.2f} times." in words
    assert [f"*{number:.2f}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words


def test_its_poll_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    assert "0 of 0" in eval(re.search(r"`(poll\.answer\(.+?\))`", page)[1], space).title


@pytest.mark.parametrize("seed", range(8))
def test_an_exit_question_agrees_with_the_law_and_its_wrong_answers_do_not(seed):
    question = exit_question("11.1", seed)
    one_ms, many_ms, K = (float(n) for n in re.findall(r"[\d.]+\d|\d", question.text)[:3])
    f = (many_ms / one_ms - 1 / K) / (1 - 1 / K)
    assert question.right(round(1 / f, 2))
    assert not any(question.right(number) for number, _ in question.wrong)
    assert exit_question("11.1", seed) == question
