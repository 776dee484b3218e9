"""A parameter server of another hand, as a student might write it, with a family of faults to plant.

It speaks the letters of server.py and shares no code with it: rows in a dict, one round at a time, Python loops.
"""

from collections import defaultdict

import numpy as np
from numpy import random

from pslab.comm import Faults, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, KVWorker, TableConfig
from pslab.ps.history import History, Marks, Recorder, check

ROWS = 4


class ToyServer:
    """One table; `fault` names what is wrong with it ("" for nothing)."""

    def __init__(self, workers, dim, model, fault=""):
        self.workers, self.model, self.fault = workers, model, fault
        self.rows = {key: np.zeros(dim) for key in range(ROWS)}
        self.clock = dict.fromkeys(workers, 0)
        self.gone, self.rounds, self.parked, self.seen = set(), defaultdict(list), [], set()
        self.pushes = self.closed = 0
        self.pulls = dict.fromkeys(workers, 0)
        self.copy, self.copy_of = self.copied(), 0

    def copied(self):
        return {key: row.copy() for key, row in self.rows.items()}

    def low(self):
        clocks = [clock for worker, clock in self.clock.items() if worker not in self.gone]
        return min(clocks, default=2**61)

    def told(self):
        """The smallest clock, as the workers are told."""
        low = self.low()
        others = [clock for worker, clock in self.clock.items() if worker not in self.gone]
        return {"one too many": low + 1, "really ASP": 2**61,
                "largest clock": max(others, default=low)}.get(self.fault, low)

    def needed(self, clock):
        """The smallest clock at which a pull at `clock` may be answered."""
        return {"one too few": clock - self.model.staleness + 1, "really BSP": clock, "really ASP": 0,
                "one too many": clock - self.model.staleness - 1,
                "largest clock": 0}.get(self.fault, clock - self.model.staleness)

    def handle(self, mail):
        """(rank, kind, meta, tensors) of every answer."""
        return getattr(self, f"on_{mail.kind}")(mail)

    def on_push(self, mail):
        self.pushes += 1
        who = mail.meta["q"] if self.fault == "equal numbers" else (mail.src, mail.meta["q"])
        times = 1 if who not in self.seen or self.fault == "retry twice" else 0
        self.seen.add(who)
        if self.fault == "lost" and self.pushes % 5 == 0:
            times = 0
        if self.fault == "doubled" and self.pushes % 5 == 0:
            times = 2
        keys = mail.tensors[0].tolist() if "r" not in mail.meta else range(*np.cumsum(mail.meta["r"]))
        for _ in range(times):
            for key, vals in zip(keys, mail.tensors[-1].numpy()):
                key = (key + 1) % ROWS if self.fault == "next key" and self.pushes % 5 == 0 else key
                self.take(mail, key, -vals.astype(float))
        if self.fault == "counts requests" and self.model.in_rounds and self.pushes % len(self.workers) == 0:
            self.close(self.closed)
            self.closed += 1
        return [(mail.src, "ack", {"q": mail.meta["q"]}, [])]

    def take(self, mail, key, vals):
        clock = mail.meta["c"] + (self.fault == "one round late")
        in_rounds = self.model.in_rounds or self.fault == "rounds inside"
        if self.fault == "counts requests":
            self.rounds[self.closed].append((key, vals))
        elif in_rounds and self.fault != "at once":
            self.rounds[clock].append((key, vals))
        elif self.fault == "last writer wins":
            self.rows[key] = vals
        elif self.fault == "mean of two":
            self.rows[key] += vals / 2
        else:
            self.rows[key] += vals

    def close(self, clock):
        for key, vals in self.rounds.pop(clock, []):
            self.rows[key] += vals

    def on_clock(self, mail):
        self.clock[mail.src] = mail.meta["c"]
        if self.fault == "snapshot":
            self.copy = self.copied()
        return self.risen()

    def on_bye(self, mail):
        self.gone.add(mail.src)
        return [*self.risen(), (mail.src, "bye", {}, [])]

    def risen(self):
        before = self.low()
        answers = [(rank, "min", {"c": self.told()}, []) for rank in self.workers if rank not in self.gone]
        waiting, self.parked = self.parked, []
        needed = sorted({*self.rounds, *(pull.meta["c"] for pull in waiting)})
        for clock in needed:                            # in order: a pull at c sees the rounds before c, and not c
            for pull in [pull for pull in waiting if pull.meta["c"] == clock]:
                waiting.remove(pull)
                answers += self.on_pull(pull)
            if clock < before and self.fault != "counts requests":
                self.close(clock)
        if self.fault == "lagging replica" and before > self.copy_of:
            self.copy, self.copy_of = self.copied(), before
        if self.fault == "counts requests" and self.gone == set(self.workers):
            self.close(self.closed)
        return answers

    def on_pull(self, mail):
        if self.needed(mail.meta["c"]) > self.low():
            self.parked.append(mail)
            return []
        self.pulls[mail.src] += 1
        first, count = mail.meta["r"]
        vals = np.array([self.rows[key] for key in range(first, first + count)], np.float32)
        old = np.array([self.copy[key] for key in range(first, first + count)], np.float32)
        if self.fault == "snapshot":
            vals = old
        if self.fault == "lagging replica" and self.pulls[mail.src] % 2 == 0:
            mine = slice(mail.src * 2, mail.src * 2 + 2)        # the marks of the worker that asks
            old[:, mine] = vals[:, mine]
            vals = old
        return [(mail.src, "rows", {"q": mail.meta["q"]}, [vals])]


def program(comm, workers, model, fault, durations, marks):
    """Every worker pulls all rows, computes, pushes once or twice, and ends its round."""
    if comm.rank == workers:
        server = ToyServer(range(workers), marks.dim, model, fault)
        while len(server.gone) < workers:
            for rank, kind, meta, tensors in server.handle(comm.poll()):
                comm.post(rank, kind, meta, tensors)
        return {key: row.tolist() for key, row in server.rows.items()}
    recorder = Recorder(marks)
    keys_of = random.default_rng([5, comm.rank])
    with KVWorker(comm, [workers], [TableConfig("t", marks.dim, ROWS, rule=SGD(1.0), consistency=model)],
                  recorder=recorder) as kv:
        for step, duration_s in enumerate(durations[comm.rank]):
            kv.wait(kv.pull(range(ROWS), "t"))
            comm.compute(duration_s)
            for _ in range(1 + (comm.rank + step) % 2):
                keys = keys_of.choice(ROWS, 2, replace=False)
                kv.push(keys, marks.vals(comm.rank, recorder.next_number("t"), 2), "t")
            kv.wait(kv.pull(range(ROWS), "t"))
            kv.clock()
    return recorder.part()


def durations_of(seed, workers, rounds, slowest=None):
    """Seconds of computation, K lists of T; `slowest` (a worker) needs longer for one round than others for all."""
    durations = random.default_rng(seed).integers(1, 20, (workers, rounds)) * 1e-4
    if slowest is not None:
        durations[slowest] = 1.0
    return durations.tolist()


def play(model, fault="", seed=0, workers=3, rounds=5, faults=None, straggler=True):
    """The history of a run on a toy server."""
    marks = Marks(workers, 2 * rounds)
    durations = durations_of(seed, workers, rounds, seed % workers if straggler else None)
    run = SimWorld(workers + 1, engine="greenlets", trace=False, faults=faults).run(
        program, workers, model, fault, durations, marks)
    return History.of(run.results[:workers], final={"t": run.results[workers]}, marks=marks)


__all__ = ["ASP", "BSP", "SSP", "Faults", "check", "durations_of", "play"]
