"""A practical result of section 11.7, put to the test: -80 % bytes, a quarter of the size, no loss of quality?

    design                       ids travel        rows and gradients      reads               rows at rest
    plain                        one a lookup      float32                 exact (BSP)         float32
    de-duplicated                one a distinct    float32                 exact (BSP)         float32
    + int8 wire                  one a distinct    int8, scale, minimum    exact (BSP)         float32
    + cache                      one a distinct    float32                 up to s rounds old  float32
    all of it                    one a distinct    int8, scale, minimum    up to s rounds old  int8, scale, minimum

Two models on real data: matrix factorisation of MovieLens-100K (test RMSE) and a DLRM on Criteo's first rows (test
AUC), each trained from several seeds, in each design with the same batches. Bytes are the ledger's; the size is that of
the rows, in int8 rounded once, after training. A difference is the design's metric minus the plain run's of the same
seed; beside it stands how far the seeds of the plain run lie apart, for a difference within that is not to be told from
luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pslab.comm import SimWorld
from pslab.cost import row_bytes
from pslab.data import ClickLog, RatingData
from pslab.embedding import int8

from .practical_tasks import Clicks, Ratings, Setting

DESIGNS = ("plain", "de-duplicated", "+ int8 wire", "+ cache", "all of it")
DATA = ("movielens", "criteo")


@dataclass(frozen=True)
class DesignResult:
    """One design over all seeds. step_bytes: of rows, gradients and ids, all links, a step; table_bytes: at rest."""

    design: str
    step_bytes: float
    table_bytes: int
    metrics: tuple[float, ...]
    losses: tuple[float, ...]       # of quality, against the plain run of the same seed: above 0 is worse

    @property
    def metric(self) -> float:
        return float(np.mean(self.metrics))

    @property
    def loss(self) -> float:
        return float(np.mean(self.losses))


@dataclass(frozen=True)
class PracticalResult:
    """What was found, design by design; the claims and what became of them in `text`."""

    data: str
    note: str
    metric_name: str
    setting: Setting
    seeds: tuple[int, ...]
    designs: tuple[DesignResult, ...]

    def __getitem__(self, design: str) -> DesignResult:
        for result in self.designs:
            if result.design == design:
                return result
        raise ValueError(f"design={design!r}; this result has {', '.join(result.design for result in self.designs)}")

    def saved(self, design: str, against: str = "plain") -> float:
        """Share of the step's bytes that a design saves."""
        return 1 - self[design].step_bytes / self[against].step_bytes

    def smaller(self, design: str) -> float:
        """How many times smaller its rows are at rest."""
        return self["plain"].table_bytes / self[design].table_bytes

    @property
    def spread(self) -> float:
        """Standard deviation of the plain run's metric over the seeds; 0 with one seed."""
        return float(np.std(self["plain"].metrics, ddof=1)) if len(self.seeds) > 1 else 0.0

    def rows(self) -> list[list]:
        """[design, bytes a step, of plain, of de-duplicated, size of plain, metric, loss of quality]; shares of 1."""
        return [[one.design, one.step_bytes, 1 - self.saved(one.design), 1 - self.saved(one.design, "de-duplicated"),
                 1 / self.smaller(one.design), one.metric, one.loss] for one in self.designs]

    @property
    def text(self) -> str:
        lines = [f"{self.data}: {self.note}", f"{'design':<15}{'kB/step':>9}{'of plain':>10}{'of dedup':>10}{'size':>8}"
                 f"{self.metric_name:>9}{'worse by':>10}"]
        lines += [f"{design:<15}{step / 1e3:>9.1f}{of_plain:>10.0%}{of_dedup:>10.0%}{size:>8.0%}{metric:>9.4f}"
                  f"{loss:>+10.4f}" for design, step, of_plain, of_dedup, size, metric, loss in self.rows()]
        whole = self.rows()[-1]
        lines.append(f"said: 20% of the bytes, 25% of the size, no loss. found, for all of it: {whole[2]:.0%} "
                     f"({whole[3]:.0%} of what de-duplication leaves), {whole[4]:.0%} of the size, {self.metric_name} "
                     f"worse by {whole[6]:+.4f}; plain runs from {len(self.seeds)} seeds deviate by {self.spread:.4f}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.text


def practical_result(data: str = "movielens", seeds: Sequence[int] = (0, 1, 2), setting: Setting | None = None,
                     source: RatingData | ClickLog | None = None) -> PracticalResult:
    """Train every design from every seed in the simulator, count and score.

    data: "movielens" (RMSE, lower is better) or "criteo" (AUC, higher). source: what to train on; None: the data set
    from PSLAB_DATA or the cache, and where it is not there a made one, and the note says so.
    """
    if data not in DATA:
        raise ValueError(f"data={data!r}; allowed: {', '.join(map(repr, DATA))}")
    if not seeds:
        raise ValueError("seeds is empty; at least one is needed")
    task = (Ratings if data == "movielens" else Clicks)(source, setting)
    found: dict[str, list] = {design: [] for design in DESIGNS}
    for seed in seeds:
        for design in DESIGNS:
            found[design].append(_trained(task, design, int(seed)))
    rows, dim = task.num_rows, task.setting.dim
    results = []
    for design in DESIGNS:
        metrics = tuple(metric for _, metric in found[design])
        worse = -1 if task.higher_is_better else 1
        losses = tuple(worse * (metric - plain) for metric, (_, plain) in zip(metrics, found["plain"]))
        kind = "int8" if design == "all of it" else "fp32"
        results.append(DesignResult(design, float(np.mean([step for step, _ in found[design]])),
                                    rows * row_bytes(dim, kind), metrics, losses))
    return PracticalResult(data, task.note, task.metric, task.setting, tuple(seeds), tuple(results))


def _trained(task, design: str, seed: int) -> tuple[float, float]:
    """(bytes of a step, metric) of one run."""
    workers = task.setting.workers
    # Greenlets: the programs leave torch's modes alone, and run in a third of the time that threads take.
    run = SimWorld(workers, trace=False, seed=seed, engine="greenlets").run(task.program, design, seed)
    rows = np.empty((task.num_rows, task.setting.dim), np.float32)
    for rank, (own, _) in enumerate(run.results):
        rows[rank::workers] = own
    if design == "all of it":
        rows = int8.decode(int8.encode(rows))
    step_bytes = (run.ledger.total() - task.dense_bytes) / task.steps
    return step_bytes, task.score(rows, run.results[0][1])
