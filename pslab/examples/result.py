"""What a run of an example gives: a curve over rounds and time, the rows, and what travelled."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from pslab.comm import Run
from pslab.ps import history as records


@dataclass(frozen=True)
class Point:
    """The metric after so many rounds. seconds: since the start, when the last server had them."""

    rounds: int
    epoch: float
    seconds: float
    metric: float


@dataclass(frozen=True)
class ExampleResult:
    """curve: points from the first rows on. rows: {table: (R, D)} at the end. losses: mean loss of every global batch,
    as the workers met it, before they learned from it.

    clocks_s: for every worker the times at which its rounds began and ended, (rounds + 1) seconds since the start.
    baselines: the metric of models that know less. Seconds are virtual where world is "sim", else real. mode: BSP,
    SSP(3), ...; "one process" where there are no servers. history: every operation, where the run was to be recorded.
    """

    example: str
    data: str
    note: str
    metric_name: str
    higher_is_better: bool
    workers: int
    servers: int
    mode: str
    world: str
    curve: list[Point]
    rows: dict[str, np.ndarray] = field(repr=False)
    losses: list[float] = field(repr=False)
    clocks_s: list[list[float]] = field(repr=False)
    baselines: dict[str, float]
    run: Run = field(repr=False)
    history: records.History | None = field(default=None, repr=False)

    @property
    def value(self) -> float:
        """The metric at the end."""
        return self.curve[-1].metric

    @property
    def seconds(self) -> float:
        """Until the last worker ended its last round."""
        return max(times[-1] for times in self.clocks_s)

    @property
    def bytes(self) -> dict[str, int]:
        """What travelled in all, by kind: vals, keys, header, retry."""
        return {kind: self.run.ledger.total(kind) for kind in ("vals", "keys", "header", "retry")}

    @property
    def bytes_between_workers(self) -> int:
        """Payload from worker to worker: none, where everything goes through servers."""
        return sum(self.run.ledger.link(src, dst, kind) for src in range(self.workers) for dst in range(self.workers)
                   if src != dst for kind in ("vals", "keys"))

    def reached(self, metric: float) -> Point | None:
        """The first point that is at least as good; None where there is none."""
        sign = 1 if self.higher_is_better else -1
        return next((point for point in self.curve if sign * point.metric >= sign * metric), None)

    def text(self) -> str:
        """A few lines: who, the metric beside its baselines, seconds, bytes."""
        who = (f"{self.workers} worker{'s' * (self.workers > 1)}, {self.servers} server{'s' * (self.servers > 1)}, "
               f"{self.mode}") if self.servers else "one process, no servers"
        kind = "virtual seconds" if self.world == "sim" else "seconds"
        beside = "; ".join(f"{name}: {metric:.4f}" for name, metric in self.baselines.items())
        last = self.curve[-1]
        lines = [f"{self.example} on {self.data}: {who}",
                 f"{self.metric_name} {self.value:.4f} after {last.epoch:g} epoch{'s' * (last.epoch != 1)}, "
                 f"{last.rounds} rounds ({beside})",
                 f"{self.seconds:.3g} {kind}"]
        if self.servers:
            sent = self.bytes
            lines.append(f"{sum(sent.values()) / 1e6:.2f} MB in all: " + ", ".join(
                f"{name} {count / 1e6:.2f}" for name, count in sent.items() if count))
        return "\n".join(lines)
