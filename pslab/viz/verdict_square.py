"""Two choices, four runs: the square of architecture and consistency; and learner and actors, two ways.

    verdict_square     rows: server, all-reduce; columns: synchronous, not. In each corner time, bytes, loss, staleness
    verdict_actors     lag of every episode over time, in versions: pulled from a server, or broadcast
"""

from __future__ import annotations

from collections.abc import Sequence

from pslab.train import ActorsRun, Corner

from .picture import Picture, Table, new_figure
from .style import INK, LOOKS, SOFT, number, points, seconds_unit, sized, styled, type_pt


def verdict_square(corners: Sequence[Corner], title: str = "Architecture and consistency: two choices, four runs") \
        -> Picture:
    """The four runs of `pslab.train.two_by_two`: a bar of time in each corner, split in working and waiting."""
    if len(corners) != 4:
        raise ValueError(f"corners has {len(corners)} runs; the four of pslab.train.two_by_two are needed")
    longest_s = max(corner.seconds for corner in corners)
    unit_s, unit = seconds_unit(longest_s)
    with styled():
        figure, grid = new_figure(width_in=7.6, height_in=4.2, columns=2, rows=2)
        for axes, corner in zip(grid.flat, corners):
            look = LOOKS["server" if corner.architecture == "server" else "allreduce"]
            waited_s = corner.waited * corner.seconds
            axes.barh([0], [(corner.seconds - waited_s) / unit_s], 0.5, color=look.color, hatch=look.hatch)
            axes.barh([0], [waited_s / unit_s], 0.5, left=(corner.seconds - waited_s) / unit_s, facecolor="none",
                      edgecolor=look.color, linewidth=points(0.8))
            axes.set_title(f"{corner.architecture}, {corner.consistency}: {corner.how}", fontsize=type_pt(9))
            axes.annotate(f"{number(corner.seconds / unit_s)} {unit}, waited {corner.waited:.0%}\n"
                          f"{sized(corner.total_bytes)}, loss {corner.loss:.4f}, {corner.late:.2g} late",
                          (0, -0.62), va="center", color=INK, fontsize=type_pt(8.5), annotation_clip=False)
            axes.set_xlim(0, 1.05 * longest_s / unit_s)
            axes.set_ylim(-1.0, 0.5)
            axes.set_yticks([0], ["time"])
            axes.tick_params(axis="y", length=0)
            axes.set_xlabel(f"virtual time ({unit}); empty: waited")
            axes.grid(visible=False)
            axes.spines["left"].set_visible(False)
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=type_pt(10.5))
    rows = [[c.architecture, c.consistency, c.how, c.seconds / unit_s, f"{c.waited:.0%}", c.loss, c.late, c.total_bytes,
             c.busiest_bytes] for c in corners]
    return Picture(figure, title, Table(["architecture", "consistency", "how", f"time ({unit})", "waited", "last loss",
                                         "late (updates or steps)", "all links (B)", "busiest port, both ways (B)"],
                                        rows))


def verdict_actors(runs: Sequence[ActorsRun], title: str = "A learner and actors that come and go") -> Picture:
    """Lag of each episode when it is used, against the time it came, for the runs of `pslab.train.run_actors`."""
    if not runs or not all(run.lags() for run in runs):
        raise ValueError("runs must be one or more, each with an episode that was used")
    with styled():
        figure, axes = new_figure(height_in=3.6)
        for run in runs:
            look = LOOKS["server" if run.way == "server" else "allreduce"]
            used = [episode for episode in run.episodes if episode.lag is not None]
            label = f"{run.way}: {run.versions} versions, mean lag {number(run.mean_lag)}"
            axes.plot([e.came_s for e in used], [e.lag for e in used], look.marker, color=look.color,
                      markersize=points(4.5), alpha=0.75, label=label)
        axes.set_ylim(bottom=-0.4)
        axes.set_xlabel("the episode came at (virtual s)")
        axes.set_ylabel("lag when used (versions)")
        axes.set_title(title)
        axes.axhline(0, color=SOFT, linewidth=points(0.8))
        axes.legend(loc="upper right", labelcolor=INK, frameon=True, framealpha=1, edgecolor="none")
    rows = [[run.way, run.versions, len(run.episodes), run.unused_episodes, run.mean_lag, max(run.lags()),
             sized(run.parameter_bytes), sized(run.unused_bytes), sized(run.learner_port_bytes),
             sized(run.server_port_bytes), run.learner_wait_s] for run in runs]
    return Picture(figure, title, Table(["way", "versions", "episodes", "never used", "mean lag", "largest",
                                         "parameters sent", "in vain", "learner's port", "server's port",
                                         "learner waited (s)"], rows))
