"""3.4: a few keys are wanted by everybody. Copies of them on all servers share the load of reading; writes go to all.

    reads of a Zipf stream      server 0 ████████████████████  has the hottest key        with copies  ██████████
                                server 1 ████████                                                      █████████▌
                                server 2 ███████▌                                                      █████████▌

Who has the most *keys* and who has the most *load* are two questions. The bound on the busiest server: what it has of
keys without copies, and an even share of the reads of keys with copies, within 5 %.
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab3_common import FORBIDDEN, described, servers_of, told, whole_numbers, zipf

R, S, H, BATCH, BATCHES = 5_000, 8, 16, 2_000, 12
SLACK = 1.05


def hottest(reads: np.ndarray, h: int) -> np.ndarray:
    """The reference: (≤ h,) keys by how often they are read, the lower key first where two are equal."""
    keys, counts = np.unique(reads, return_counts=True)
    return keys[np.lexsort((keys, -counts))][:h]


# ---- the hottest ----------------------------------------------------------------------------------------------------


def _streams(rng) -> dict[str, tuple[np.ndarray, int]]:
    ties = np.concatenate([[11, 8, 4], rng.permutation(np.repeat([30, 4, 11, 8, 2**60], [3, 1, 1, 1, 5]))])
    return {"5,000 reads of a Zipf stream": (zipf(rng, 400, 5_000), 10), "ties": (ties, 3),
            "three keys, h = 8": (rng.permutation(np.repeat([7, 5, 900], [4, 9, 2])), 8),
            "h = 0": (zipf(rng, 50, 40), 0)}


def most_read(answers, case: Case) -> Verdict:
    for where, (reads, h) in _streams(case.rng).items():
        value = answers.call("hottest", reads, h)
        seen, right = whole_numbers(value), hottest(reads, h)
        if seen is None:
            return Verdict(False, f"up to {h} keys", described(value), where, "all/bad-value")
        if sorted(seen.tolist()) != sorted(right.tolist()):
            return Verdict(False, f"keys {sorted(right.tolist())}", f"{sorted(seen.tolist())}", where,
                           _why_not_hottest(reads, h, seen, right))
    return Verdict(True, seen="the most read keys, the lower one where two are equal")


def _why_not_hottest(reads, h, seen, right) -> str:
    keys, counts = np.unique(reads, return_counts=True)
    of = dict(zip(keys.tolist(), counts.tolist()))
    if sorted(of.get(key, 0) for key in seen.tolist()) == sorted(of[key] for key in right.tolist()):
        return "3/ties-by-chance"
    if len(seen) != len(right):
        return "3/how-many-hot"
    return "3/not-the-load"


# ---- reading --------------------------------------------------------------------------------------------------------


class Store:
    """Keys with their owners, a stream of reads in batches, and the keys that have copies."""

    def __init__(self, rng):
        self.owner = rng.integers(0, S, R)
        self.stream = zipf(rng, R, BATCH * BATCHES)
        self.hot = hottest(self.stream, H)
        self.batches = np.split(self.stream, BATCHES)

    def question(self, keys) -> tuple:
        return keys, self.owner[keys], self.hot, S


def _reads(answers, store: Store):
    """(keys, which of them have copies, servers, what is wrong) of every batch."""
    for number, keys in enumerate(store.batches):
        where = f"batch {number}: {len(keys):,} reads, {S} servers"
        servers, wrong = servers_of(answers.call("route_reads", *store.question(keys)), len(keys), range(S), where)
        copied = np.isin(keys, store.hot)
        if not wrong:
            astray = np.flatnonzero(~copied & (servers != store.owner[keys]))
            if len(astray):
                at = int(astray[0])
                wrong = Verdict(False, f"key {keys[at]} from its owner, server {store.owner[keys[at]]}",
                                f"server {servers[at]}", where, "3/cold-elsewhere")
        yield keys, copied, servers, wrong


def where_it_is(answers, case: Case) -> Verdict:
    """route_reads: a key without copies is read at its owner; small batches as well."""
    store = Store(case.rng)
    for keys in (store.stream[:0], store.stream[:1], store.hot[:5], np.arange(20)):
        where = f"{len(keys)} reads"
        _, wrong = servers_of(answers.call("route_reads", *store.question(keys)), len(keys), range(S), where)
        if wrong:
            return wrong
    for *_, wrong in _reads(answers, store):
        if wrong:
            return wrong
    return Verdict(True, seen="every read goes to a server that has the key")


def busiest(answers, case: Case) -> Verdict:
    """The load of the busiest server over all batches of a Zipf stream."""
    store = Store(case.rng)
    load, cold = np.zeros(S), np.zeros(S)
    at_owner = by_key = True
    for keys, copied, servers, wrong in _reads(answers, store):
        if wrong:
            return wrong
        load += np.bincount(servers, minlength=S)
        cold += np.bincount(servers[~copied], minlength=S)
        at_owner &= bool((servers == store.owner[keys]).all())
        by_key &= all(len(set(servers[keys == key].tolist())) == 1 for key in np.unique(keys[copied]))
    mean, n = len(store.stream) / S, len(store.stream)
    alone = np.bincount(store.owner[store.stream], minlength=S).max() / mean
    bound = SLACK * (cold.max() + (n - cold.sum()) / S) / mean
    ratio = load.max() / mean
    where = f"{n:,} reads, Zipf 1.1, {H} of {R:,} keys with copies, {S} servers; without copies {alone:.2f} times"
    expected, seen = f"at most {bound:.2f} times the mean", f"{ratio:.2f} times the mean on the busiest server"
    if ratio <= bound:
        return Verdict(True, expected, seen, where, ratio=ratio / bound)
    why = "3/hot-at-its-owner" if at_owner else "3/keys-for-load" if by_key else "3/uneven-reads"
    return Verdict(False, expected, seen, where, why, ratio=ratio / bound)


# ---- writing --------------------------------------------------------------------------------------------------------


def every_copy(answers, case: Case) -> Verdict:
    """route_writes, carried out: each server adds up what it is sent; all copies of a key end with the exact sum."""
    store = Store(case.rng)
    for keys in (store.stream[:300], store.hot[:3].repeat(4), store.stream[:0], np.setdiff1d(np.arange(40), store.hot)):
        where = f"{len(keys)} writes, {int(np.isin(keys, store.hot).sum())} of them to keys with copies"
        routes, wrong = _read_routes(answers.call("route_writes", *store.question(keys)), len(keys), where)
        wrong = wrong or _sums(store, keys, routes, where)
        if wrong:
            return wrong
    return Verdict(True, seen="the sum of all writes at every copy, exactly")


def _read_routes(value, n: int, where: str) -> tuple[dict | None, Verdict | None]:
    if not isinstance(value, dict) or not all(isinstance(server, int) for server in value):
        return None, Verdict(False, "{server: places of the batch}", described(value), where, "all/bad-value")
    routes = {}
    for server, places in value.items():
        routes[server] = whole_numbers(places)
        if routes[server] is None or ((routes[server] < 0) | (routes[server] >= n)).any():
            return None, Verdict(False, f"places from 0 to {n - 1}", described(places), f"{where}; server {server}",
                                 "all/bad-value")
        if not 0 <= server < S:
            return None, Verdict(False, f"servers from 0 to {S - 1}", f"server {server}", where, "3/no-such-server")
    return routes, None


def _sums(store: Store, keys, routes, where) -> Verdict | None:
    """Compares the counts of each server with those that its keys should have; a write adds 2^(i mod 20)."""
    amount = 2 ** (np.arange(len(keys)) % 20)
    total = np.bincount(keys, amount, R)
    none = np.zeros(0, np.int64)
    sums = [np.bincount(keys[at], amount[at], R) for at in (routes.get(server, none) for server in range(S))]
    for server, seen in enumerate(sums):
        for key in np.unique(keys).tolist():
            copied, own = key in store.hot, store.owner[key] == server
            right = total[key] if copied or own else 0
            if seen[key] == right:
                continue
            once = copied and sum(other[key] for other in sums) == total[key]
            kind = "a key with copies" if copied else "a key without copies"
            if right == 0:
                why = "3/cold-everywhere"
            elif seen[key] == 0 or once:
                why = "3/one-replica" if copied else "3/write-lost"
            elif seen[key] > right:
                why = "3/applied-twice"
            else:
                why = "3/duplicates-dropped"
            return Verdict(False, f"key {key} adds up to {right:g} on server {server}", f"{seen[key]:g} there",
                           f"{where}; {kind}, owner {store.owner[key]}", why)
    return None


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (most_read, busiest, every_copy):
        verdict = judge(answers, case.of(judge.__name__))
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other streams, other owners")


HOT = Exercise(
    id="3.4", lab="3", title="Copies of hot keys", names=("hottest", "route_reads", "route_writes"),
    signature="def hottest(reads, h: int) -> keys; def route_reads(keys, owners, hot, num_servers) -> servers (n,); "
              "def route_writes(keys, owners, hot, num_servers) -> dict[int, places]",
    points=20, minutes=20, difficulty=2, core=False, prerequisites=("3.2",), chapter_number="11.3.4",
    forbidden=FORBIDDEN,
    goal="hottest: the h keys that a stream reads most often, the lower one where two are equal. The keys in `hot` lie "
         "on every server, all others on their owner alone. route_reads: for each place of a batch the server to read "
         "from, such that the busiest has at most 1.05 times (its keys without copies + an even share of the rest). "
         "route_writes: {server: places of the batch that it must apply}, such that all copies have the exact sum.",
    example="keys [5, 9, 5], owners [1, 0, 1], hot [5], 2 servers: reads e.g. [1, 0, 0]; writes {0: [0, 1, 2], "
            "1: [0, 2]}",
    hints=(
        "Reads of a key with copies may go to any server, and each of them to another one. Writes are different: "
        "what happens to a copy that a write does not reach?",
        "np.isin(keys, hot) says which places have copies. Deal these places out in turn: the i-th of them to server i "
        "mod S. Dealing by key would send all reads of the hottest one to the same server again.",
        "hottest: np.unique(reads, return_counts=True), then sort by (-count, key). route_writes: for each server the "
        "places whose key it owns or has a copy of, duplicates included: np.flatnonzero(copied | (owners == server)).",
    ),
    misconceptions=(
        *told("3/no-such-server", "3/duplicates-dropped"),
        Misconception("3/not-the-load", "These are not the keys that are read most often; what counts is how many "
                      "reads a key has, not how large it is nor when it came."),
        Misconception("3/ties-by-chance", "Of two keys that are read equally often the lower one is first; every "
                      "worker has to come to the same list."),
        Misconception("3/how-many-hot", "The number of keys is wrong; it is h, or as many as there are."),
        Misconception("3/cold-elsewhere", "A key without copies is read where it is not; it lies on its owner alone."),
        Misconception("3/hot-at-its-owner", "All reads go to owners still, and the owner of the hottest key is as busy "
                      "as before; copies help only when reads use them."),
        Misconception("3/keys-for-load", "You spread keys, and not reads: all reads of one key go to one server, "
                      "and the hottest key alone is a good part of the load; deal out the single reads."),
        Misconception("3/uneven-reads", "The reads of keys with copies are not spread evenly over the servers; each "
                      "of them can take an equal part."),
        Misconception("3/one-replica", "A write has not reached every copy; from now on it depends on where one reads "
                      "what one sees."),
        Misconception("3/cold-everywhere", "A server is sent a write of a key that it does not have; only keys in "
                      "`hot` have copies."),
        Misconception("3/write-lost", "A write of a key without copies has not reached its owner."),
        Misconception("3/applied-twice", "A server applies a write twice; each place of the batch counts once on each "
                      "server that has its key."),
    ),
    criteria=(
        Criterion("the most read keys", most_read, 3),
        Criterion("every read where its key is", where_it_is, 4),
        Criterion("the busiest server, Zipf 1.1", busiest, 5),
        Criterion("writes at every copy", every_copy, 4),
        Criterion("other streams", elsewhere, 4, hidden=True),
    ),
)
