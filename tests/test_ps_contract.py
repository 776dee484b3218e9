"""Jobs drawn by seed, judged from the contract alone: when a round may begin, what a pull may see, what is kept.

Every push adds 4**j to a column of its own worker and clock (j: which push of that clock), so each row that is read
names the pushes in it, and a push that counted twice shows as a digit 2. Models are mixed, letters are lost, doubled,
overtaken and late, caches hold a row or three, workers leave early or die and start again with letters under way.
"""

import math
import random

import numpy as np
import pytest

from pslab.comm import CommError, Faults, Link, SimWorld
from pslab.ps import ASP, BSP, SGD, SSP, AdaGrad, Consistency, KVServer, KVWorker, TableConfig, Uniform, serve
from pslab.ps.cached import CachedTable
from pslab.ps.dedup import Seen
from pslab.ps.shard import Shard

ROWS, MOST = 5, 10
MODELS = [BSP(), SSP(0), SSP(1), SSP(2), SSP(3), SSP(math.inf), ASP()]
FREE = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=math.inf)


class Life:
    """A worker's program, drawn by seed and rank, and the log of what it did and saw."""

    def __init__(self, comm, job, settings, deaths):
        self.comm, self.job, self.settings, self.deaths = comm, job, settings, deaths
        self.chance, self.life, self.lives = random.Random(f"{job['seed']}/{comm.rank}"), 0, []
        self.begun_s, self.ended_s, self.pushes, self.reads, self.asked = [], [], [], [], []
        self.be_born(0)

    def be_born(self, clock):
        self.kv = KVWorker(self.comm, range(self.job["workers"], self.comm.world_size), self.job["tables"], self.life,
                           clock=clock, **self.settings)
        self.lives.append(self.kv)
        self.asked.clear()

    def run(self):
        chance, rounds = self.chance, self.job["rounds"]
        rounds = chance.randint(1, rounds) if chance.random() < 0.3 else rounds
        for clock in range(rounds):
            self.begun_s.append(self.comm.now())
            for _ in range(chance.randrange(6)):
                self.comm.compute(chance.expovariate(1 / 3e-5))
                self.act(clock)
            if self.deaths and chance.random() < 0.3:
                self.life += 1
                self.be_born(clock)
            if chance.random() < 0.7:                       # else some pulls are waited for in the next round
                self.take_all()
            if clock < rounds - 1 or chance.random() < 0.7:
                self.ended_s.append(self.comm.now())
                assert self.kv.clock() == clock + 1
                self.acknowledge()
            self.take_all()
        self.left_s = self.comm.now()
        self.kv.goodbye()
        self.acknowledge()
        stats = [counts for kv in self.lives for counts in kv.stats().values()]
        return {"begun_s": self.begun_s, "ended_s": self.ended_s, "left_s": self.left_s, "pushes": self.pushes,
                "reads": self.reads, "resent": sum(kv.resent for kv in self.lives),
                "bytes_out": sum(counts["keys_out_bytes"] + counts["vals_out_bytes"] for counts in stats),
                "saved": sum(c["saved_bytes"] for kv in self.lives for c in kv.cache_stats().values())}

    def act(self, clock):
        chance, table = self.chance, self.chance.choice(self.job["tables"])
        keys = [chance.randrange(ROWS) for _ in range(chance.randrange(7))]
        if chance.random() < 0.2:
            first = chance.randrange(ROWS)
            keys = range(first, chance.randrange(first, ROWS) + 1)
        number = sum(push["name"][1] == clock and push["table"] == table.name for push in self.pushes)
        if chance.random() < 0.5:
            own = [push for push in self.pushes if push["life"] == self.life or push["sure"]]
            self.asked.append((self.kv.pull(keys, table.name), table.name, clock, list(keys), own))
        elif number < MOST:
            vals = np.zeros((len(keys), table.dim), np.float32)
            if table.name == "float":
                vals[:] = np.random.default_rng([self.comm.rank, clock, number]).standard_normal(vals.shape)
            else:                                           # of equal keys, the first brings the digit
                for key in set(keys):
                    vals[list(keys).index(key), self.comm.rank * self.job["rounds"] + clock] = 4.0**number
            push = {"table": table.name, "name": (self.comm.rank, clock, number), "keys": set(keys), "life": self.life,
                    "at_s": self.comm.now(), "sure": False}
            self.pushes.append(push)
            stamp = self.kv.push(keys, vals, table.name)
            vals.fill(99)
            if chance.random() < 0.4:
                self.kv.wait(stamp)
                push["sure"] = True

    def take_all(self):
        while self.asked:
            stamp, *what = self.asked.pop(self.chance.randrange(len(self.asked)))
            self.reads.append((*what, self.kv.wait(stamp).clone().numpy(), self.comm.now()))

    def acknowledge(self):
        for push in self.pushes:
            push["sure"] |= push["life"] == self.life


def program(comm, job, settings, deaths):
    if comm.rank < job["workers"]:
        return Life(comm, job, settings, deaths).run()
    server = KVServer(job["tables"], comm.rank - job["workers"], comm.world_size - job["workers"],
                      range(job["workers"]))
    stats = serve(comm, server)
    return stats, {table.name: np.array(server.rows(table.name)) for table in job["tables"]}


# ---- the contract -----------------------------------------------------------------------------------------------


def check(run, job, where):
    """Rounds, reads and the last rows of a run against ARCHITECTURE's "Clocks, exactly"."""
    workers = run.results[:job["workers"]]
    staleness = min(table.consistency.staleness for table in job["tables"])
    for worker, log in enumerate(workers):
        for clock, begun_s in enumerate(log["begun_s"]):
            for other in workers if clock > staleness else []:
                there = [*other["ended_s"][clock - staleness - 1:], other["left_s"]][0]
                assert min(there, other["left_s"]) <= begun_s, f"{where}: worker {worker} began round {clock} early"
    for table in job["tables"]:
        if table.name != "float":
            check_reads(run, job, table, where)


def check_reads(run, job, table, where):
    model, truth = table.consistency, {}
    workers = run.results[:job["workers"]]
    pushes = [push for log in workers for push in log["pushes"] if push["table"] == table.name]

    def names(key, which):
        return {push["name"] for push in pushes if key in push["keys"] and which(push)}

    for log in workers:
        for name, clock, keys, own, rows, now_s in log["reads"]:
            for key, row in zip(keys, rows) if name == table.name else []:
                seen, newest = pushes_in(row, job["rounds"], where), clock - model.staleness - 1
                must = names(key, lambda push, newest=newest: push["sure"] and push["name"][1] <= newest)
                may = names(key, lambda push, now_s=now_s: push["at_s"] <= now_s)
                if model.staleness == 0:
                    may = {push for push in may if push[1] < clock}
                    assert truth.setdefault((clock, key), seen) == seen, f"{where}: two truths at clock {clock}"
                elif not isinstance(model, ASP):
                    must |= {push["name"] for push in own if push["table"] == name and key in push["keys"]}
                assert must <= seen <= may, (f"{where}: {model}, key {key} at clock {clock} lacks {must - seen}, "
                                             f"has {seen - may}")
    rows = np.concatenate([held[table.name] for _, held in run.results[job["workers"]:]])
    for key in range(ROWS):
        seen = pushes_in(rows[key], job["rounds"], where)
        assert names(key, lambda push: push["sure"]) <= seen <= names(key, bool), f"{where}: lost or made up"


def pushes_in(row, rounds, where):
    """The names of the pushes that a row holds."""
    found = set()
    for column in np.flatnonzero(row):
        digits = [int(-row[column]) >> 2 * number & 3 for number in range(MOST + 1)]
        assert row[column] < 0, f"{where}: {row[column]}"
        assert max(digits) == 1, f"{where}: a push counts twice: {digits}"
        found |= {(column // rounds, column % rounds, number) for number, digit in enumerate(digits) if digit}
    return found


# ---- runs -------------------------------------------------------------------------------------------------------


def payload(run):
    return run.ledger.total("keys") + run.ledger.total("vals")


def play(seed):
    """All runs of a seed. AssertionError and errors name seed and run."""
    chance = random.Random(seed)
    workers, servers, rounds = chance.randint(1, 4), chance.randint(1, 3), chance.randint(2, 6)
    model = chance.choice(MODELS)
    tables = [TableConfig(name, workers * rounds, ROWS, SGD(1.0), chance.choice([model, chance.choice(MODELS)]))
              for name in "abc"[:chance.randint(1, 3)]]
    if chance.random() < 0.6:
        tables.append(TableConfig("float", 3, ROWS, AdaGrad(0.1), BSP(), init=Uniform(0.5, 1)))
    job = {"seed": seed, "workers": workers, "rounds": rounds, "tables": tables}
    bad = Faults(seed=seed, drop=chance.choice([0, 0.1, 0.4]), duplicate=chance.choice([0, 0.3]),
                 reorder_s=chance.choice([0, 3e-4]), delay_s=chance.choice([0, 1e-4]), slow={0: chance.choice([1, 8])})
    cache, retry = {"cache_rows": chance.choice([1, 2, 3, 9])}, {"retry_s": chance.choice([6e-5, 3e-4, 1e-3])}
    link, runs = chance.choice([Link(), FREE]), {}
    for name, settings, faults in (("plain", {}, None), ("cached", cache, None),
                                   ("doubled", cache, Faults(seed=seed, duplicate=0.5)), ("lost", retry, bad),
                                   ("lost, cached", {**retry, **cache}, bad), ("lives", {**retry, **cache}, bad)):
        where = f"play({seed}), {name}: {settings}, {faults}, {[(t.name, t.consistency) for t in tables]}"
        try:
            world = SimWorld(workers + servers, faults=faults, link=Link() if faults else link, engine="greenlets",
                             trace=False)
            runs[name] = run = world.run(program, job, settings, name == "lives")
        except (CommError, ValueError) as error:
            raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
        check(run, job, where)
        check_bytes(run, job, name, where)
        if name != "lives":
            check_same(runs["plain"], run, job, where)
    saved = sum(log["saved"] for log in runs["cached"].results[:workers])
    assert payload(runs["plain"]) - payload(runs["cached"]) == saved, f"play({seed}): {saved} saved"
    return saved, sum(log["resent"] for log in runs["lost"].results[:workers])


def check_bytes(run, job, name, where):
    logs, servers = run.results[:job["workers"]], run.results[job["workers"]:]
    resent, again = sum(log["resent"] for log in logs), run.ledger.total("retry")
    for worker, log in enumerate(logs):                     # what is sent again is retry and nothing else
        assert log["bytes_out"] == sum(run.ledger.port(worker, kind)[0] for kind in ("keys", "vals")), where
    assert again > 0 or not resent, f"{where}: {resent} letters sent again for nothing"
    assert name in ("lost", "lost, cached", "lives") or not resent, where
    assert name not in ("plain", "cached") or not again, where
    assert name == "lives" or not sum(stats["refused"] for stats, _ in servers), f"{where}: refused"


def check_same(plain, run, job, where):
    """Under BSP neither a cache nor faults change a bit of what is read or kept."""
    for table in job["tables"]:
        if table.consistency.staleness:
            continue
        for one, other in zip(plain.results, run.results):
            if isinstance(one, tuple):
                assert one[1][table.name].tobytes() == other[1][table.name].tobytes(), f"{where}: {table.name}"
            else:
                assert [read_bits(read) for read in one["reads"] if read[0] == table.name] == \
                    [read_bits(read) for read in other["reads"] if read[0] == table.name], f"{where}: {table.name}"


def read_bits(read):
    _, clock, keys, _, rows, _ = read
    return clock, keys, rows.tobytes()


def test_the_contract_over_15_seeds():
    saved, resent = zip(*[play(seed) for seed in range(15)])
    assert sum(resent) > 300                                # the faults were there
    assert min(saved) < 0 < max(saved)                      # and the caches at work


@pytest.mark.long
def test_the_contract_over_1000_seeds():
    for seed in range(15, 1000):
        play(seed)


def play_all():
    for seed in (13, *range(60)):                           # 13: its letters overtake each other most usefully
        play(seed)


FAULTS = {
    "a round begins too early": (Consistency, "may_read", lambda self, clock, low: low >= clock - self.staleness - 1),
    "copies are read too long": (Consistency, "good_until", lambda self, low: low + self.staleness + 1),
    "a push that comes again is new": (Seen, "is_repeat", lambda self, incarnation, number: False),
    "numbers of a former life": (Seen, "is_repeat", lambda self, incarnation, number: number <= self.mark),
    "writes are not waited for": (Seen, "has_all", lambda self, incarnation, number: True),
    "rows that change look the same": (Shard, "_mark", lambda self, at: None),
    "copies miss their worker's pushes": (CachedTable, "pushed", lambda self, keys, vals, clock: None),
    "a copy that may lack a push is read": (CachedTable, "_doubt_answers", lambda self, keys: None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(fault, monkeypatch):
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError, match=r"play\("):
        play_all()
