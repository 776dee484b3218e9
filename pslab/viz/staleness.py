"""Staleness × kind of straggler × how slow × learning rate against time to a target, from runs computed once.

    left    when the loss has come below the target for good, s = 0 ... ∞, a line a kind; the chosen cell is ringed
    right   the loss over time, of BSP and of the chosen s

The runs are those of `pslab.train.straggler_grid` on a bowl in three directions, each a schedule with its replay:
virtual seconds, in which a step of a worker that is not slow takes 1 s.
"""

from __future__ import annotations

import math
from functools import lru_cache

from .charts import _plain_ticks
from .duel import redrawn
from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, points, styled, type_pt

KINDS = ("persistent", "transient")
STALENESS = (0, 1, 2, 4, 8, math.inf)
SLOW = (1, 2, 4, 8)                 # how many times longer a slow step takes
RATES = (0.3, 1.0, 1.8)             # of the mean gradient; the steepest direction of the bowl stands 2 in rounds
WORKERS, STEPS, TARGET = 8, 150, 1e-2
NEVER = 1.5                         # of the axis' largest time: where those stand that did not come to the target
LOOK = {"persistent": "server", "transient": "allreduce"}


def staleness_runs(slow: int = 4, lr: float = 0.3) -> dict[tuple[str, float], dict]:
    """{(kind, s): a row of straggler_grid} for both kinds of stragglers and every s; computed once a (slow, lr).

    to_target_s is here until the loss is at most TARGET and stays there; inf where it does not within the run.

    slow: one of SLOW. Persistent: worker 2's steps take `slow` s. Transient: anybody's may, one in ten, seeded.
    lr: one of RATES.
    """
    for name, value, allowed in (("slow", slow, SLOW), ("lr", lr, RATES)):
        if value not in allowed:
            raise ValueError(f"{name}={value!r}; allowed: {', '.join(map(str, allowed))}")
    return _runs(slow, lr)


@lru_cache
def _runs(slow: int, lr: float) -> dict[tuple[str, float], dict]:
    from pslab.train import Pace, Quadratic, straggler_grid  # brings torch along; other pictures need none of it
    kinds = {"persistent": Pace.persistent(1.0, 2, slow), "transient": Pace.transient(1.0, 0.1, slow, seed=2)}
    rows = straggler_grid(Quadratic([0.05, 0.2, 1.0]), target=TARGET, lr=lr, workers=WORKERS, steps=STEPS, kinds=kinds,
                          staleness=STALENESS)
    return {(row["kind"], row["staleness"]): {**row, "to_target_s": _settled(row["curve"])} for row in rows}


def _settled(curve) -> float:
    """From when on the loss is at most TARGET: a large rate swings through it many times before."""
    above = [i for i, loss in enumerate(curve.losses) if not loss <= TARGET]
    last = above[-1] if above else -1
    return float(curve.times_s[last + 1]) if last + 1 < len(curve.losses) else math.inf


def staleness(s: float = 2, kind: str = "transient", slow: int = 4, lr: float = 0.3) -> Picture:
    """Time to the target over s for both kinds of straggler, and the loss over time at s (math.inf: no limit)."""
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r}; allowed: {', '.join(KINDS)}")
    if s not in STALENESS:
        raise ValueError(f"s={s!r}; allowed: {', '.join(map(named, STALENESS))}")
    runs = staleness_runs(slow, lr)
    title = f"{kind} straggler, slow steps {slow}× as long, rate {lr}, s = {named(s)}"
    places = range(len(STALENESS))
    there = [row["to_target_s"] for row in runs.values() if row["to_target_s"] < math.inf]
    most, least = max(there, default=10.0), min(there, default=10.0)
    with styled():
        figure, (left, right) = new_figure(height_in=3.6, columns=2, width_ratios=[1, 1])
        for name in KINDS:
            look, times = LOOKS[LOOK[name]], [runs[name, limit]["to_target_s"] for limit in STALENESS]
            left.plot(places, [time if time < math.inf else math.nan for time in times], color=look.color,
                      marker=look.marker, label=name, linewidth=points(2.4 if name == kind else 1.2))
            for place in (at for at in places if times[at] == math.inf):        # above all that came there
                left.plot([place], [NEVER * most], look.marker, color=look.color, markerfacecolor="none")
                left.annotate("never", (place, NEVER * most), xytext=(0, points(6)), textcoords="offset points",
                              ha="center", color=INK, fontsize=type_pt(8.5))
        chosen = min(runs[kind, s]["to_target_s"], NEVER * most)
        left.plot([STALENESS.index(s)], [chosen], "o", markersize=points(14), markerfacecolor="none",
                  markeredgecolor=INK, markeredgewidth=points(1.5))
        left.set_xticks(places, [named(limit) for limit in STALENESS])
        left.set_yscale("log")
        left.set_ylim(least / 1.3, 1.6 * NEVER * most)
        _plain_ticks(left.yaxis)
        left.set_xlabel("staleness s (rounds)")
        left.set_ylabel(f"loss below {TARGET:g} after (virtual s)")
        left.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=2, labelcolor=INK)
        _losses(right, runs, kind, s, chosen)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
    rows = [[named(limit), *(_time(runs[name, limit]) for name in KINDS),
             *(round(runs[name, limit]["makespan_s"], 1) for name in KINDS),
             *(round(runs[name, limit]["mean_staleness"], 2) for name in KINDS)] for limit in STALENESS]
    shown = (("to the target", "s"), ("all steps", "s"), ("mean staleness", "updates"))
    columns = ["s", *(f"{what}, {name} ({unit})" for what, unit in shown for name in KINDS)]
    return Picture(figure, title, Table(columns, rows))


def staleness_widget():
    """Controls for s, the kind of straggler, its slowdown and the learning rate over `staleness`'s picture."""
    import ipywidgets  # only here: a script that draws pictures needs no widgets

    def choice(options, value, label):
        return ipywidgets.SelectionSlider(options=options, value=value, description=label, continuous_update=False)

    return redrawn(staleness, {
        "s": choice([(named(s), s) for s in STALENESS], 2, "s"),
        "kind": ipywidgets.ToggleButtons(options=KINDS, value="transient", description="straggler"),
        "slow": choice([(f"{slow}×", slow) for slow in SLOW], 4, "slow by"),
        "lr": choice(list(RATES), 0.3, "rate")})


def named(s: float) -> str:
    """'2', or '∞' for no limit."""
    return "∞" if s == math.inf else f"{s:g}"


def _losses(axes, runs, kind: str, s: float, chosen_s: float) -> None:
    shown = [0] if s == 0 else [0, s]
    for limit in shown:
        look, curve = LOOKS["other" if limit == 0 and s else LOOK[kind]], runs[kind, limit]["curve"]
        axes.plot(curve.times_s, curve.losses, color=look.color, linestyle="--" if limit == 0 and s else "-",
                  label=f"s = {named(limit)}")
    axes.axhline(TARGET, color=SOFT, linestyle=":", linewidth=points(1.2))
    axes.set_yscale("log")
    axes.set_ylim(TARGET / 5, 4)
    _plain_ticks(axes.yaxis)
    axes.set_xlim(0, 1.5 * max(chosen_s, min(runs[kind, 0]["to_target_s"], STEPS)))
    axes.set_xlabel("time (virtual s)")
    axes.set_ylabel("loss (no unit)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, ncols=2, labelcolor=INK)


def _time(row: dict) -> str | float:
    return "never" if row["to_target_s"] == math.inf else round(row["to_target_s"], 1)
