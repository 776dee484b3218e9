"""The class on chapter 11.6: its page and its exit questions."""

import re

import nbformat
import numpy as np
import pytest
from test_class_pages import minutes_wrong

from pslab import viz
from pslab.classroom import exit_question, open_chapter, read_page
from pslab.comm import SimWorld
from pslab.embedding import EmbeddingBagConfig, KeyedJaggedTensor, ShardedEmbeddingBagCollection, table_configs
from pslab.ps import SGD, Adam, KVServer, KVWorker, RowWiseAdaGrad, serve


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_06.md").read_text(encoding="utf-8")


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    assert minutes_wrong(read_page(page)) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * 8


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.6", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 17
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def test_its_figures_are_those_of_the_kit(page):
    words, rows = " ".join(page.split()), 2_000_000_000 // 16
    state = {rule: 4 * rule.slots * rule.state_width(128) for rule in (SGD(0.1), Adam(0.1), RowWiseAdaGrad(0.1))}
    host = [f"{rows * (4 * 128 + more) / 1e9:.1f} GB" for more in state.values()]
    distinct = viz.touched_rows(1.0, 100_000, 4096)["distinct"]
    said = ["{} a host, {} with Adam's state, {} with row-wise".format(*host), f"show {distinct:,.0f}, then",
            f"{4096 * (8 + 16 * 4):,} B and", f"are 1, {1 + 2**-0.5 + 3**-0.5:.3f} and 1"]
    assert [figure for figure in said if figure not in words] == []


def test_figures_that_a_run_gave_stand_in_the_stored_chapter(page, repo_root):
    chapter = open_chapter("11.6", repo_root)
    stored = nbformat.read(chapter.notebook, as_version=4)
    texts = " ".join(str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
                     for cell in stored.cells if cell.cell_type == "code" for output in cell.outputs)
    for pattern, recorded in ((r"and (\d+) distinct ids", r"distinct ids: {} of 64"),
                              (r"It moves (\d+)", r"step: {} rows"), (r"B and ([\d,]+) B", r" {} +{} ")):
        figure = re.search(pattern, page)[1]
        assert re.search(recorded.replace("{}", figure), texts), figure


def test_its_exit_question_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question, words = exit_question("11.6", seed), " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:g} B." in words
    assert [f"*{number:g}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words


def test_its_poll_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    assert "0 of 0" in eval(re.search(r"`(poll\.answer\(.+?\))`", page)[1], space).title


@pytest.mark.parametrize("seed", range(3))
def test_an_exit_question_agrees_with_a_ledger_and_its_wrong_answers_do_not(seed):
    question = exit_question("11.6", seed)
    bags, per_bag, distinct, dim = (int(number) for number in re.findall(r"(?<![a-z\d])\d+", question.text)[:4])
    ids = np.arange(bags * per_bag) % distinct                  # as many distinct ones as it says
    config = EmbeddingBagConfig(2 * distinct, dim, "item")

    def program(comm):
        tables = table_configs([config], SGD(0.1))
        if comm.rank:
            return serve(comm, KVServer(tables, 0, 1, [0]))
        with KVWorker(comm, [1], tables) as kv:
            module = ShardedEmbeddingBagCollection([config], kv)
            module(KeyedJaggedTensor(["item"], 2 * ids, [per_bag] * bags)).values.sum().backward()
            kv.clock()

    ledger = SimWorld(2, trace=False).run(program).ledger
    assert question.right(ledger.total("keys") + ledger.total("vals"))
    assert [question.right(number) for number, _ in question.wrong] == [False, False]
