"""The handout of chapter 11.9: one A4 page with the two pictures, the formulas, a comparison, and blanks to fill.

    ┌──────────────────────────────┐
    │ title            name  date  │
    │ ring picture  server picture │   the bytes on two arrows are blanks
    │ formulas                     │
    │ comparison, with blanks      │   every figure from pslab.cost
    │ three sentences to complete  │
    │ exit question, its seed      │
    └──────────────────────────────┘

Drawn with matplotlib, so that it needs no browser and no LaTeX. That of chapter 11.0: handout_patterns.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from pslab import cost, viz

from .questions import exit_question

A4_IN = (210 / 25.4, 297 / 25.4)
LEFT, RIGHT = 0.09, 0.91
FORMULA = 0.40
FOOT = 0.025
INK, SOFT = "#333333", "#767676"
BLUE, VERMILION = viz.LOOKS["allreduce"].color, viz.LOOKS["server"].color
BLANK = "____________"
_RC = {"font.family": "DejaVu Sans", "font.size": 9.5, "text.color": INK, "pdf.fonttype": 42,
       "mathtext.fontset": "dejavusans"}


@dataclass
class _Page:
    """The figure and how far down it is written, as a share of its height from the top; `answers` fills the blanks."""

    figure: Figure
    answers: bool
    y: float = 0.955

    def text(self, words: str, *, x: float = LEFT, size: float = 9.5, step: float = 0.021, **look) -> None:
        """A line of words at the place reached, then `step` further down."""
        self.figure.text(x, self.y, words, fontsize=size, va="top", **look)
        self.y -= step

    def blank(self, answer: str) -> str:
        return answer if self.answers else BLANK

    def head(self, words: str) -> None:
        self.y -= 0.008
        self.text(words, size=10.5, weight="bold", step=0.024)


def has_handout(chapter: str) -> bool:
    """Whether there is a page to print for this chapter."""
    return chapter in _PAGES


def write_handout(chapter: str, out: str | Path, *, seed: int = 0, answers: bool = False) -> Path:
    """Write the handout of `chapter` to `out` (.pdf or .png), with the exit question of `seed`; returns the path.

    answers: the blanks filled in, for the person who teaches.
    """
    if chapter not in _PAGES:
        raise ValueError(f"chapter {chapter!r} has no handout; there are: {', '.join(_PAGES)}")
    out = Path(out)
    if out.suffix not in (".pdf", ".png"):
        raise ValueError(f"out={str(out)!r}; a name that ends in .pdf or .png is needed")
    with rc_context(_RC):
        figure = _PAGES[chapter](seed, answers)
        if out.suffix == ".pdf":
            # no date in it: the same seed gives the same file
            FigureCanvasPdf(figure).print_pdf(out, metadata={"CreationDate": None, "Title": f"pslab {chapter}"})
        else:
            figure.set_dpi(150)
            FigureCanvasAgg(figure).print_png(out)
    return out


def page_11_9(seed: int, answers: bool) -> Figure:
    """The page of chapter 11.9 as a figure of A4 size."""
    page = _Page(Figure(figsize=A4_IN), answers)
    page.text("11.9  Parameter server vs all-reduce", size=15, weight="bold", step=0.0)
    page.figure.text(RIGHT, page.y, "name ______________________", fontsize=9, va="top", ha="right")
    page.y -= 0.030
    page.text("K workers, S servers, P dense parameters, b bytes a number; V rows of D numbers, n of them touched by a "
              "worker.", size=7.9, color=SOFT, step=0.034)
    _pictures(page)
    _formulas(page)
    _comparison(page)
    _sentences(page)
    _exit(page, seed, "11.9")
    page.figure.text(LEFT, FOOT, f"pslab · text and figures CC BY 4.0 · seed {seed}", fontsize=7.5, color=SOFT)
    return page.figure


def _pictures(page: _Page) -> None:
    """Four workers in a ring; four workers and a server: who sends what to whom, one arrow of each left to label."""
    P, K = 1_000_000, 4
    ring, server = cost.ring_all_reduce(P, K), cost.parameter_server(P, K, 1)
    height = 0.20
    boxes = [page.figure.add_axes((LEFT + 0.42 * i, page.y - height, 0.40, height)) for i in range(2)]
    titles = (f"Ring: every port carries {page.blank(viz.sized(ring.busiest))} out",
              f"One server: its port takes in {page.blank(viz.sized(server.servers[0].in_bytes))}")
    for axes, title in zip(boxes, titles):
        axes.set_xlim(-1.5, 1.5)
        axes.set_ylim(-1.3, 1.45)
        axes.axis("off")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(title, fontsize=9, loc="left", pad=2)
    places = [(0.95 * sin(2 * pi * r / K), 0.95 * cos(2 * pi * r / K)) for r in range(K)]
    for r, place in enumerate(places):
        _arrow(boxes[0], place, places[(r + 1) % K], BLUE)
        _dot(boxes[0], place, BLUE, "o", f"{r}")
    column = [(-1.0, 1.05 - 0.7 * r) for r in range(K)]
    for r, place in enumerate(column):
        _arrow(boxes[1], place, (1.0, 0.0), VERMILION, 0.10)
        _arrow(boxes[1], (1.0, 0.0), place, VERMILION, 0.10)
        _dot(boxes[1], place, BLUE, "o", f"{r}")
    _dot(boxes[1], (1.0, 0.0), VERMILION, "s", "S")
    page.y -= height + 0.006
    page.text(f"P = {P:,} float32 parameters, K = {K}, one direction.", size=8.5, color=SOFT, step=0.014)


def _formulas(page: _Page) -> None:
    page.head("Bytes through the busiest port, in one direction")
    for name, formula in (
            ("ring all-reduce, dense", r"$2\,\frac{K-1}{K}\,P\,b$       in $2(K-1)$ rounds of one latency each"),
            ("S servers, dense", r"$\max(\frac{K}{S},\,1)\,P\,b$"),
            ("S servers, n rows, keys left out", r"$\max(\frac{K}{S},\,1)\,n\,D\,b$"),
            ("sparse all-gather, keys left out", r"$(K-1)\,n\,D\,b$       and every worker holds the whole table")):
        page.text(name, step=0.0)
        page.text(formula, x=FORMULA, size=10.5, step=0.027)
    page.text("a dense all-reduce is lighter in all if", step=0.0)
    page.text(r"$\frac{n}{V} > \frac{K-1}{K}\cdot\frac{Db}{Db+\mathrm{key}}$       against one server", x=FORMULA,
              size=10.5, step=0.028)


def _comparison(page: _Page) -> None:
    A = cost.accounting_11_9()
    page.head(f"The printed example: K = {A.K}, P = {A.P // 10**6} million, V = {A.V // 10**6} million, "
              f"D = {A.D}, n = {A.ids_per_step:,}")
    gather = cost.sparse_all_gather(A.ids_per_step, A.K, A.D * A.bytes_per_param)
    sparse = cost.sparse_server(A.ids_per_step, A.K, 1, A.D * A.bytes_per_param)
    rows = [("", "you expect", "busiest port, one way", "all links"),
            ("dense step, ring", "", viz.sized(A.ring_one_way), viz.sized(A.ring_total)),
            ("dense step, one server", "", page.blank(viz.sized(A.server_one_way)),
             viz.sized(cost.parameter_server(A.P, A.K, 1).total)),
            ("table, dense all-reduce", "", viz.sized(A.table_ring_one_way), viz.sized(A.table_ring_total)),
            ("table, one server, with keys", "", viz.sized(sparse.busiest), page.blank(viz.sized(sparse.total))),
            ("table, sparse all-gather, with keys", "", viz.sized(gather.busiest), page.blank(viz.sized(gather.total)))]
    places = (LEFT, 0.39, 0.53, 0.77)
    for number, row in enumerate(rows):
        for x, cell in zip(places, row):
            page.figure.text(x, page.y, cell, fontsize=9, va="top", weight="bold" if number == 0 else "normal")
        page.y -= 0.0205
        page.figure.add_artist(_rule(page.y + 0.0045, 0.8 if number == 0 else 0.3))
    page.y -= 0.002


def _sentences(page: _Page) -> None:
    A = cost.accounting_11_9()
    page.head("Complete")
    fair, printed = page.blank(f"{A.fair_dense_ratio:.2f}"), f"{A.printed_dense_ratio:.1f}"
    both, one = page.blank("both directions"), page.blank("one direction")
    for words in (
            f"1.  Counted alike, the ring's busiest port is {fair} times lighter; the printed {printed} counts",
            f"     {both} at the server and {one} at the ring.",
            f"2.  A worker that did not touch a row contributes {page.blank('a zero')} to the mean, so the sum",
            f"     is divided by {page.blank('K')}.",
            f"3.  For a table the first question is: {page.blank('does a copy fit on a worker?')}",
            f"     and the second: {page.blank('which way moves the fewest bytes?')}"):
        page.text(words, step=0.0225)


def _exit(page: _Page, seed: int, chapter: str) -> None:
    question = exit_question(chapter, seed)
    page.head(f"On the way out (seed {seed})")
    for line in _wrapped(question.text, 95):
        page.text(line, step=0.0195)
    filled = f"{question.answer:,.2f}".removesuffix(".00") if page.answers else BLANK
    page.text(f"Answer: {filled} {question.unit}", weight="bold", step=0.024)


def _wrapped(words: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(words, width)


def _dot(axes, place, color: str, marker: str, label: str) -> None:
    axes.plot(*place, marker, color=color, markersize=15, zorder=4)
    axes.text(*place, label, color="white", ha="center", va="center", fontsize=8.5, weight="bold", zorder=5)


def _arrow(axes, start, end, color: str, bend: float = 0.14) -> None:
    axes.add_patch(FancyArrowPatch(start, end, connectionstyle=f"arc3,rad={bend}", arrowstyle="-|>", mutation_scale=11,
                                   shrinkA=9, shrinkB=9, color=color, linewidth=1.4, alpha=0.85))


def _rule(y: float, width: float):
    from matplotlib.lines import Line2D

    return Line2D([LEFT, RIGHT], [y, y], color=SOFT, linewidth=width)


def _page_11_0(seed: int, answers: bool) -> Figure:
    from .handout_patterns import page_11_0  # which is made of what stands above

    return page_11_0(seed, answers)


_PAGES = {"11.9": page_11_9, "11.0": _page_11_0}
