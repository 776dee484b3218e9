"""7.7: a cache in exact (BSP) training: rows with versions, and the saving told before anything runs.

    round t     read: name (id, version at hand)   ──▶ server ──▶ rows whose version is another one, nothing else
                push: gradients ──▶ server, applied when the round ends; each push of a row is one version more

What a worker pushed itself it knows: it applies it to its copy and counts one version. If nobody else has pushed the
row, copy and version are the server's, bit for bit, and the row need not travel. If somebody has, the version differs.
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab7_common import FORBIDDEN, first_of, questions, words, zipf
from .lab7_programs import trained

NAMES = ("ExactCache", "rows_saved")
D = 3


class Cache:
    """The cache as it should be; `slip` makes it one of the usual others."""

    def __init__(self, server, slip: str = ""):
        self.server, self.slip, self.rows, self.versions = server, slip, {}, {}

    def read(self, ids):
        need = [i for i in np.unique(ids).tolist() if self.slip != "7/never-asked-again" or i not in self.rows]
        known = [-1 if self.slip == "7/everything-anew" else self.versions.get(i, -1) for i in need]
        places, rows, versions = self.server.fetch(need, known)
        for at, row, version in zip(places.tolist(), rows, versions.tolist()):
            self.rows[need[at]], self.versions[need[at]] = row, version
        return np.stack([self.rows[i] for i in ids.tolist()])

    def push(self, ids, grads):
        self.server.push(ids, grads)
        for i, grad in zip(ids.tolist(), grads):
            for _ in range({"7/own-push-not-applied": 0, "7/own-push-twice": 2}.get(self.slip, 1)):
                self.rows[i] = self.server.apply(self.rows[i], grad)
            self.versions[i] += self.slip != "7/own-push-not-counted"


SLIPS = ("7/never-asked-again", "7/own-push-not-applied", "7/own-push-twice", "7/everything-anew",
         "7/own-push-not-counted")


def rows_saved(batches, how: str = "") -> tuple[int, int]:
    """(rows that need not travel, rows that are read), different ids of a worker's batch. The reference, or a slip."""
    K, saved, reads = len(batches[0]), 0, 0
    at_hand: list[set] = [set() for _ in range(K)]                   # rows of which a worker has the server's state
    for ids_of in batches:
        mine = [set(ids.tolist()) for ids in ids_of]
        for k in range(K):
            places = ids_of[k].tolist() if how == "7/places-counted" else mine[k]
            reads += len(places)
            saved += sum(i in at_hand[k] for i in places)
        for k in range(K):
            others = set().union(*(mine[q] for q in range(K) if q != k))
            if how == "7/hit-is-saved":
                at_hand[k] |= mine[k]
            elif how == "7/own-push-invalidates":
                at_hand[k] = (at_hand[k] | mine[k]) - others - mine[k]
            elif how == "7/last-round-only":
                at_hand[k] = mine[k] - others
            elif how == "7/first-worker-alone":
                at_hand[k] = (at_hand[k] | mine[k]) - (others if k else set())
            else:
                at_hand[k] = (at_hand[k] | mine[k]) - others
    return saved, reads


# ---- rounds ---------------------------------------------------------------------------------------------------------


def cut(stream: np.ndarray, K: int, batch: int) -> list:
    """batches[t][k] (batch,) of a stream, in its order."""
    return [list(part) for part in stream[:len(stream) // (K * batch) * K * batch].reshape(-1, K, batch)]


def some(rng) -> list[tuple[str, int, list]]:
    """(label, rows of the table, batches): few rows that all touch, and many that few do; one worker; a real text."""
    return [("two workers, 60 rows", 60, cut(zipf(rng, 60, 2 * 8 * 10), 2, 8)),
            ("three workers, Zipf", 400, cut(zipf(rng, 400, 3 * 20 * 8, 0.8), 3, 20)),
            ("one worker", 30, cut(zipf(rng, 30, 6 * 9), 1, 9)),
            ("two workers, words", 3_200, cut(words(int(rng.integers(50_000)), 2 * 64 * 8) % 3_200, 2, 64))]


def others(rng) -> list[tuple[str, int, list]]:
    K = int(rng.choice([3, 4, 5]))
    return [(f"{K} workers, Zipf", 900, cut(zipf(rng, 900, K * 30 * 7, 1.0), K, 30)),
            ("two workers, words", 3_200, cut(words(int(rng.integers(50_000)), 2 * 128 * 6) % 3_200, 2, 128))]


def chapter(rng) -> list:
    """As the chapter's model: sixteen workers, hot rows that all touch, and cold ones that nobody sees again."""
    hot, cold = np.arange(12), iter(range(100, 10**6))
    return [[rng.permutation(np.concatenate([hot, [next(cold) for _ in range(5)]])) for _ in range(16)]
            for _ in range(4)]


def uncached(rows: np.ndarray, batches: list) -> dict:
    """The same training where every read asks for everything."""
    return trained(lambda server: Cache(server, "7/everything-anew"), None, rows, batches)


# ---- judges ---------------------------------------------------------------------------------------------------------


def _trained(answers, rng, R: int, batches: list):
    rows = (rng.normal(size=(R, D)) / 3).astype(np.float32)
    return rows, answers.run("ExactCache", 1, rows, batches, within=trained, trace=False).results[0]


def bit_for_bit(made):
    """A judge of reads: those of the run without a cache, bit for bit."""
    def judge(answers, case: Case) -> Verdict:
        for label, R, batches in made(case.rng):
            rows, told = _trained(answers, case.rng, R, batches)
            right, K = uncached(rows, batches)["seen"], len(batches[0])
            for place, (seen, wanted) in enumerate(zip(told["seen"], right)):
                where = f"{label}; round {place // K}, worker {place % K}"
                if isinstance(seen, str) or seen.shape != wanted.shape:
                    said = seen if isinstance(seen, str) else f"shape {seen.shape}"
                    return Verdict(False, f"rows of shape {wanted.shape}, one for each place", said, where,
                                   "all/bad-value")
                if not (seen == wanted).all():
                    at = int(np.argwhere((seen != wanted).any(axis=1))[0, 0])
                    id_there = batches[place // K][place % K][at]
                    return Verdict(False, f"the server's {wanted[at].tolist()} for id {id_there}",
                                   f"{seen[at].tolist()}", where, _why_values(rows, batches, told["seen"]))
        return Verdict(True, seen="every read is the server's row, bit for bit")
    return judge


def _why_values(rows, batches, seen) -> str:
    for slip in SLIPS[:3]:
        way = trained(lambda server, slip=slip: Cache(server, slip), None, rows, batches)["seen"]
        if all(not isinstance(a, str) and a.shape == b.shape and (a == b).all() for a, b in zip(seen, way)):
            return slip
    return "7/not-the-servers-row"


def what_travels(made):
    """A judge of requests and replies: each different id named once, changed rows sent and no others."""
    def judge(answers, case: Case) -> Verdict:
        for label, R, batches in made(case.rng):
            rows, told = _trained(answers, case.rng, R, batches)
            right = trained(Cache, None, rows, batches)
            for t, ids_of in enumerate(batches):
                for k, ids in enumerate(ids_of):
                    named, sent = (sorted(told[what][t][k]) for what in ("named", "sent"))
                    asked, where = [i for i, _ in named], f"{label}; round {t}, worker {k}"
                    strange = set(asked) - set(ids.tolist())
                    if strange:
                        return Verdict(False, "requests for ids of the batch", f"one for id {min(strange)}", where,
                                       "7/asks-for-the-whole-cache")
                    if len(set(asked)) < len(asked):
                        return Verdict(False, f"{len(set(asked))} ids, each named once", f"{len(asked)}", where,
                                       "7/named-twice")
                    need = sorted(right["sent"][t][k])
                    if sent != need:
                        return Verdict(False, f"{len(need)} rows travel, those that somebody else has changed",
                                       f"{len(sent)} rows, {4 * D * len(sent):,} bytes", where,
                                       _why_bytes(told, t, k, sent, need), ratio=len(sent) / max(len(need), 1))
        return Verdict(True, seen="rows that others had changed, and no others")
    return judge


def _why_bytes(told, t, k, sent, need) -> str:
    if set(need) - set(sent):
        return "7/shared-between-workers"
    if {version for round_ in told["named"] for _, version in round_[k]} == {-1}:
        return "7/everything-anew"
    extra = set(sent) - set(need)
    forgotten = any(version == -1 for i, version in told["named"][t][k] if i in extra)
    return "7/unchanged-rows-travel" if forgotten else "7/own-push-not-counted"


WAYS = ("7/hit-is-saved", "7/own-push-invalidates", "7/last-round-only", "7/places-counted", "7/first-worker-alone")
SAVED = questions(
    "rows_saved", lambda rng: [*((batches,) for _, _, batches in some(rng)), (chapter(rng),)], rows_saved,
    {way: (lambda batches, way=way: rows_saved(batches, way)) for way in WAYS}, "7/saving-miscounted",
    "(rows that need not travel, rows that are read)",
    lambda q: f"{len(q[0])} rounds of {len(q[0][0])} workers, {len(q[0][0][0])} ids each")

_SENTENCES = {
    "7/never-asked-again": "A row that is held is never asked for again; others train it, and exact training reads "
    "the server's row of this round.",
    "7/own-push-not-applied": "Your copy is stale after your own push: you count its version and do not apply the "
    "gradient to the copy.",
    "7/own-push-twice": "Your own gradient is in the copy twice; it is applied once, by the server's rule.",
    "7/not-the-servers-row": "A read gave another row than the server has in this round; with the version at hand "
    "the server tells which rows have changed.",
    "7/everything-anew": "Every row travels each time, as no version is named; name the version of the copy at hand.",
    "7/own-push-not-counted": "Your own push makes a version of which your request knows nothing, so the server "
    "sends the row; apply the push to the copy and count one version, and it need not travel.",
    "7/unchanged-rows-travel": "A row travelled that nobody else had changed since you had it; keep copies over "
    "rounds, with their versions.",
    "7/shared-between-workers": "A row that had to travel did not; caches of different workers share nothing, as "
    "real machines do not.",
    "7/named-twice": "An id is named twice in a read; once is enough for all its places.",
    "7/asks-for-the-whole-cache": "You ask for rows that this batch does not read; that they are fresh helps nobody.",
    "7/hit-is-saved": "You took every row at hand for a saving, which is (1 - h) for reading; in exact training a "
    "row that another worker has pushed since must travel.",
    "7/own-push-invalidates": "You let the worker's own push make its row stale; what it pushed it can apply to its "
    "copy.",
    "7/last-round-only": "You looked at the round before only; a copy stays good until somebody else pushes the row.",
    "7/places-counted": "You counted places; a row that several places of a batch read travels once.",
    "7/first-worker-alone": "You forgot what others did to the rows of the first worker; each worker's rows are "
    "pushed by all others.",
    "7/saving-miscounted": "A row need not travel when this worker has read it before and no other worker has had "
    "it in a batch since that round, that round included.",
}

EXACT = Exercise(
    id="7.7", lab="7", title="A cache in exact training", names=NAMES,
    signature="class ExactCache:\n"
              "    def __init__(self, server)\n"
              "    def read(self, ids) -> rows            # (n,) int64 with duplicates -> (n, D), the server's\n"
              "    def push(self, ids, grads) -> None     # different ids, all read in this round\n"
              "def rows_saved(batches) -> tuple[int, int]     # batches[t][k] ids -> (need not travel, read)",
    points=25, minutes=25, difficulty=4, core=False, prerequisites=("7.2",), forbidden=FORBIDDEN,
    goal="server.fetch(ids, versions) -> (places, rows, versions) of the ids whose version is not the one named (-1 is "
         "none). server.push(ids, grads): applied when the round ends; every push of a row is one version more, whose "
         "ever it is. server.apply(rows, grads): the rule by which the server changes a row. Reads are the server's "
         "rows bit for bit; each different id of a read is named once; only rows that another worker has pushed since, "
         "or that are new to this one, travel. rows_saved: how many need not, before anything runs.",
    example="two workers read ids [1, 2] and [1, 3], in two rounds: ids 2 and 3 need not travel the second time, id "
            "1 must: rows_saved -> (2, 8)",
    hints=(
        "Which version has the server's row after a round in which you alone pushed it? And when another worker pushed "
        "it, too? Versions count pushes.",
        "Keep {id: row} and {id: version}. read: np.unique, fetch with the versions at hand, put what came into both. "
        "push: push, then apply to your copies and add one to their versions.",
        "rows_saved: for each worker a set of ids at hand. A read saves those different ids that are in the set; "
        "after the round the worker's ids come in, and all ids of the other workers' batches go out.",
    ),
    misconceptions=tuple(Misconception(*item) for item in _SENTENCES.items()),
    criteria=(
        Criterion("reads, bit for bit", bit_for_bit(some), 7),
        Criterion("what travels", what_travels(some), 7),
        Criterion("the saving, told before", SAVED, 6),
        Criterion("other workers, other rows", first_of((bit_for_bit(others), what_travels(others), SAVED),
                                                        "other workers, other rows"), 5, hidden=True),
    ),
)
