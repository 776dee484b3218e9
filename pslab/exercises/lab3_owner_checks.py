"""What judges owners (3.1): ranges by their cuts, a hash by other processes and by patterns, a ring by what moves.

    ranges   0 0 0 0 1 1 1 2 2 2     cuts where the owner changes: contiguous, sizes that differ by at most one
    hash     three processes with three PYTHONHASHSEEDs agree; chi-squared on keys with a pattern
    ring     10 servers: busiest / mean ≤ 1.35     one comes: only its keys move, to it     one goes: only its keys move

Judged by what is promised, not by one way to do it: any good hash passes, and so does another consistent hash.
"""

from __future__ import annotations

import math

import numpy as np

from pslab.grade import AnswerFailed, Case, OutOfMemory, Raised, TimedOut, Verdict

from .lab3_common import servers_of

HASH_SEEDS = (1, 2)                  # beside the one that Python drew for the first process
KEYS = 100_000                       # of the ring
SERVERS = tuple(range(10))
BALANCE = 1.35                       # busiest server over the mean
SLACK = 0.35                         # of the newcomer's share, 1/(S+1)
_SIGMAS = 6.0                        # of chi-squared: a good hash is refused less than once in a thousand million times


# ---- ranges ---------------------------------------------------------------------------------------------------------


def ranges(settings):
    """A judge of range_owner on settings(rng), each (R, S)."""
    def judge(answers, case: Case) -> Verdict:
        for R, S in settings(case.rng):
            where = f"num_rows={R:,}, num_servers={S}"
            try:
                verdict = (_all_rows if R < 2**20 else _at_the_cuts)(answers, R, S, where, case.rng)
            except (OutOfMemory, TimedOut) as failed:
                if R < 2**20:
                    raise
                return _stopped(failed, where, "3/list-of-all-rows")
            except Raised as failed:
                if S <= R:
                    raise
                return _stopped(failed, where, "3/more-servers-than-rows")
            if verdict is not None:
                return verdict
        return Verdict(True, seen="contiguous, sizes differ by at most 1, also with more servers than rows")
    return judge


def _all_rows(answers, R: int, S: int, where: str, rng) -> Verdict | None:
    owners, wrong = servers_of(answers.call("range_owner", np.arange(R), R, S), R, range(S), where)
    if wrong:
        return wrong
    if (np.diff(owners) < 0).any():
        at = int(np.flatnonzero(np.diff(owners) < 0)[0])
        return Verdict(False, "owners that only grow with the row", f"rows {at} and {at + 1} are on servers "
                       f"{owners[at]} and {owners[at + 1]}", where, "3/not-contiguous")
    wrong = _sizes(np.bincount(owners, minlength=S), R, S, where)
    if wrong:
        return wrong
    if R:
        asked = rng.integers(0, R, min(R, 50))
        again, wrong = servers_of(answers.call("range_owner", asked, R, S), len(asked), range(S), where)
        return wrong or same_owner(asked, again, owners[asked], where)
    return None


def _at_the_cuts(answers, R: int, S: int, where: str, rng) -> Verdict | None:
    """Of a long table only the rows around every cut; at cut s some of the longer ranges lie before it, few or many."""
    size, longer = divmod(R, S)
    fewest = [s * size + max(0, longer - (S - s)) for s in range(1, S)]
    most = [s * size + min(s, longer) for s in range(1, S)]
    asked = np.array([row for low, high in zip(fewest, most) for row in range(low - 2, high + 2)], dtype=np.int64)
    owners, wrong = servers_of(answers.call("range_owner", asked, R, S, timeout_s=3.0), len(asked), range(S), where)
    if wrong:
        return wrong
    cuts = [0]
    for s, (low, high) in enumerate(zip(fewest, most), start=1):
        near = owners[(asked >= low - 2) & (asked < high + 2)]
        before = int((near < s).sum())
        if (np.diff(near) < 0).any() or before in (0, len(near)):
            return Verdict(False, f"server {s} begins between rows {low:,} and {high:,}", f"rows {low - 2:,} to "
                           f"{high + 1:,} are on servers {sorted(set(near.tolist()))}", where, "3/uneven-ranges")
        cuts.append(low - 2 + before)
    return _sizes(np.diff([*cuts, R]), R, S, where)


def _sizes(sizes: np.ndarray, R: int, S: int, where: str) -> Verdict | None:
    if sizes.max() - sizes.min() <= 1:
        return None
    size, longer = divmod(R, S)
    cuts = np.cumsum(sizes)[:-1]
    first, last = (np.cumsum(size + np.isin(np.arange(S), of))[:-1] for of in (range(longer), range(S - longer, S)))
    shifted = S <= R and any((cuts - even == step).all() for even in (first, last) for step in (1, -1))
    why = "3/range-off-by-one" if shifted else "3/more-servers-than-rows" if S > R else "3/uneven-ranges"
    seen = sizes.tolist() if S <= 12 else f"from {sizes.min():,} to {sizes.max():,}"
    return Verdict(False, "sizes that differ by at most 1", f"sizes {seen}", where, why)


# ---- hash -----------------------------------------------------------------------------------------------------------


def in_every_process(answers, case: Case) -> Verdict:
    """hash_owner and ring_owner in three processes, each of whose Python hashes text in its own way."""
    keys = np.concatenate([np.arange(200), case.rng.integers(0, 2**62, 800)])
    asked = {"hash_owner": 10, "ring_owner": list(SERVERS)}
    first = {name: answers.call(name, keys, servers) for name, servers in asked.items()}
    known = {}
    for name, value in first.items():
        known[name], wrong = servers_of(value, len(keys), SERVERS, name)
        if wrong:
            return wrong
        some = case.rng.permutation(len(keys))[:100]
        again, wrong = servers_of(answers.call(name, keys[some], asked[name]), 100, SERVERS, name)
        wrong = wrong or same_owner(keys[some], again, known[name][some], name)
        if wrong:
            return wrong
    for hash_seed in HASH_SEEDS:
        answers.restart(hash_seed=hash_seed)
        for name, servers in asked.items():
            owners, wrong = servers_of(answers.call(name, keys, servers), len(keys), SERVERS, name)
            if wrong:
                return wrong
            differ = int((owners != known[name]).sum())
            if differ:
                return Verdict(False, "the same owners in three processes",
                               f"{differ:,} of {len(keys):,} keys have another owner in the process with "
                               f"PYTHONHASHSEED={hash_seed}", name, "3/hash-per-process")
    return Verdict(True, seen=f"{len(HASH_SEEDS) + 1} processes agree on {len(keys):,} keys")


def patterns(rng, n: int = 10_000) -> dict[str, np.ndarray]:
    """Keys as they come in practice: numbered, in steps, in the upper half of the word, drawn."""
    start = int(rng.integers(0, 2**20))
    return {"keys drawn at random": rng.integers(0, 2**60, n), "keys in a row": start + np.arange(n),
            "multiples of 64": 64 * (start + np.arange(n)), "multiples of 2^32": (start + np.arange(n)) << 32}


def even(answers, case: Case) -> Verdict:
    """Chi-squared of hash_owner's counts, on every pattern, for several S."""
    worst = 0.0
    for S in (8, 10, int(case.rng.integers(11, 30)), 1):
        modulo = True
        for pattern, keys in patterns(case.rng).items():
            where = f"{pattern}, num_servers={S}"
            owners, wrong = servers_of(answers.call("hash_owner", keys, S), len(keys), range(S), where)
            if wrong:
                return wrong
            modulo &= bool((owners == keys % S).all())
            counts, mean = np.bincount(owners, minlength=S), len(keys) / S
            if float(((counts - mean) ** 2 / mean).sum()) > chi_squared_limit(S - 1):
                return Verdict(False, f"about {mean:,.0f} keys on each server",
                               f"from {counts.min():,} to {counts.max():,}", where,
                               "3/modulo-is-no-hash" if modulo else "3/uneven-hash")
            worst = max(worst, counts.max() / mean)
    return Verdict(True, seen=f"the busiest server has {worst:.2f} times the mean")


def chi_squared_limit(freedom: int) -> float:
    """Exceeded by chance at most once in 10^9 times (Wilson and Hilferty, 1931)."""
    if freedom == 0:
        return 0.0
    part = 2 / (9 * freedom)
    return freedom * (1 - part + _SIGMAS * math.sqrt(part)) ** 3


# ---- ring -----------------------------------------------------------------------------------------------------------


def balanced(answers, case: Case) -> Verdict:
    """100,000 keys in a row on ten servers."""
    return _balance(answers, np.arange(KEYS), SERVERS)[1]


def _balance(answers, keys, servers) -> tuple[float, Verdict]:
    where = f"{len(keys):,} keys on {len(servers)} servers"
    owners, wrong = servers_of(answers.call("ring_owner", keys, list(servers), timeout_s=20.0), len(keys), servers,
                               where)
    if wrong:
        return math.inf, wrong
    ratio = float(max((owners == server).sum() for server in servers) * len(servers) / len(keys))
    expected, seen = f"at most {BALANCE} times the mean", f"{ratio:.2f} times the mean on the busiest server"
    if ratio <= BALANCE:
        return ratio, Verdict(True, expected, seen, where, ratio=ratio)
    why = "3/keys-not-hashed" if ratio > 0.9 * len(servers) else "3/one-point-a-server"
    return ratio, Verdict(False, expected, seen, where, why)


def one_comes(answers, case: Case) -> Verdict:
    return _growth(answers, np.arange(KEYS), list(SERVERS), len(SERVERS))


def _growth(answers, keys, servers: list[int], newcomer: int) -> Verdict:
    grown, S = [*servers, newcomer], len(servers)
    where = f"{S} servers, and server {newcomer} comes"
    before, wrong = servers_of(answers.call("ring_owner", keys, servers, timeout_s=20.0), len(keys), servers, where)
    if wrong:
        return wrong
    after, wrong = servers_of(answers.call("ring_owner", keys, grown, timeout_s=20.0), len(keys), grown, where)
    if wrong:
        return wrong
    moved = before != after
    astray = int((moved & (after != newcomer)).sum())
    seen = f"{moved.mean():.1%} of the keys move"
    if astray:
        return Verdict(False, f"every key that moves goes to server {newcomer}", f"{seen}, {astray:,} of them between "
                       "servers that were there before", where,
                       "3/modulo-moves-everything" if moved.mean() > 0.5 else "3/old-servers-swap")
    if abs(moved.mean() * (S + 1) - 1) > SLACK:
        return Verdict(False, f"1/{S + 1} of the keys move, about {1 / (S + 1):.1%}", seen, where, "3/newcomers-share")
    return Verdict(True, f"1/{S + 1}, about {1 / (S + 1):.1%}", f"{seen}, all of them to the newcomer", where)


def one_goes(answers, case: Case) -> Verdict:
    return _loss(answers, np.arange(KEYS), list(SERVERS), 3, case.rng)


def _loss(answers, keys, servers: list[int], leaver: int, rng) -> Verdict:
    """Without the leaver, and with the servers listed in another order."""
    where = f"{len(servers)} servers, of which server {leaver} goes"
    before, wrong = servers_of(answers.call("ring_owner", keys, servers, timeout_s=20.0), len(keys), servers, where)
    if wrong:
        return wrong
    left = [server for server in rng.permutation(servers).tolist() if server != leaver]
    for names, order in (([s for s in servers if s != leaver], ""), (left, ", the others listed in another order")):
        after, wrong = servers_of(answers.call("ring_owner", keys, names, timeout_s=20.0), len(keys), names, where)
        if wrong:
            return wrong
        stirred = int(((before != after) & (before != leaver)).sum())
        if stirred:
            return Verdict(False, "only the leaver's keys move", f"{stirred:,} keys of other servers move",
                           where + order, "3/place-for-name")
    moved = float((before != after).mean())
    return Verdict(True, seen=f"{moved:.1%} of the keys move, all of them the leaver's", where=where)


# ---- all of it, elsewhere -------------------------------------------------------------------------------------------


def elsewhere(answers, case: Case) -> Verdict:
    """Other tables, other patterns, other servers. Balance: the middle one of three sets, since one may be unlucky."""
    rng = case.rng
    verdict = ranges(lambda rng: [(int(R), int(S)) for R, S in zip(rng.integers(0, 400, 8), rng.integers(1, 40, 8))]
                     + [(int(rng.integers(2**41, 2**43)), int(rng.integers(5, 12)))])(answers, case)
    verdict = verdict if not verdict.passed else even(answers, case)
    if not verdict.passed:
        return verdict
    keys = rng.integers(0, 2**62, 30_000)
    _, wrong = servers_of(answers.call("ring_owner", keys[:100], [17]), 100, [17], "one server, number 17")
    if wrong:
        return wrong
    sets = [sorted(rng.choice(500, 10, replace=False).tolist()) for _ in range(3)]
    _, verdict = sorted((_balance(answers, keys, servers) for servers in sets), key=lambda pair: pair[0])[1]
    if not verdict.passed:
        return verdict
    for verdict in (_growth(answers, keys, sets[0], 501), _loss(answers, keys, sets[1], sets[1][4], rng)):
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other tables, keys and servers")


def same_owner(keys, owners, known, where: str) -> Verdict | None:
    """A refusal where a key's owner is another one than when it was asked for among other keys."""
    differ = np.flatnonzero(owners != known)
    if not len(differ):
        return None
    at = int(differ[0])
    return Verdict(False, f"key {keys[at]} on server {known[at]}, as before", f"server {owners[at]}, when other keys "
                   "are asked for beside it", where, "3/owner-of-a-place")


def _stopped(failed: AnswerFailed, where: str, misconception: str) -> Verdict:
    return Verdict(False, failed.expected, failed.seen, "; ".join(filter(None, (failed.where, where))), misconception)
