"""The cost structure of section 11.7 in one picture: two budgets, and which lever moves which.

    memory (left)     the table as float32, with the optimizer's state, in int8, in int4, hashed
    bytes (right)     one row a lookup; less what stays at home; each id once; cached; fewer bits on the wire

Each bar of the right half is the one above it with one lever more, so that what a lever saves is what is missing.
"""

from __future__ import annotations

from pslab import cost

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, number, points, styled, type_pt

ROWS, DIM, HOSTS = 2_000_000_000, 128, 16


def terabyte_budgets(capacity: int = 5000, consistency: str | float = "stale") -> dict[str, dict[str, float]]:
    """{'memory (GB)': {what: GB of all hosts}, 'wire (MB)': {what: MB a step, one way}}, each by `pslab.cost`.

    capacity: rows of a worker's cache; consistency: of its reads, "stale", "bsp" or the s of SSP(s).
    """
    memory = {"float32": cost.table_bytes(ROWS, DIM), "with Adam's state": cost.table_bytes(ROWS, DIM, 4, 2 * DIM),
              "with row-wise AdaGrad's": cost.table_bytes(ROWS, DIM, 4, 1),
              "int8, scale, minimum": ROWS * cost.row_bytes(DIM, "int8"),
              "int4, scale, minimum": ROWS * cost.row_bytes(DIM, "int4"),
              "hashed to 10 million": cost.table_bytes(10_000_000, DIM)}
    home = {"remote_share": (HOSTS - 1) / HOSTS}
    int8 = {"wire_bytes_per_number": 1, "wire_bytes_per_row": 8}
    steps = {"one row a lookup": cost.chapter_step(0, dedup=False),
             "less what stays at home": cost.chapter_step(0, dedup=False, **home),
             "equal ids once": cost.chapter_step(0, **home),
             f"cache of {capacity:,}": cost.chapter_step(capacity, True, consistency, **home),
             "int8 on the wire": cost.chapter_step(capacity, True, consistency, **home, **int8)}
    return {"memory (GB)": {name: size / 1e9 for name, size in memory.items()},
            "wire (MB)": {name: step.fetch_bytes / 1e6 for name, step in steps.items()}}


def budgets(capacity: int = 5000, consistency: str | float = "stale") -> Picture:
    """The picture of `terabyte_budgets`: bars of memory, and a waterfall of the step's bytes."""
    found = terabyte_budgets(capacity, consistency)
    age = {"stale": "reads of any age", "bsp": "exact reads (BSP)"}.get(consistency, f"SSP({consistency})")
    title = f"Two billion rows of 128: the two budgets, {age}"
    with styled():
        figure, (left, right) = new_figure(width_in=8.6, height_in=3.3, columns=2)
        memory, wire = found.values()
        for axes, values, unit, look in ((left, memory, "all hosts (GB)", "hybrid"),
                                         (right, wire, "to the workers (MB a step)", "server")):
            axes.barh(range(len(values)), list(values.values()), 0.66, color=LOOKS[look].color, hatch=LOOKS[look].hatch)
            for at, value in enumerate(values.values()):
                axes.annotate(number(value), (value, at), xytext=(points(4), 0), textcoords="offset points",
                              va="center", color=INK, fontsize=type_pt(8.5))
            axes.set_yticks(range(len(values)), list(values))
            axes.invert_yaxis()
            axes.tick_params(axis="y", length=0)
            axes.grid(axis="x")
            axes.grid(visible=False, axis="y")
            axes.margins(x=0.17)
            axes.set_xlabel(unit)
        steps = list(wire.values())
        for at, (before, after) in enumerate(zip(steps, steps[1:]), 1):     # what this lever took away
            right.barh([at], [before - after], 0.66, left=after, facecolor="none", edgecolor=SOFT, linestyle=":")
            right.texts[at].xy = (before, at)
        left.set_title("memory")
        right.set_title("wire")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(10.5))
    rows = [[budget, name, value] for budget, values in found.items() for name, value in values.items()]
    return Picture(figure, title, Table(["budget", "what", "amount"], rows))
