"""How long a round takes when any worker may be slow, and what backup workers buy: closed form and drawn rounds.

    left    mean time of a round over K = 1 ... 256 workers: waiting for all, and for all but b; dots: drawn rounds
    right   gradients a second for the K that is chosen, beside those of K workers that are never slow

A step takes 1, with probability p it takes f. A round that waits for K - b of K workers is slow when more than b are:

    mean round = 1 + (f - 1) · P(more than b of K slow)          a binomial tail; b = 0: 1 - (1 - p)^K
"""

from __future__ import annotations

import math

import numpy as np

from .duel import redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, number, points, styled, type_pt

K_MAX = 256
ROUNDS = 2_000              # that are drawn for a dot


def slow_rounds(K: int, probability: float, backup: int = 0) -> float:
    """The share of rounds that are slow: that more than `backup` of K workers are, independently, each with p."""
    if isinstance(K, bool) or not isinstance(K, int) or not 1 <= K <= K_MAX:
        raise ValueError(f"K={K!r}; a whole number from 1 to {K_MAX} is needed")
    if not 0 <= probability <= 1:
        raise ValueError(f"probability={probability!r}; a number from 0 to 1 is needed")
    if isinstance(backup, bool) or not isinstance(backup, int) or not 0 <= backup < K:
        raise ValueError(f"backup={backup!r}; a whole number from 0 to K - 1 = {K - 1} is needed")
    in_time = sum(math.comb(K, slow) * probability**slow * (1 - probability)**(K - slow) for slow in range(backup + 1))
    return max(0.0, 1 - in_time)


def round_time(K: int, probability: float, slowdown: float, backup: int = 0) -> float:
    """Mean time of a round, in steps of a worker that is not slow; slowdown: f, 1 or more."""
    if not 1 <= slowdown < math.inf:
        raise ValueError(f"slowdown={slowdown!r}; a finite number from 1 is needed")
    return 1 + (slowdown - 1) * slow_rounds(K, probability, backup)


def drawn_rounds(K: int, probability: float, slowdown: float, backup: int = 0, *, seed: int = 0,
                 rounds: int = ROUNDS) -> float:
    """The mean of so many rounds whose steps are drawn: the (K - b)-th smallest of K times, no formula used."""
    slow = np.random.default_rng((seed, K)).random((rounds, K)) < probability
    return float(np.sort(np.where(slow, slowdown, 1.0), axis=1)[:, K - 1 - backup].mean())


def rounds(K: int = 100, probability: float = 0.01, slowdown: float = 2.0, backup: int = 0, *,
           seed: int = 0) -> Picture:
    """Draw the mean time of a round over K, with and without `backup` workers, and the gradients a second at K."""
    here = {"wait for all": round_time(K, probability, slowdown)}
    if backup:
        here[f"wait for all but {backup}"] = round_time(K, probability, slowdown, backup)
    looks = dict(zip(here, (LOOKS["server"], LOOKS["hybrid"])))
    ks, dots = range(1, K_MAX + 1), (1, 2, 4, 8, 16, 32, 64, 128, 256)
    title = (f"{K} workers, each slow in {number(100 * probability)} % of its steps, then {number(float(slowdown))} "
             f"times as long; {backup} backup")
    with styled():
        figure, (left, right) = new_figure(height_in=3.5, columns=2, width_ratios=[3, 2])
        for b, (name, look) in zip((0, backup), looks.items()):
            kept = [k for k in ks if k > b]
            left.plot(kept, [round_time(k, probability, slowdown, b) for k in kept], color=look.color, label=name)
            drawn = [k for k in dots if k > b]
            left.plot(drawn, [drawn_rounds(k, probability, slowdown, b, seed=seed) for k in drawn], look.marker,
                      color=look.color, markersize=points(5), markeredgecolor="white", zorder=4, gid=f"drawn {b}")
        left.axvline(K, color=SOFT, linestyle=":", linewidth=points(1.2))
        left.set_xscale("log", base=2)
        left.xaxis.set_major_formatter(lambda value, _: number(value))
        left.set_ylim(0.95, max(slowdown, 1.05) * 1.02)
        left.set_xlabel("workers K (count)")
        left.set_ylabel("mean round (steps of a fast worker)")
        left.legend(loc="upper left", labelcolor=INK, frameon=True, framealpha=1, edgecolor="none")
        rates = {"never slow": (K, LOOKS["other"]),
                 **{name: ((K - b) / here[name], looks[name]) for b, name in zip((0, backup), here)}}
        for place, (rate, look) in enumerate(rates.values()):
            bar = right.bar([place], [rate], 0.6, color=look.color, hatch=look.hatch)
            right.bar_label(bar, [number(float(rate))], padding=points(3), fontsize=type_pt(9))
        right.set_xticks(range(len(rates)), [name.replace("wait for ", "wait for\n") for name in rates])
        right.tick_params(axis="x", length=0)
        right.margins(y=0.15)
        right.set_ylabel("gradients used a step's time (count)")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    rows = [[name, f"{100 * slow_rounds(K, probability, b):.1f} %", mean,
             round(drawn_rounds(K, probability, slowdown, b, seed=seed), 4), round((K - b) / mean, 2)]
            for b, (name, mean) in zip((0, backup), here.items())]
    return Picture(figure, title, Table(["a round", "slow rounds", "mean round, formula",
                                         f"mean of {ROUNDS:,} drawn", "gradients used a step's time"], rows))


def rounds_widget(**settings):
    """Controls for K, probability, slowdown and backup over `rounds`' picture. settings: seed, as for `rounds`."""
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    lazy = {"continuous_update": False}
    sliders = {
        "K": ipywidgets.IntSlider(value=100, min=16, max=K_MAX, description="workers K", **lazy),
        "probability": ipywidgets.FloatSlider(value=0.01, min=0, max=0.1, step=0.002, description="slow, chance",
                                              readout_format=".1%", **lazy),
        "slowdown": ipywidgets.FloatSlider(value=2, min=1, max=10, step=0.5, description="times as long", **lazy),
        "backup": ipywidgets.IntSlider(value=0, min=0, max=15, description="backup b", **lazy),
    }
    return redrawn(lambda **values: rounds(**values, **settings), sliders)
