"""The class on chapter 11.7: its page and its exit questions."""

import re

import nbformat
import numpy as np
import pytest
from test_class_pages import minutes_wrong

from pslab import cost
from pslab.classroom import exit_question, open_chapter, read_page
from pslab.embedding import LRU, Belady


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_07.md").read_text(encoding="utf-8")


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    assert minutes_wrong(read_page(page)) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * 8


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.7", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 18
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def test_its_figures_are_those_of_the_kit(page):
    words, steps = " ".join(page.split()), cost.chapter_designs(5000)
    naive, exact, stale = (steps[name].fetch_bytes / 1e6 for name in ("naive", "both, exact BSP", "both, stale reads"))
    table = cost.table_bytes(2 * 10**9, 128) / 16 / 1e9
    law, naive_bytes = cost.zipf_popularity(1.1, 2 * 10**9), steps["naive"].fetch_bytes
    flop = cost.step_flop(60_000_000, 65_536)
    draws = np.array(cost.chapter_lookups())
    hits = {(kind, c): int((LRU(c) if kind == "lru" else Belady(c, draws)).access_all(draws).sum())
            for kind, c in (("lru", 5000), ("oracle", 5000), ("oracle", 100))}
    said = [f"A step moves {naive:.0f} MB", f'["{stale:.0f}", "{exact:.0f}", "1141", "{naive:.0f}"]',
            f'poll.answer("{exact:.0f}")', f"{table:.0f} GB each, and with Adam {3 * table:.0f}",
            f"{flop / 1e12:.1f} TFLOP, {1e3 * flop / 16e14:.1f} ms on sixteen accelerators, and the rows take "
            f"{1e3 * naive_bytes / 16 / 100e9:.2f}", f"take {1e3 * naive_bytes / 16 / 12.5e9:.1f} ms",
            f"They catch {law.top_share(5000):.3f}. For 0.85 it takes {law.rows_for_share(0.85):,} rows",
            f"from {naive:.0f} to {exact:.0f}", f"loses {hits['oracle', 5000] - hits['lru', 5000]} hits to the oracle",
            f"{len(np.unique(draws)):,} of them", f"{hits['oracle', 100] / len(draws):.3f} against "
            f"{cost.chapter_table([100])[0].hit_rate:.3f}"]
    assert [figure for figure in said if figure not in words] == []


def test_its_exit_question_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question, words = exit_question("11.7", seed), " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:g} MB." in words
    assert [f"*{number:g}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words


def test_its_poll_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    assert "0 of 0" in eval(re.search(r"`(poll\.answer\(.+?\))`", page)[1], space).title


@pytest.mark.parametrize("seed", range(6))
def test_an_exit_question_agrees_with_the_cost_model_and_its_wrong_answers_do_not(seed):
    question = exit_question("11.7", seed)
    K, lookups, distinct, dim, _, cached = (int(number.replace(",", ""))
                                            for number in re.findall(r"\d[\d,]*", question.text))
    # one law that names `distinct` rows for certain: that many rows, each asked for equally often, and often
    law = cost.zipf_popularity(0, distinct)
    step = cost.embedding_step(law, capacity=cached, batch=K * lookups * 10, lookups=1, dim=dim, workers=K)
    assert question.right(step.fetch_bytes / 1e6)
    assert [question.right(number) for number, _ in question.wrong] == [False, False]
    held = cost.embedding_step(law, capacity=cached, batch=K * lookups * 10, lookups=1, dim=dim, workers=K,
                               consistency="stale")
    assert abs(question.wrong[0][0] - held.fetch_bytes / 1e6) < 0.01 * question.wrong[0][0]
