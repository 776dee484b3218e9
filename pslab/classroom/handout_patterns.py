"""The handout of chapter 11.0: one A4 page with the eight patterns, their times, an example, and blanks to fill.

    ┌──────────────────────────────┐
    │ title            name  date  │
    │ eight patterns of four ranks │   the names of four are blanks
    │ time of each pattern         │   two formulas are blanks
    │ example, with blanks         │   every figure from pslab.cost
    │ sentences to complete        │
    │ exit question, its seed      │
    └──────────────────────────────┘
"""

from __future__ import annotations

from math import cos, pi, sin

from matplotlib.figure import Figure

from pslab import cost, viz

from .handout import A4_IN, BLUE, FOOT, LEFT, RIGHT, SOFT, _arrow, _dot, _exit, _Page, _rule

RING = [(rank, (rank + 1) % 4) for rank in range(4)]
# (name, its name is a blank, in words, who sends to whom)
PATTERNS = (("broadcast", False, "one has it, all get it", [(0, 1), (0, 2), (1, 3)]),
            ("scatter", True, "one has a piece for each", [(0, 1), (0, 2), (0, 3)]),
            ("all-gather", False, "each has a piece, all get all", RING),
            ("all-to-all", True, "each has a piece for each", [(a, b) for a in range(4) for b in range(4) if a != b]),
            ("reduce", True, "one gets the sum", [(2, 0), (3, 1), (1, 0)]),
            ("gather", False, "one gets all pieces", [(1, 0), (2, 0), (3, 0)]),
            ("reduce-scatter", True, "each gets a piece of the sum", RING),
            ("all-reduce", False, "all get the sum", RING))
EXAMPLE_BYTES, ALPHA_S, BANDWIDTH_BPS = 80_000, 40e-6, 1e9          # the chapter's lines and its tensor


def page_11_0(seed: int, answers: bool) -> Figure:
    """The page of chapter 11.0 as a figure of A4 size."""
    page = _Page(Figure(figsize=A4_IN), answers)
    page.text("11.0  Communication patterns", size=15, weight="bold", step=0.0)
    page.figure.text(RIGHT, page.y, "name ______________________", fontsize=9, va="top", ha="right")
    page.y -= 0.030
    page.text("K ranks; a tensor of n bytes, or K pieces of n/K bytes; α seconds a message, β seconds a byte "
              "(1/bandwidth).", size=7.9, color=SOFT, step=0.022)
    _pictures(page)
    _formulas(page)
    _example(page)
    _sentences(page)
    _exit(page, seed, "11.0")
    page.figure.text(LEFT, FOOT, f"pslab · text and figures CC BY 4.0 · seed {seed}", fontsize=7.5, color=SOFT)
    return page.figure


def _pictures(page: _Page) -> None:
    """Four ranks in a circle for each pattern, an arrow for each link that carries something."""
    page.head("Who sends to whom: name the pattern")
    width, height = (RIGHT - LEFT) / 4, 0.095
    for i, (name, blank, words, links) in enumerate(PATTERNS):
        row, column = divmod(i, 4)
        top = page.y - row * (height + 0.042)
        axes = page.figure.add_axes((LEFT + column * width, top - height - 0.012, width * 0.92, height))
        axes.set_xlim(-1.9, 1.9)
        axes.set_ylim(-1.3, 1.3)
        axes.axis("off")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_title(page.blank(name) if blank else name, fontsize=9, loc="center", pad=1)
        axes.text(0, -1.55, words, fontsize=7.5, ha="center", va="top", color=SOFT)
        places = [(sin(2 * pi * rank / 4), cos(2 * pi * rank / 4)) for rank in range(4)]
        for src, dst in links:
            _arrow(axes, places[src], places[dst], BLUE)
        for rank, place in enumerate(places):
            _dot(axes, place, BLUE, "o", f"{rank}")
    page.y -= 2 * (height + 0.042) + 0.002


def _formulas(page: _Page) -> None:
    page.head("Time, when a port sends and receives one message at a time")
    for name, formula, blank in (
            ("broadcast, reduce (binomial tree)", r"$\lceil\log_2 K\rceil\,(\alpha + n\beta)$", False),
            ("scatter, gather", r"$(K-1)\,(\alpha + \frac{n}{K}\beta)$", True),
            ("all-gather, reduce-scatter, all-to-all", r"$(K-1)\,(\alpha + \frac{n}{K}\beta)$", False),
            ("all-reduce by a ring", r"$2(K-1)\,(\alpha + \frac{n}{K}\beta)$", True),
            ("barrier", r"$\lceil\log_2 K\rceil\,\alpha$", False)):
        page.text(name, step=0.0)
        page.text(page.blank(formula) if blank else formula, x=0.45, size=10.5, step=0.026)


def _example(page: _Page) -> None:
    K, elements, piece = 4, EXAMPLE_BYTES // 4, EXAMPLE_BYTES // 4
    page.head(f"An example: K = {K}, n = {viz.sized(EXAMPLE_BYTES)}, α = {1e6 * ALPHA_S:g} µs, "
              f"{BANDWIDTH_BPS / 1e9:g} GB/s")
    rows = [("", "you expect", "busiest port sends", "time, α–β formula")]
    for name, traffic, blank in (("broadcast", cost.broadcast(EXAMPLE_BYTES, K), True),
                                 ("scatter", cost.scatter([piece] * K), False),
                                 ("all-reduce, ring", cost.ring_all_reduce(elements, K), True),
                                 ("all-reduce, binomial tree", cost.binomial_all_reduce(elements, K), False)):
        sent = viz.sized(max(port.out_bytes for port in traffic.ports))
        time = f"{1e6 * traffic.seconds(ALPHA_S, BANDWIDTH_BPS):g} µs"
        rows.append((name, "", page.blank(sent) if blank else sent, time if blank else page.blank(time)))
    for number, row in enumerate(rows):
        for x, cell in zip((LEFT, 0.36, 0.52, 0.74), row):
            page.figure.text(x, page.y, cell, fontsize=9, va="top", weight="bold" if number == 0 else "normal")
        page.y -= 0.0205
        page.figure.add_artist(_rule(page.y + 0.0045, 0.8 if number == 0 else 0.3))
    page.y -= 0.002


def _sentences(page: _Page) -> None:
    page.head("Complete")
    whole, pieces = page.blank("K/2"), page.blank("a K-th")
    for words in (
            f"1.  An all-reduce is a {page.blank('reduce-scatter')} followed by an {page.blank('all-gather')}.",
            f"2.  In each step a ring sends {pieces} of the tensor. Who sends all of it",
            f"     moves {whole} times as many bytes in the end.",
            f"3.  With {page.blank('two or three')} ranks the ring is never slower than the tree.",
            f"4.  On racks the ring's order of ranks decides how much crosses {page.blank('the uplinks')}."):
        page.text(words, step=0.0225)
