"""Online learning: examples come in, workers learn from them, and readers are served the rows as they are.

    example 7 arrives ── waits for its worker ── pull, compute, push ── server applies it ── a reader's next look
        at 3.10 s                                                        BSP: when the round        at 3.42 s: seen,
                                                                         closes; else on arrival    fresh after 0.32 s

    stream = example_stream(400, rate_per_s=100, rows=50, seed=1)
    runs = run_online_modes(stream, Pace.equal(0.02).with_slow(1, 4), workers=4, read_every_s=0.01)
    runs["BSP"].percentile(95), runs["ASP"].percentile(95), runs["ASP"].share_within(0.1)

A logistic model of one weight a row: the logit of an example is the sum of the weights of its ids. The workers keep a
consistency of pslab.ps among themselves; readers belong to no round, hold nobody up, and see what the server has. In
the simulator seconds are virtual, and a run is the same each time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch

from pslab.comm import Comm, Mail, Run, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, Consistency, KVServer, KVWorker, TableConfig, Zeros, serve

from .pace import Pace, spend

ROWS, MARKS = "rows", "marks"       # the model; and of every example, whether it was learned from


@dataclass(frozen=True)
class ExampleStream:
    """N examples in the order of their arrival: arrivals_s (N,), ids (N, F) below num_rows, labels (N,) of 0 and 1."""

    arrivals_s: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    num_rows: int

    def __post_init__(self):
        n = len(self.arrivals_s)
        if self.ids.ndim != 2 or len(self.ids) != n or self.labels.shape != (n,) or not n:
            raise ValueError(f"arrivals_s, ids and labels have shapes {self.arrivals_s.shape}, {self.ids.shape} and "
                             f"{self.labels.shape}; (N,), (N, F) and (N,) with N at least 1 are needed")
        if np.any(np.diff(self.arrivals_s) < 0) or self.arrivals_s[0] < 0:
            raise ValueError("arrivals_s must rise from 0 on")
        if self.ids.min() < 0 or self.ids.max() >= self.num_rows:
            raise ValueError(f"ids must lie in 0..{self.num_rows - 1}, the rows of the model")

    def __len__(self) -> int:
        return len(self.arrivals_s)


def example_stream(examples: int, rate_per_s: float, rows: int, *, fields: int = 3, seed: int = 0) -> ExampleStream:
    """N examples that come at random, `rate_per_s` of them a second: exponential gaps, uniform ids, planted weights."""
    if not 0 < rate_per_s < math.inf:
        raise ValueError(f"rate_per_s={rate_per_s!r}; a finite number above 0 is needed")
    rng = np.random.Generator(np.random.PCG64(seed))
    ids = rng.integers(0, rows, (examples, fields))
    weights = 2 * rng.standard_normal(rows)
    labels = rng.random(examples) < 1 / (1 + np.exp(-weights[ids].sum(1)))
    return ExampleStream(np.cumsum(rng.exponential(1 / rate_per_s, examples)), ids, labels.astype(np.float32), rows)


@dataclass(frozen=True)
class OnlineRun:
    """What became of a stream; N examples in the order of their arrival, M readers.

    fresh_s       (M, N) seconds from an example's arrival to the first answer a reader gets that has it
    rows_at_sight (M, N, F) the example's rows in that answer
    losses        (N,) log loss of each example before it was learned from
    weights       (R,) of the model at the end. clocks: rounds of each worker. run: bytes and trace
    """

    fresh_s: np.ndarray
    rows_at_sight: np.ndarray
    losses: np.ndarray
    weights: np.ndarray
    clocks: list[int]
    run: Run

    def percentile(self, q: float) -> float:
        """Seconds within which q % of the examples were fresh to a reader, over all readers."""
        return float(np.percentile(self.fresh_s, q))

    def share_within(self, stated_s: float) -> float:
        """The share of examples that readers saw within the stated time."""
        return float(np.mean(self.fresh_s <= stated_s))


def run_online(stream: ExampleStream, pace: Pace, consistency: Consistency, *, workers: int, readers: int = 1,
               read_every_s: float, batch_size: int = 16, lr: float = 0.25,
               world: Callable[[int], object] = SimWorld, timeout_s: float = 60.0) -> OnlineRun:
    """Learn from a stream under one consistency. World of K workers, one server, M readers.

    Example i comes to worker i mod K. A worker takes what has arrived, at most batch_size, learns from it in
    pace(rank, step) seconds and ends its round; where nothing has arrived it waits for the next example, and so may
    others for it. read_every_s: from one look of a reader to the next, at least; it asks for the rows of all examples
    that it waits for. lr: of the sum of a batch's gradients.
    """
    for name, value in (("workers", workers), ("readers", readers), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name}={value!r}; a whole number from 1 is needed")
    for name, value in (("read_every_s", read_every_s), ("lr", lr)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name}={value!r}; a finite number above 0 is needed")
    if not isinstance(consistency, Consistency) or consistency.backup:
        raise ValueError(f"consistency={consistency!r}; BSP(), SSP(s), ASP() or the like is needed, without backup: "
                         f"what a late worker learned would be dropped")
    made = world(workers + 1 + readers)
    with made if hasattr(made, "__exit__") else nullcontext():
        run = made.run(_program, stream, pace, consistency, workers, read_every_s, batch_size, lr, timeout_s=timeout_s)
    learned, seen = run.results[:workers], run.results[workers + 1:]
    losses = np.empty(len(stream))
    for worker, own in enumerate(learned):
        losses[worker::workers] = own["losses"]
    return OnlineRun(np.array([reader["fresh_s"] for reader in seen]), np.array([reader["rows"] for reader in seen]),
                     losses, np.asarray(run.results[workers]["weights"]), [own["clock"] for own in learned], run)


def run_online_modes(stream: ExampleStream, pace: Pace, *, modes: Mapping[str, Consistency] | None = None,
                     **options) -> dict[str, OnlineRun]:
    """run_online for each of several consistencies; by default BSP, SSP(2) and ASP."""
    modes = {"BSP": BSP(), "SSP(2)": SSP(2), "ASP": ASP()} if modes is None else modes
    return {name: run_online(stream, pace, consistency, **options) for name, consistency in modes.items()}


# ---- the programs -------------------------------------------------------------------------------------------------

def _program(comm: Comm, stream: ExampleStream, pace: Pace, consistency: Consistency, K: int, read_every_s: float,
             batch_size: int, lr: float) -> dict:
    # A mark is pushed as -1/lr behind the gradients of its example, and so becomes 1: who sees it sees them.
    tables = [TableConfig(name, 1, size, SGD(lr), consistency, init=Zeros())
              for name, size in ((ROWS, stream.num_rows), (MARKS, len(stream)))]
    if comm.rank == K:
        server = ReadableServer(KVServer(tables, 0, 1, range(K)), range(K + 1, comm.world_size))
        comm.barrier()
        serve(comm, server)
        return {"weights": server.rows(ROWS)[:, 0].copy()}
    if comm.rank > K:
        comm.barrier()
        return _read(comm, stream, K, read_every_s)
    with KVWorker(comm, [K], tables) as kv:
        comm.barrier()
        return _learn(comm, kv, stream, pace, range(comm.rank, len(stream), K), batch_size, lr)


def _learn(comm: Comm, kv: KVWorker, stream: ExampleStream, pace: Pace, own: range, batch_size: int,
           lr: float) -> dict:
    begun, done, losses = comm.now(), 0, []
    while done < len(own):
        wait_s = stream.arrivals_s[own[done]] - (comm.now() - begun)
        if wait_s > 0:
            spend(comm, wait_s)
        now = max(comm.now() - begun, stream.arrivals_s[own[done]])
        taken = [i for i in own[done:done + batch_size] if stream.arrivals_s[i] <= now]
        ids, labels = stream.ids[taken], stream.labels[taken]
        weights = kv.wait(kv.pull(ids.reshape(-1), ROWS)).numpy().reshape(ids.shape)
        logits = weights.sum(axis=1)
        losses += (np.logaddexp(0, logits) - labels * logits).tolist()
        spend(comm, pace(comm.rank, kv.current_clock))
        slope = (1 / (1 + np.exp(-logits)) - labels).astype(np.float32)
        kv.push(ids.reshape(-1), np.repeat(slope, ids.shape[1])[:, None], ROWS)
        kv.push(np.array(taken), np.full((len(taken), 1), -1 / lr, np.float32), MARKS)
        kv.clock()
        done += len(taken)
    return {"losses": losses, "clock": kv.current_clock}


def _read(comm: Comm, stream: ExampleStream, server: int, read_every_s: float) -> dict:
    """Ask for the rows of what has arrived and was not seen; again every read_every_s."""
    begun = comm.now()
    fresh_s, rows = np.full(len(stream), np.inf), np.zeros(stream.ids.shape, np.float32)
    while np.isinf(fresh_s).any():
        asked_s = comm.now()
        waiting = np.flatnonzero(np.isinf(fresh_s) & (stream.arrivals_s <= asked_s - begun))
        if len(waiting):
            comm.post(server, "look", {}, [torch.from_numpy(waiting), torch.from_numpy(stream.ids[waiting])])
            mail = comm.poll()
            marks, values = (np.asarray(tensor).copy() for tensor in mail.tensors)
            mail.release()
            new = marks > 0.5
            fresh_s[waiting[new]] = comm.now() - begun - stream.arrivals_s[waiting[new]]
            rows[waiting[new]] = values[new]
        spend(comm, max(0.0, asked_s + read_every_s - comm.now()))
    comm.post(server, "seen", {}, [])
    return {"fresh_s": fresh_s, "rows": rows}


class ReadableServer:
    """A KVServer that others than its workers may look into: give it to `serve` in the server's place.

    A letter "look" with examples (n,) and ids (n, F) is answered at once by their marks (n,) and rows (n, F), as they
    are; "seen" says that this reader has done.
    """

    def __init__(self, server: KVServer, readers):
        self.server, self._readers = server, set(readers)

    def __getattr__(self, name):
        return getattr(self.server, name)

    @property
    def done(self) -> bool:
        return not self._readers and self.server.done

    def handle(self, mail: Mail | None, now_s: float) -> list[tuple[int, Mail]]:
        """As KVServer.handle."""
        if mail is None or mail.src not in self._readers:
            return self.server.handle(mail, now_s)
        if mail.kind == "seen":
            self._readers.discard(mail.src)
            return []
        examples, ids = (np.asarray(tensor) for tensor in mail.tensors)
        marks, rows = self.server.rows(MARKS)[examples, 0], self.server.rows(ROWS)[ids, 0]
        return [(mail.src, Mail(self.server.rank, "looked", {}, [torch.from_numpy(marks), torch.from_numpy(rows)]))]
