"""How many different rows a batch of a real stream touches, against two expectations that know less and less of it.

    in its order      counted: the stream cut in batches, the mean of their distinct ids
    order forgotten   its ids drawn independently, each as often as it occurs: Σ 1 − (1 − p)^n
    Zipf(a)           the counts forgotten too: ids of the one-parameter law that fits them best

Where the first lies below the second, ids come in bursts (a user who rates for an hour, a word of one article). Where
it lies above, they avoid each other (nobody rates a film twice), or so few were seen that most have not shown up yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pslab import cost

from .picture import Picture, Table, new_figure
from .style import INK, look_of, style_name, styled, type_pt

_LISTED = 1 << 14
_LOOKS = {"in its order": "server", "order forgotten": "allreduce", "Zipf": "other"}


def distinct_rows(ids: Sequence[int], sizes: Sequence[int]) -> list[float]:
    """Mean number of distinct ids in the stream's consecutive batches of each size; what is left over is left out."""
    ids = np.asarray(ids)
    means = []
    for size in sizes:
        if isinstance(size, bool) or not 1 <= size <= len(ids):
            raise ValueError(f"sizes={list(sizes)}; whole numbers from 1 to the stream's {len(ids):,} ids are needed")
        ordered = np.sort(ids[:len(ids) // size * size].reshape(-1, size), axis=1)
        means.append(float(1 + (np.diff(ordered, axis=1) != 0).sum(axis=1).mean()))
    return means


def fitted_exponent(ids: Sequence[int]) -> float:
    """The exponent in 0..3 of the Zipf over the stream's distinct ids under which its counts are likeliest.

    Ids are ranked by their counts. The logarithm of the likelihood is concave in the exponent: thirds close in on it.
    """
    counts = np.sort(np.unique(np.asarray(ids), return_counts=True)[1])[::-1]
    if not len(counts):
        raise ValueError("ids is empty; at least one look-up is needed")
    logs = np.log(np.arange(1, len(counts) + 1))
    mean_log = float(counts @ logs) / counts.sum()
    low, high = 0.0, 3.0
    while high - low > 1e-4:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        worse = [a * mean_log + np.log(np.exp(-a * logs).sum()) for a in (left, right)]
        low, high = (low, right) if worse[0] < worse[1] else (left, high)
    return (low + high) / 2


def touched_streams(streams: Mapping[str, Sequence], sizes: Sequence[int] = (16, 64, 256, 1024)) -> Picture:
    """A panel a stream {name: ids}: distinct rows of a batch, as counted and as expected. See the file's docstring.

    Sizes beyond a quarter of a stream are left out of its panel: there would be no batches to take a mean of.
    """
    if not streams:
        raise ValueError("streams is empty; at least one {name: ids} is needed")
    rows = []
    with styled():
        across = 2 if style_name() == "stage" and len(streams) > 2 else len(streams)    # titles need room on a stage
        figure, axes = new_figure(width_in=1.6 + 2.3 * len(streams), height_in=3.1, columns=across,
                                  rows=-(-len(streams) // across), squeeze=False)
        for panel in axes.flat[len(streams):]:
            panel.remove()
        for panel, (name, ids) in zip(axes.flat, streams.items()):
            ids = np.asarray(ids)
            own = [n for n in sizes if 4 * n <= len(ids)]
            if not own:
                raise ValueError(f"sizes={list(sizes)} of stream {name!r}, which has {len(ids)} ids; one of at most a "
                                 "quarter of them is needed")
            exponent = fitted_exponent(ids)
            law = cost.popularity_of(ids)
            zipf = cost.zipf_popularity(exponent, law.rows, _LISTED)
            series = {"in its order": distinct_rows(ids, own), "order forgotten": [law.expected_unique(n) for n in own],
                      "Zipf": [zipf.expected_unique(n) for n in own]}
            for label, values in series.items():
                look = look_of(_LOOKS[label])
                shares = [100 * v / n for v, n in zip(values, own)]
                panel.plot(own, shares, "--" if label == "Zipf" else "-", color=look.color, marker=look.marker,
                           label="fitted Zipf" if label == "Zipf" else label)
                shown = f"Zipf({exponent:.2f})" if label == "Zipf" else label
                rows.append([name, shown, *([round(v, 1) for v in values] + ["-"] * (len(sizes) - len(own)))])
            panel.set_xscale("log", base=2)
            panel.set_xticks(sizes[::2], [f"{n:,}" for n in sizes[::2]])
            panel.set_ylim(0, 105)
            panel.set_xlim(0.8 * min(sizes), 1.25 * max(sizes))
            panel.minorticks_off()
            panel.set_xlabel("look-ups (count)")
            panel.set_title(name, fontsize=type_pt(9.5))
            panel.set_ylabel("distinct rows (%)")
        axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), labelcolor=INK)
    title = "Distinct rows for a hundred look-ups: counted, and expected"
    return Picture(figure, title, Table(["stream", "", *(f"{n:,} look-ups" for n in sizes)], rows))
