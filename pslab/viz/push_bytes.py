"""What a worker's step moves: bytes of keys and values for a pull and a push of the same rows, filtered or not.

    way                      pull: keys up   rows down   push: keys up   gradients up      n rows of D numbers
    keys and float32         8n              4nD         8n              4nD
    pushpull                 -               4nD         8n              4nD
    key caching              8n, known: 8    4nD         8               4nD               the push repeats the list
    fp16                     8n              2nD         8n              2nD
    int8                     8n              n(D + 4)    8n              n(D + 4)          a scale a row
    significant rows         8n              4nD         8qn             4qnD              a share q of the rows
    a range                  0               4nD         0               4nD               contiguous rows only

Headers, some twenty bytes a letter, are left out.
"""

from __future__ import annotations

from .duel import redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, bytes_unit, number, points, styled, type_pt

KEY_BYTES = 8
PARTS = (("pull: keys", "server"), ("pull: rows", "sky"), ("push: keys", "amber"), ("push: gradients", "allreduce"))


def push_pull_bytes(rows: int = 1000, dim: int = 1, *, known: bool = False, share: float = 1.0) -> dict[str, tuple]:
    """{way: bytes of the four PARTS} for a pull and a push of `rows` rows of `dim` numbers, from one server.

    known: the server has seen this list of keys in an earlier step (key caching). share: of the rows, those whose
    gradient is significant. "all three" is key caching, fp16 and significant rows together.
    """
    for argument, value in (("rows", rows), ("dim", dim)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{argument}={value!r}; a whole number from 1 is needed")
    if not 0 <= share <= 1:
        raise ValueError(f"share={share!r}; a share from 0 to 1 is needed")
    sent = round(share * rows)
    keys, vals = KEY_BYTES * rows, 4 * rows * dim
    first = KEY_BYTES if known else keys
    # rows that are held back make the push's list another one than the pull's, and a new one each time
    second = KEY_BYTES if sent == rows else KEY_BYTES * sent
    return {"keys and float32": (keys, vals, keys, vals),
            "pushpull": (0, vals, keys, vals),
            "key caching": (first, vals, KEY_BYTES, vals),
            "fp16": (keys, vals // 2, keys, vals // 2),
            "int8": (keys, rows * (dim + 4), keys, rows * (dim + 4)),
            "significant rows": (keys, vals, KEY_BYTES * sent, 4 * sent * dim),
            "all three": (first, vals // 2, second, 2 * sent * dim),
            "a range": (0, vals, 0, vals)}


def push_bytes(rows: int = 1000, dim: int = 1, known: bool = False, share: float = 1.0) -> Picture:
    """The bytes of `push_pull_bytes` as stacked bars, one for each way; the total at its end."""
    found = push_pull_bytes(rows, dim, known=known, share=share)
    most = max(sum(parts) for parts in found.values())
    unit_bytes, unit = bytes_unit(most)
    title = (f"{rows:,} row{'s' * (rows > 1)} of {dim} number{'s' * (dim > 1)}, list "
             f"{'known' if known else 'new'}, {share:.0%} significant")
    with styled():
        figure, axes = new_figure(height_in=3.9)
        starts = [0.0] * len(found)
        for place, (part, look) in enumerate(PARTS):
            widths = [parts[place] / unit_bytes for parts in found.values()]
            axes.barh(range(len(found)), widths, 0.7, left=starts, color=LOOKS[look].color, hatch=LOOKS[look].hatch,
                      label=part)
            starts = [start + width for start, width in zip(starts, widths)]
        for at, total in enumerate(starts):
            axes.annotate(number(total), (total, at), xytext=(points(4), 0), textcoords="offset points", va="center",
                          color=INK, fontsize=type_pt(8.5))
        axes.set_yticks(range(len(found)), list(found))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.12)
        axes.set_xlabel(f"keys and values of a step ({unit})")
        axes.set_title(title)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, labelcolor=INK)
    base = sum(found["keys and float32"])
    twin = [[way, *parts, sum(parts), f"{sum(parts) / base:.0%}"] for way, parts in found.items()]
    columns = ["way", *(f"{part} (B)" for part, _ in PARTS), "sum (B)", "of the first"]
    return Picture(figure, title, Table(columns, twin))


def push_bytes_widget():
    """Controls for rows, dim, known and share over `push_bytes`'s picture, and the same numbers in a table below."""
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    return redrawn(push_bytes, {
        "rows": ipywidgets.SelectionSlider(options=[1, 10, 100, 1000, 10_000, 100_000], value=1000, description="rows",
                                           continuous_update=False),
        "dim": ipywidgets.SelectionSlider(options=[1, 2, 4, 8, 16, 64, 128], value=1, description="numbers a row",
                                          style={"description_width": "initial"}, continuous_update=False),
        "known": ipywidgets.Checkbox(value=False, description="server knows the list"),
        "share": ipywidgets.FloatSlider(value=1.0, min=0.0, max=1.0, step=0.05, description="significant",
                                        readout_format=".0%", continuous_update=False)})
