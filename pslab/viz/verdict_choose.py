"""Which architecture, and what binds: a chart of cases, one line each, marked at the question that settled it.

    case                        does it fit?   elastic?   slow, may pass?   bytes        goes to
    dense network               ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·  ·   ●            all-reduce
    the same with AdaGrad       ●                                                        server
"""

from __future__ import annotations

from collections.abc import Sequence

from pslab import cost

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, points, sized, styled, type_pt

QUESTIONS = {"capacity": "fits?", "elastic": "leave?", "straggler": "slow?", "bytes": "bytes"}
NAMES = {"allreduce": "all-reduce", "gather": "sparse all-gather", "server": "server"}


def verdict_choices(cases: Sequence[cost.ChoiceCase] | None = None) -> Picture:
    """The chart of `pslab.cost.CHOICE_CASES`, or of cases of one's own, as `pslab.cost.choose` decides them.

    The table twin gives what the chart has no room for: the copy with its state, and the bytes of all three.
    """
    cases = cost.CHOICE_CASES if cases is None else tuple(cases)
    if not cases:
        raise ValueError("cases is empty; at least one is needed")
    choices = [case.choice() for case in cases]
    title = "Which architecture for a group of parameters, and which question settled it"
    columns = list(QUESTIONS)
    with styled():
        figure, axes = new_figure(width_in=8.6, height_in=1.2 + 0.27 * len(cases))
        for y, choice in enumerate(choices):
            look, at = LOOKS[choice.architecture], columns.index(choice.binding)
            axes.plot(range(at), [y] * at, "|", color=SOFT, markersize=points(6))        # asked, and passed on
            axes.plot([0, at], [y, y], color=SOFT, linewidth=points(0.8), zorder=1)
            axes.plot([at], [y], look.marker, color=look.color, markersize=points(8), zorder=3)
            axes.plot([at, 3.7], [y, y], color=look.color, linewidth=points(1.0), linestyle=":", zorder=1)
            axes.annotate(NAMES[choice.architecture], (3.75, y), va="center", color=look.color, fontsize=type_pt(8.5),
                          fontweight="bold", annotation_clip=False)
        axes.set_xlim(-0.3, 5.1)
        axes.set_ylim(len(cases) - 0.5, -0.6)
        axes.set_xticks([*range(4), 4.2], [*QUESTIONS.values(), "goes to"])
        axes.xaxis.tick_top()
        axes.set_yticks(range(len(cases)), [case.name for case in cases])
        axes.tick_params(axis="both", length=0, labelsize=type_pt(8.5))
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(10.5), color=INK)
    rows = [[case.name, NAMES[choice.architecture], choice.binding, sized(choice.copy_bytes),
             ", ".join(f"{NAMES[name]} {sized(moved)}" for name, moved in choice.busiest.items())]
            for case, choice in zip(cases, choices)]
    return Picture(figure, title, Table(["group", "goes to", "binding", "copy with state",
                                         "busiest port, per direction"], rows))
