"""What `pslab bench verdict` runs: one job in each strategy, its bytes, memory and losses, and what the model says."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict, dataclass

STRATEGIES = ("hybrid", "server", "allreduce")
KEY_BYTES = 8
SLOTS = 1                       # AdaGrad: one number of state for each parameter


@dataclass(frozen=True)
class Setting:
    """All sizes of the benchmark but K and the table's rows. batch: samples of a worker. link: gbit_s 0 is free."""

    dim: int = 8
    batch: int = 256
    servers: int = 2
    steps: int = 4
    turns: int = 1
    gbit_s: float = 1.0
    latency_s: float = 1e-4
    small_rows: int = 1000
    seed: int = 9

    @property
    def bandwidth_Bps(self) -> float:
        return self.gbit_s * 1.25e8 if self.gbit_s else math.inf


def click_log(setting: Setting, rows: int, workers: int):
    """A table of `rows` rows and a small one, whose last feature is a bag of 1 to 4 ids."""
    from pslab.data import synthetic_click_log

    return synthetic_click_log(setting.seed, train_rows=setting.batch * workers * (setting.steps + 1), test_rows=1,
                               tables=(rows, setting.small_rows), num_dense=13)


def job_of(setting: Setting, log, strategy: str, workers: int):
    from pslab.ps import AdaGrad
    from pslab.train import Job, tables_of

    return Job(tables_of(log, setting.dim), num_dense=13, strategy=strategy, workers=workers,
               servers=setting.servers, bottom=(64, setting.dim), top=(64, 1), optimizer=AdaGrad(0.05),
               seed=setting.seed)


def dense_bytes(job) -> int:
    return 4 * sum(parameter.numel() for parameter in job.dense_model().dense_parameters())


def touched_rows(log, batches, workers: int) -> float:
    """Distinct rows of all tables that a worker's part of a batch names: the mean over workers and steps."""
    counts = [sum(len(batch.shard(rank, workers).sparse[spec.name].values.unique()) for spec in log.features)
              for batch in batches for rank in range(workers)]
    return statistics.mean(counts)


def state_bytes(setting: Setting, job, rows: int) -> dict[str, int]:
    """Parameters and AdaGrad's sums that a worker, and a server, hold between steps."""
    dense, table = dense_bytes(job), (rows + setting.small_rows) * setting.dim * 4
    of = {"allreduce": (dense + table, 0), "hybrid": (dense, table), "server": (0, dense + table)}[job.strategy]
    return {"worker": of[0] * (1 + SLOTS), "server": -(-of[1] // setting.servers) * (1 + SLOTS)}


def modelled(setting: Setting, strategy: str, workers: int, rows: int, dense: int, touched: float,
             compute_s: float) -> dict:
    """pslab.cost's bytes of the busiest port direction, and seconds, of one step."""
    from pslab import cost

    shape = (strategy, workers, setting.servers, dense, rows + setting.small_rows, setting.dim * 4, round(touched))
    step = cost.strategy_port_bytes(*shape)
    seconds = compute_s
    if setting.gbit_s:
        seconds = cost.strategy_step_s(*shape, bandwidth_Bps=setting.bandwidth_Bps, latency_s=setting.latency_s,
                                       compute_s=compute_s)
    return {"busiest_bytes": step.busiest, "seconds": seconds,
            "samples_per_s": workers * setting.batch / seconds if seconds else math.inf}


class Watched:
    """A world whose ranks also say by how much their memory grew at most."""

    def __init__(self, world):
        self.world = world

    def run(self, program, *, per_rank, **more):
        return self.world.run(_watched, per_rank=[(program, *arguments) for arguments in per_rank], **more)


def _watched(comm, program, *arguments):
    import torch

    import pslab.train  # noqa: F401 - what a first backward pass brings is there before memory is looked at

    torch.nn.Linear(64, 64)(torch.ones(64, 64)).relu().sum().backward()
    begun = _reset_peak()
    result = program(comm, *arguments)
    result["peak_bytes"] = _peak_bytes() - begun if begun else 0
    return result


def _reset_peak() -> int:
    """Start counting the peak of resident memory anew; gives what is resident now, 0 where nobody counts."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        return 0
    return _peak_bytes()


def _peak_bytes() -> int:
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
    except (OSError, StopIteration, ValueError):
        return 0


def run_one(setting: Setting, log, strategy: str, workers: int, rows: int, make_world) -> dict:
    """One strategy: median step, bytes by port, memory, losses. make_world(ranks) -> a world, closed afterwards."""
    from contextlib import nullcontext

    from pslab.comm import ProcessWorld
    from pslab.train import port_bytes, run_job

    own = True                      # whether a rank has memory of its own: those of the simulator share one process
    job = job_of(setting, log, strategy, workers)
    batches = list(log.batches(setting.batch * workers, setting.seed, setting.steps + 1))
    samples, result = [], None
    for _ in range(setting.turns):
        world = make_world(job.world_size)
        own = isinstance(world, ProcessWorld)
        with world if hasattr(world, "__exit__") else nullcontext():
            result = run_job(Watched(world), job, batches, timeout_s=300.0)
        samples += result.step_seconds[1:]                         # the first one makes buffers
    steps, ports = len(batches), port_bytes(result)
    busiest = max(ports, key=lambda port: port.total.busiest)
    median_s = statistics.median(samples)
    served = [port.sparse.out_bytes for port in ports[workers:]]
    peaks = [rank.get("peak_bytes", 0) for rank in result.run.results]
    return {"strategy": strategy, "step_s": median_s, "samples_s": samples,
            "samples_per_s": workers * setting.batch / median_s if median_s else math.inf,
            "busiest_bytes": busiest.total.busiest / steps, "busiest_dense": busiest.dense.busiest / steps,
            "worker_dense": list(ports[0].dense), "total_bytes": sum(port.total.out_bytes for port in ports) / steps,
            "busiest_server_share": max(served) / sum(served) if sum(served) else 0.0,
            "state_bytes": state_bytes(setting, job, rows),
            "peak_bytes": {"worker": max(peaks[:workers]), "server": max(peaks[workers:], default=0)} if own else None,
            "losses": result.losses, "steps": steps}


def setting_words(setting: Setting) -> dict:
    return {**asdict(setting), "slots": SLOTS}
