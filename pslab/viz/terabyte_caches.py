"""Hit rates of cache policies: over the capacity on streams of ids, and over the exponent of a Zipf.

    LRU, LFU     as they run, from empty                Belady    who knows the future, from empty
    top-k        the k most frequent ids of the whole stream, there from the beginning: hindsight, and it never moves

On a Zipf drawn id by id top-k is hard to beat; on a stream with a course of its own (users who come, rate and leave)
the same k rows held for ever catch next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pslab.data import movielens_items, movielens_users, text8_words, zipf

from .charts import curve
from .picture import Picture, Table, new_figure
from .style import INK, look_of, styled, type_pt

POLICIES = ("LRU", "LFU", "Belady", "top-k")
_LOOKS = {"LRU": "allreduce", "LFU": "hybrid", "Belady": "ink", "top-k": "server"}


def cache_hit_rates(ids, capacities: Sequence[int], policies: Sequence[str] = POLICIES) -> dict[str, list[float]]:
    """{policy: hit rate at each capacity} on one stream of ids (n,), every policy from the first id on."""
    ids = np.asarray(ids)
    if not len(ids):
        raise ValueError("ids is empty; at least one lookup is needed")
    for policy in policies:
        if policy not in POLICIES:
            raise ValueError(f"policies={list(policies)}; allowed: {', '.join(map(repr, POLICIES))}")
    for capacity in capacities:
        if isinstance(capacity, bool) or capacity < 1:
            raise ValueError(f"capacities={list(capacities)}; whole numbers from 1 are needed")
    return {policy: _rates(policy, ids, list(capacities)) for policy in policies}


def cache_curves(streams: Mapping[str, Sequence] | None = None, capacities: Sequence[int] = (5, 20, 100, 500),
                 lookups: int = 30_000) -> Picture:
    """Hit rate over capacity, a panel a stream. None: MovieLens users and items in time order, and words of text8.

    lookups: of each stream the first so many.
    """
    if streams is None:
        found = (movielens_users(), movielens_items(), text8_words(lookups))
        streams = {stream.name.replace(" in place of", ","): stream.ids for stream in found}
    if not streams:
        raise ValueError("streams is empty; at least one {name: ids} is needed")
    rows, most = [], len(streams)
    with styled():
        figure, axes = new_figure(width_in=2.2 + 2.5 * most, height_in=3.0, columns=most, squeeze=False)
        for panel, (name, ids) in zip(axes[0], streams.items()):
            rates = cache_hit_rates(np.asarray(ids)[:lookups], capacities)
            for policy, values in rates.items():
                look = look_of(_LOOKS[policy])
                panel.plot(capacities, values, color=look.color, marker=look.marker, label=policy)
                rows.append([name, policy, *values])
            panel.set_xscale("log")
            panel.set_xticks(capacities, [f"{c:,}" for c in capacities])
            panel.minorticks_off()
            panel.set_ylim(0, 1)
            panel.set_xlabel("capacity (rows)")
            panel.set_ylabel("hit rate (share)")
            panel.set_title(name, fontsize=type_pt(9.5))
        axes[0][-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), labelcolor=INK)
    title = f"Hit rates of a cache on the first {lookups:,} lookups"
    return Picture(figure, title, Table(["stream", "policy", *(f"{c:,} rows" for c in capacities)], rows))


def cache_by_exponent(capacity: int = 200, exponents: Sequence[float] = (0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4),
                      rows: int = 20_000, lookups: int = 20_000, seed: int = 0) -> Picture:
    """Hit rate at one capacity over the exponent of a drawn Zipf: how far LRU stays behind, exercise 11.7.2."""
    if not exponents:
        raise ValueError("exponents is empty; at least one is needed")
    each = [cache_hit_rates(zipf(a, rows, lookups, seed), [capacity]) for a in exponents]
    series = {policy: [rates[policy][0] for rates in each] for policy in POLICIES}
    return curve(list(exponents), series, xlabel="exponent of the Zipf (no unit)", ylabel="hit rate (share of lookups)",
                 title=f"{capacity:,} of {rows:,} rows cached, {lookups:,} lookups", looks=_LOOKS)


def _rates(policy: str, ids: np.ndarray, capacities: list[int]) -> list[float]:
    from pslab.embedding import LFU, Belady, miss_curve  # here: torch comes with it, and few pictures need it

    if policy == "LRU":
        misses = miss_curve(ids, max(capacities))
        return [float(len(ids) - misses[capacity]) / len(ids) for capacity in capacities]
    if policy == "top-k":
        counts = np.sort(np.unique(ids, return_counts=True)[1])[::-1]
        return [float(counts[:capacity].sum()) / len(ids) for capacity in capacities]
    caches = [LFU(capacity) if policy == "LFU" else Belady(capacity, ids) for capacity in capacities]
    return [float(cache.access_all(ids).mean()) for cache in caches]
