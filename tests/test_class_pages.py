"""What a class is handed: the run-of-show page, the handout, the exit question, the vote."""

import re
import zlib

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from pslab import cli, cost
from pslab.classroom import Poll, exit_question, handout, open_chapter, read_page, write_handout
from pslab.comm import SimWorld


@pytest.fixture(scope="module")
def page(repo_root):
    return (repo_root / "docs" / "class" / "11_09.md").read_text(encoding="utf-8")


# ---- the run-of-show page ------------------------------------------------------------------------------


def minutes_wrong(slots) -> list[str]:
    """Where the slots of a class leave a gap, overlap, or do not fill 75 minutes."""
    edges = [0, *(edge for slot in slots for edge in (slot.start_min, slot.end_min)), 75]
    pairs = list(zip(edges[::2], edges[1::2]))
    return [f"{before} != {after}" for before, after in pairs if before != after] + [
        slot.title for slot in slots if slot.start_min >= slot.end_min
    ]


def test_the_slots_fill_75_minutes(page):
    slots = read_page(page)
    assert len(slots) == 8
    assert minutes_wrong(slots) == []
    assert minutes_wrong(read_page(page.replace("## 20–35 min", "## 25–35 min"))) == ["20 != 25"]
    assert minutes_wrong(read_page(page.replace("## 70–75 min", "## 70–80 min"))) == ["80 != 75"]


def test_every_cell_the_page_shows_is_in_the_chapter(page, repo_root):
    chapter = open_chapter("11.9", repo_root)
    named = [mark for slot in chapter.slots for mark in slot.live]
    assert len(named) == len(set(named)) >= 12
    assert sorted(cell.live for cell in chapter.live) == sorted(named)
    assert [cell.live for cell in chapter.live] == named  # shown in the order of the notebook


def test_every_question_has_the_two_wrong_answers_to_expect(page):
    parts = re.split(r"^## \d+–\d+ min", page, flags=re.MULTILINE)[1:]
    assert [part.count("\n- Wrong: *") for part in parts] == [2] * len(parts)


def test_what_is_live_has_its_output_recorded(repo_root):
    import nbformat

    chapter = open_chapter("11.9", repo_root)
    stored = nbformat.read(chapter.notebook, as_version=4)
    silent = [cell.live for cell in chapter.live if not stored.cells[cell.number - 1].outputs]
    assert silent == []


def test_the_figures_of_the_page_are_those_of_the_kit(page):
    A = cost.accounting_11_9()
    ring, servers = cost.ring_all_reduce(800, 8), {S: cost.parameter_server(800, 8, S) for S in range(1, 9)}
    wins = min(S for S in servers if servers[S].busiest < ring.busiest)
    said = [
        f"{A.printed_dense_ratio:.1f} becomes {A.fair_dense_ratio:.2f}",
        f'"{A.fair_dense_ratio:.1f} times", "{A.printed_dense_ratio:.0f} times"',
        f"{A.ids_per_step:,}",
        f"{A.printed_sparse_ratio:,.0f} down to {A.listing_sparse_ratio:,.0f}",
        f"with {servers[4].busiest / 3200:g} times the model",
        f"carries {ring.busiest / 3200:g} times",
        f"From {['', 'one', 'two', 'three', 'four', 'five', 'six'][wins]} servers on",
        f"at {100 * cost.crossover_fraction(8, 128):.1f} % of the rows",
        f"{100 * cost.crossover_fraction(8, 128, view='direction'):.1f} %",
        f"keys make it {100 * cost.crossover_fraction(8, 1, 8):.1f} %",
    ]
    words = " ".join(page.split())
    assert [figure for figure in said if figure not in words] == []
    assert [k for k in range(2, 9) if cost.accounting_11_9(K=k).gather_over_server == 1] == [3]


def test_the_exit_question_of_the_page_is_that_of_its_seed(page):
    seed = int(re.search(r"\*\*seed (\d+)\*\*", page)[1])
    question = exit_question("11.9", seed)
    words = " ".join(page.replace("\n> ", " ").split())
    assert question.text in words
    assert f"The answer: {question.answer:.2f} times." in words
    assert [f"*{number:.2f}*" in words for number, _ in question.wrong] == [True, True]
    assert f"--seed {seed} --answer" in words
    assert f"handout 11.9 --seed {seed}" in words


def test_the_poll_of_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    (code,) = re.findall(r"```python\n(.+?)```", page, flags=re.DOTALL)
    space = {}
    exec(code, space)
    answer = re.search(r"`(poll\.answer\(.+?\))`", page)[1]
    assert "0 of 0" in eval(answer, space).title
    assert (tmp_path / "polls.json").exists()


# ---- the exit question ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_an_exit_question_agrees_with_the_formula_and_its_wrong_answers_do_not(seed):
    question = exit_question("11.9", seed)
    K, _, S = (int(number) for number in re.findall(r"\b\d+\b", re.sub(r"float32", "", question.text))[:3])
    assert question.text.startswith(f"{K} workers")
    by_hand = (K / S) / (2 * (K - 1) / K)
    assert question.answer == pytest.approx(by_hand, rel=1e-6)
    assert question.right(round(question.answer, 2))
    assert not any(question.right(number) for number, _ in question.wrong)
    assert len({round(number, 2) for number, _ in question.wrong}) == 2
    assert exit_question("11.9", seed) == question


def test_seeds_give_different_questions():
    assert len({exit_question("11.9", seed).text for seed in range(40)}) > 15
    with pytest.raises(ValueError, match="chapter '11.8' has no exit question; there are: 11.9"):
        exit_question("11.8")
    with pytest.raises(ValueError, match="seed=-1"):
        exit_question("11.9", -1)


# ---- the handout ---------------------------------------------------------------------------------------


def pdf_pages(data: bytes) -> list[tuple[float, float]]:
    """(width, height) in points of every page of a PDF as matplotlib writes it."""
    plain = data + b"".join(
        zlib.decompress(found[1]) for found in re.finditer(rb"/ObjStm.*?stream\r?\n(.+?)endstream", data, re.DOTALL)
    )
    boxes = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", plain)
    assert len(re.findall(rb"/Type /Page\b", plain)) == len(boxes)
    return [(float(width), float(height)) for width, height in boxes]


@pytest.mark.parametrize("answers", [False, True])
def test_the_handout_is_exactly_one_a4_page(tmp_path, answers):
    data = write_handout("11.9", tmp_path / "h.pdf", answers=answers).read_bytes()
    ((width, height),) = pdf_pages(data)
    assert (width, height) == (pytest.approx(595.28, abs=0.5), pytest.approx(841.89, abs=0.5))
    assert len(data) < 300_000
    assert write_handout("11.9", tmp_path / "again.pdf", answers=answers).read_bytes() == data


def test_a_second_page_or_another_size_would_be_seen(tmp_path):
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    with PdfPages(tmp_path / "two.pdf") as pages:
        pages.savefig(Figure(figsize=handout.A4_IN))
        pages.savefig(Figure(figsize=(8.5, 11)))
    first, second = pdf_pages((tmp_path / "two.pdf").read_bytes())
    assert first[1] == pytest.approx(841.89, abs=0.5)
    assert second == (612, 792)


def written(seed=0, answers=False):
    """{text on the page: its box in pixels}, and the page's box."""
    with handout.rc_context(handout._RC):
        figure = handout.page_11_9(seed, answers)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
        return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts], figure.bbox


@pytest.mark.parametrize(("seed", "answers"), [(0, False), (0, True), (9, True)])
def test_nothing_on_the_handout_lies_outside_or_on_something_else(seed, answers):
    texts, page = written(seed, answers)
    outside = [words for words, box in texts
               if box.x0 < 0.05 * page.width or box.x1 > 0.96 * page.width or box.y0 < 0 or box.y1 > page.height]
    assert outside == []

    def over(one, other):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        return wide > 1 and high > 1.5

    on_each_other = [(a, b) for i, (a, one) in enumerate(texts) for b, other in texts[i + 1:] if over(one, other)]
    assert on_each_other == []


def test_the_blanks_of_the_handout_are_filled_by_the_kit():
    empty, full = ("\n".join(words for words, _ in written(3, answers)[0]) for answers in (False, True))
    assert empty.count(handout.BLANK) >= 12
    name_line = "_" * 22
    assert handout.BLANK not in full.replace(name_line, "")
    A = cost.accounting_11_9()
    assert f"{A.fair_dense_ratio:.2f} times lighter" in full
    assert f"{A.fair_dense_ratio:.2f}" not in empty
    assert f"Answer: {exit_question('11.9', 3).answer:.2f} times" in full

    def program(comm):
        import torch

        from pslab.collectives import all_reduce

        all_reduce(comm, torch.zeros(1000))

    busiest = SimWorld(4).run(program).ledger.port(0, "vals")[0]
    assert f"carries {busiest * 1000 / 1e6:g} MB out" in full  # the page's model is a thousand times this one


def test_a_handout_that_cannot_be_made_is_told(tmp_path, capsys):
    with pytest.raises(ValueError, match="'11.8' has no handout; there are: 11.9"):
        write_handout("11.8", tmp_path / "h.pdf")
    with pytest.raises(ValueError, match=r"ends in \.pdf or \.png"):
        write_handout("11.9", tmp_path / "h.txt")
    assert cli.main(["class", "handout", "11.9"]) == 2
    assert "--out" in capsys.readouterr().err


def test_the_commands(tmp_path, capsys):
    plain, other, solved = (tmp_path / f"{name}.png" for name in "abc")
    assert cli.main(["class", "handout", "11.9", "--out", str(plain)]) == 0
    assert cli.main(["class", "handout", "11.9", "--out", str(other), "--seed", "5"]) == 0
    assert cli.main(["class", "handout", "11.9", "--out", str(solved), "--answers"]) == 0
    assert len({file.read_bytes() for file in (plain, other, solved)}) == 3
    capsys.readouterr()
    assert cli.main(["class", "question", "11.9", "--seed", "5"]) == 0
    asked = capsys.readouterr().out
    assert exit_question("11.9", 5).text in asked
    assert "comes from" not in asked
    cli.main(["class", "question", "11.9", "--seed", "5", "--answer"])
    assert "comes from: both directions" in capsys.readouterr().out


# ---- the vote ------------------------------------------------------------------------------------------


def test_a_vote_is_kept_shown_and_found_again(tmp_path):
    file = tmp_path / "deep" / "votes.json"
    poll = Poll("Which?", ["ring", "server", "both"], file=file)
    drawn = poll.vote([4, 0, 17])
    assert drawn.table.column("votes (count)") == [4, 0, 17]
    again = Poll("Which?", ["ring", "server", "both"], file=file)
    assert again.votes == [4, 0, 17]
    assert again.answer("both").title == "Which? It is both: 17 of 21"
    other = Poll("Why?", ["a", "b"], file=file)
    other.vote([1, 2])
    assert Poll("Which?", ["ring", "server", "both"], file=file).votes == [4, 0, 17]
    assert Poll("Which?", ["ring", "server"], file=file).votes == [0, 0]  # other options: another poll


@pytest.mark.parametrize(("votes", "said"), [([1], "1 numbers"), ([1, -1], "0 or more"), ([1, 0.5], "hands")])
def test_votes_that_are_none_are_refused(tmp_path, votes, said):
    poll = Poll("Which?", ["a", "b"], file=tmp_path / "v.json")
    with pytest.raises(ValueError, match=said):
        poll.vote(votes)
    assert poll.votes == [0, 0]
    assert not (tmp_path / "v.json").exists()


def test_a_poll_needs_different_options_and_a_right_one(tmp_path):
    with pytest.raises(ValueError, match="two or more different"):
        Poll("Which?", ["a", "a"], file=tmp_path / "v.json")
    with pytest.raises(ValueError, match="right='c'"):
        Poll("Which?", ["a", "b"], file=tmp_path / "v.json").answer("c")
    (tmp_path / "v.json").write_text("{ half")
    with pytest.raises(ValueError, match="no file of votes"):
        Poll("Which?", ["a", "b"], file=tmp_path / "v.json")
