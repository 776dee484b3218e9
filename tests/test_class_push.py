"""The class on chapter 11.2: its page and its exit questions."""

import re

import nbformat
import numpy as np
import pytest
import torch
from test_class_pages import minutes_wrong

from pslab.classroom import exit_question, open_chapter, read_page
from pslab.comm import SimWorld
from pslab.ps import AdaGrad, KeyCaching, KVServer, KVWorker, TableConfig, serve


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_02.md").read_text(encoding="utf-8")


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    assert minutes_wrong(read_page(page)) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * 8


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.2", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 20
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def request(comm, rows, dim, filters, push):
    tables = [TableConfig("default", dim, 2 * rows)]
    if comm.rank:
        return serve(comm, KVServer(tables, 0, 1, [0]))
    with KVWorker(comm, [1], tables, filters=filters) as kv:
        keys = np.arange(rows) * 2
        kv.wait(kv.pull(keys))
        if push:
            kv.wait(kv.push(keys, torch.ones(rows, dim)))


def moved(rows, dim, filters=(), push=True):
    ledger = SimWorld(2, trace=False).run(request, rows, dim, list(filters), push).ledger
    return ledger.total("keys") + ledger.total("vals")


def steps_of_adagrad(*gradients):
    rule, row = AdaGrad(1.0), np.zeros((1, 1), np.float32)
    state = rule.new_state(1, 1)
    for t, gradient in enumerate(gradients, start=1):
        rule.step(row, np.full((1, 1), gradient, np.float32), state, t)
    return row.item()


def test_its_figures_are_those_of_the_kit(page):
    words = " ".join(page.split())
    said = [f"which is twice as heavy: {moved(1000, 1, push=False):,}.",
            f"The answer: −{-steps_of_adagrad(3 + 4):g}, −{-steps_of_adagrad(7):g}, −{-steps_of_adagrad(3, 4):.1f}."]
    assert [figure for figure in said if figure not in words] == []


def test_its_exit_question_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question, words = exit_question("11.2", seed), " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:,} B." in words
    assert [f"*{number:,}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words


def test_its_poll_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    assert "0 of 0" in eval(re.search(r"`(poll\.answer\(.+?\))`", page)[1], space).title


@pytest.mark.parametrize("seed", range(6))
def test_an_exit_question_agrees_with_a_run_and_its_wrong_answers_do_not(seed):
    question = exit_question("11.2", seed)
    rows, dim = (int(number) for number in re.findall(r"\b\d+\b", question.text)[:2])
    assert question.right(moved(rows, dim, [KeyCaching()]))
    assert question.wrong[0][0] == moved(rows, dim)
    assert [question.right(number) for number, _ in question.wrong] == [False, False]
