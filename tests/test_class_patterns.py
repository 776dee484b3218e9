"""The class on chapter 11.0: its page, its handout, its exit questions, and what its notebook starts on GPUs."""

import re
import subprocess
import sys

import nbformat
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from test_class_pages import minutes_wrong, pdf_pages

from pslab import cost
from pslab.classroom import exit_question, handout, open_chapter, read_page, write_handout
from pslab.classroom import rehearse as rehearsal


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_00.md").read_text(encoding="utf-8")


# ---- the run-of-show page ------------------------------------------------------------------------------


def test_its_slots_fill_75_minutes_with_two_wrong_answers_each(page):
    slots = read_page(page)
    assert len(slots) == 8
    assert minutes_wrong(slots) == []
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * len(parts)


def test_its_cells_are_in_the_chapter_in_order_and_have_recorded_outputs(page, repo_root):
    chapter = open_chapter("11.0", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 20
    assert [cell.live for cell in chapter.live] == named
    stored = nbformat.read(chapter.notebook, as_version=4)
    assert [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs] == []


def test_its_figures_are_those_of_the_kit(page):
    words, K = " ".join(page.split()), 4
    broadcast, ring = cost.broadcast(80_000, K, src=1), cost.ring_all_reduce(800, 8)
    whole, pieces = 5 * 6 * 600, cost.ring_all_reduce(600, 6, itemsize=1).total
    racks = [list(range(4 * g, 4 * g + 4)) for g in range(4)]
    order = [rank for place in range(4) for rank in (rack[place] for rack in racks)]
    links = cost.all_reduce_links("ring", 16_000, 16)
    swing = cost.uplink_bytes(links, racks, order)[0].out_bytes / cost.uplink_bytes(links, racks)[0].out_bytes
    assert [figure for figure in (
        f'poll.answer("{ring.busiest / 3200:g} GB")', f"it is {broadcast.ports[1].out_bytes:,}", f"*{3 * 80_000:,}*",
        f"The answer: {whole // pieces} times, K/2", f"is {['', '', 'two', 'three', 'four'][int(swing)]} times slower",
    ) if figure not in words] == []


def test_its_exit_question_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question, words = exit_question("11.0", seed), " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:g} µs." in words
    assert [f"*{number:g}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words
    assert f"handout 11.0 --seed {seed}" in words


def test_its_poll_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    assert "0 of 0" in eval(re.search(r"`(poll\.answer\(.+?\))`", page)[1], space).title


# ---- the exit question ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_an_exit_question_agrees_with_the_formula_and_its_wrong_answers_do_not(seed):
    question = exit_question("11.0", seed)
    K, megabytes, alpha_us, gigabytes_s = (float(n) for n in re.findall(r"\d+(?:\.\d+)?", question.text))
    by_hand = 2 * (K - 1) * (alpha_us + megabytes / K / gigabytes_s * 1e3)
    assert question.answer == pytest.approx(by_hand, rel=1e-9)
    assert question.right(round(by_hand))
    assert not any(question.right(number) for number, _ in question.wrong)
    assert exit_question("11.0", seed) == question
    assert len({exit_question("11.0", other).text for other in range(40)}) > 15


# ---- the handout ---------------------------------------------------------------------------------------


def written(answers):
    with handout.rc_context(handout._RC):
        figure = handout._PAGES["11.0"](3, answers)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
        return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts], figure.bbox


@pytest.mark.parametrize("answers", [False, True])
def test_the_handout_is_one_a4_page_on_which_nothing_lies_outside_or_on_something_else(tmp_path, answers):
    data = write_handout("11.0", tmp_path / "h.pdf", answers=answers).read_bytes()
    assert pdf_pages(data) == [(pytest.approx(595.28, abs=0.5), pytest.approx(841.89, abs=0.5))]
    texts, whole = written(answers)
    assert [words for words, box in texts
            if box.x0 < 0.05 * whole.width or box.x1 > 0.96 * whole.width or box.y0 < 0 or box.y1 > whole.height] == []

    def over(one, other):
        return (min(one.x1, other.x1) - max(one.x0, other.x0) > 1
                and min(one.y1, other.y1) - max(one.y0, other.y0) > 1.5)

    assert [(a, b) for i, (a, one) in enumerate(texts) for b, other in texts[i + 1:] if over(one, other)] == []


def test_the_blanks_of_the_handout_are_filled_by_the_kit():
    empty, full = ("\n".join(words for words, _ in written(answers)[0]) for answers in (False, True))
    assert empty.count(handout.BLANK) >= 14
    assert handout.BLANK not in full.replace("_" * 22, "")
    ring = cost.ring_all_reduce(20_000, 4)
    for figure in (f"{ring.busiest // 1000} kB", f"{1e6 * cost.scatter([20_000] * 4).seconds(40e-6, 1e9):g} µs"):
        assert figure in full
        assert figure not in empty
    assert f"Answer: {exit_question('11.0', 3).answer:,.0f} µs" in full


# ---- the room's machine --------------------------------------------------------------------------------


@pytest.mark.long
def test_chapter_11_0_can_be_rehearsed_on_a_stage():
    done = rehearsal.rehearse(open_chapter("11.0"), stage=True, limit_s=60.0)
    assert done.fine, done.problems


@pytest.mark.long
def test_what_the_notebook_starts_on_gpus_runs_over_gloo_too(repo_root, tmp_path):
    """The same program as on GPUs, on two processes without any: bus bandwidths for three sizes."""
    notebook = nbformat.read(open_chapter("11.0", repo_root).notebook, as_version=4)
    needed = ("import inspect", "def my_ring", "def bus_bandwidth", "GPU_PROGRAM = ", "def on_gpus")
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.source.startswith(needed)]
    assert len(cells) == len(needed)
    file = tmp_path / "gpu_program.py"
    file.write_text("\n\n".join([*cells, "print(on_gpus(2, 'gloo').stdout)"]), encoding="utf-8")
    said = subprocess.run([sys.executable, file], text=True, capture_output=True, timeout=240).stdout
    lines = re.findall(r"(\d+) MB: fifteen lines (\d+\.\d+) GB/s, gloo (\d+\.\d+) GB/s", said)
    assert [size for size, _, _ in lines] == ["1", "16", "256"]
    assert all(float(speed) > 0 for _, *speeds in lines for speed in speeds)
