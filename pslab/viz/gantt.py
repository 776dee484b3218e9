"""Who computes and who waits, when: one lane a worker, one block of lanes a mode, all on one axis of time.

    BSP    worker 0   ████░░░░████░░░░████░░░░        █ computes, every second step darker   ░ waits
           worker 1   ████████████████████████
    ASP    worker 0   ████▓▓▓▓████▓▓▓▓████▓▓▓▓  ◆     ◆ when the loss reached a target
           worker 1   ████████▓▓▓▓▓▓▓▓████████

Drawn from the steps of a run: of `pslab.train.run_race`, where the same run also has the loss, or of a `Schedule`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.patches import Patch

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, points, seconds_unit, styled, type_pt

# what -> (name in the legend, colour, hatch); steps alternate, so that one can count them
_EVEN, _ODD, _WAIT = ("computes: steps 0, 2, 4, …", "#444444", ""), ("computes: steps 1, 3, 5, …", "#999999", ""), \
    ("waits", "#e9e9e9", "....")


def gantt(modes: Mapping[str, object], *, until_s: float | None = None, reached: Mapping[str, float] | None = None,
          target: str = "target reached", title: str = "Who computes and who waits") -> Picture:
    """Draw each mode's steps: name -> a `Lane` of a race, a `Schedule`, or [[(start_s, computed_s, begin_s), ...]].

    A step computes from start_s to computed_s, and its worker goes on at begin_s. until_s: what comes later is not
    drawn (the twin counts steps that began before). reached: name -> seconds, a diamond on that block; inf: none.
    target: the diamond's name in the legend. The twin has a line a mode and worker.
    """
    blocks = {name: _steps(mode) for name, mode in modes.items()}
    if not any(worker for block in blocks.values() for worker in block):
        raise ValueError("modes hold no steps; a race or a schedule with one step at least is needed")
    end_s = max(step[2] for block in blocks.values() for worker in block for step in worker)
    end_s = end_s if until_s is None else until_s
    if not 0 < end_s < math.inf:
        raise ValueError(f"until_s={until_s!r}; a finite number above 0 is needed")
    reached, (unit_s, unit) = reached or {}, seconds_unit(end_s)
    if strange := set(reached) - set(blocks):
        raise ValueError(f"reached names {sorted(strange)[0]!r}; modes are {', '.join(blocks)}")
    lanes = sum(map(len, blocks.values()))
    with styled():
        figure, axes = new_figure(height_in=1.15 + 0.2 * lanes + 0.12 * len(blocks))
        places, waited = [], False
        top = 0.0
        for name, block in blocks.items():
            for worker, steps in enumerate(block):
                waited |= _draw(axes, top + worker, [step for step in steps if step[0] < end_s], end_s, unit_s)
                places.append((top + worker, f"worker {worker}"))
            axes.text(-0.115, top + (len(block) - 1) / 2, name, transform=axes.get_yaxis_transform(), ha="right",
                      va="center", fontweight="bold", fontsize=type_pt(9.5), color=INK)
            _mark(axes, reached.get(name, math.inf), top - 0.5, len(block), end_s, unit_s)
            top += len(block) + 0.6
        axes.set_yticks([place for place, _ in places], [label for _, label in places], fontsize=type_pt(8))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(top - 0.8, -0.8)
        axes.set_xlim(0, end_s / unit_s * 1.01)
        axes.grid(visible=False, axis="y")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"time ({unit})")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(11))
        _legend(figure, waited, any(at <= end_s for at in reached.values()) and target)
    return Picture(figure, title, _twin(blocks, reached, end_s, unit_s, unit))


def _steps(mode) -> list[list[tuple[float, float, float]]]:
    """[(start_s, computed_s, begin_s), ...] of each worker."""
    if hasattr(mode, "gates"):              # a Schedule: a worker goes on where its next step begins
        follows = [[*row[1:], end] for row, end in zip(mode.starts.tolist(), mode.ends[:, -1].tolist())]
        return [list(zip(*row)) for row in zip(mode.starts.tolist(), mode.ends.tolist(), follows)]
    return [[tuple(step) for step in worker] for worker in getattr(mode, "steps", mode)]


def _draw(axes, lane: float, steps: Sequence[tuple], end_s: float, unit_s: float) -> bool:
    """One worker's lane; whether it waited anywhere."""
    for parity, (label, color, _) in enumerate((_EVEN, _ODD)):
        mine = [(start / unit_s, (min(computed, end_s) - start) / unit_s) for start, computed, _ in steps[parity::2]]
        axes.broken_barh(mine, (lane - 0.4, 0.8), facecolor=color, linewidth=0, zorder=3, gid=f"{label} {lane:g}")
    waits = [(computed / unit_s, (min(begin, end_s) - computed) / unit_s) for _, computed, begin in steps
             if computed < min(begin, end_s)]
    axes.broken_barh(waits, (lane - 0.4, 0.8), facecolor=_WAIT[1], hatch=_WAIT[2], edgecolor=SOFT, linewidth=0,
                     zorder=2, gid=f"waits {lane:g}")
    return bool(waits)


def _mark(axes, at_s: float, top: float, height: int, end_s: float, unit_s: float) -> None:
    if at_s <= end_s:
        look = LOOKS["server"]
        axes.plot([at_s / unit_s] * 2, [top, top + height], color=look.color, linewidth=points(1.6), zorder=5)
        axes.plot([at_s / unit_s], [top], marker="D", color=look.color, markersize=points(6), zorder=6, clip_on=False,
                  gid="reached")


def _legend(figure, waited: bool, target) -> None:
    shown = [_EVEN, _ODD, *([_WAIT] if waited else [])]
    handles = [Patch(facecolor=color, hatch=hatch, edgecolor=SOFT, linewidth=0, label=label)
               for label, color, hatch in shown]
    if target:
        from matplotlib.lines import Line2D
        handles.append(Line2D([], [], color=LOOKS["server"].color, marker="D", markersize=points(6), label=target))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), labelcolor=INK,
                  fontsize=type_pt(8.5))


def _twin(blocks, reached, end_s, unit_s, unit) -> Table:
    rows = []
    for name, block in blocks.items():
        at = reached.get(name)
        for worker, steps in enumerate(block):
            steps = [step for step in steps if step[0] < end_s]
            busy = sum(min(computed, end_s) - start for start, computed, _ in steps)
            waits = sum(max(0.0, min(begin, end_s) - computed) for _, computed, begin in steps)
            when = [] if not reached else ["" if at is None or at == math.inf else f"{at / unit_s:.4g}"]
            rows.append([name, worker, len(steps), round(busy / unit_s, 4), round(waits / unit_s, 4), *when])
    columns = ["mode", "worker", "steps begun", f"computes ({unit})", f"waits ({unit})"]
    return Table([*columns, *([f"reached ({unit})"] if reached else [])], rows)
