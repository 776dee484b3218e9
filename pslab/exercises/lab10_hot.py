"""10.4: which rows to replicate and all-reduce, and which to leave on servers.

    hot    a copy on each worker; its gradient is all-reduced      2(K−1) rows a step, touched or not
    tail   on servers; who touches it pulls it and pushes back     2K·p rows a step, p = 1 − (1 − f)^n

    hot is cheaper where p > (K−1)/K       p: that a worker's n look-ups touch the row, f: its share of look-ups

Rows are counted, ids are not. Beside the rule stand runs on drawn look-ups: bytes of the ledger for the chosen split
against the best split by a sweep over every number of hot rows, and a table that ends as the unsplit one does.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab import collectives
from pslab.comm import SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab10_common import FORBIDDEN, array, few

NAME, ROWS, LOOKUPS, D, STEPS = "hot_or_tail", 100_000, 512, 4, 6


def hot_or_tail(freqs, K: int, n: int) -> np.ndarray:
    """Ids of the rows to replicate. The reference."""
    return np.flatnonzero(touched(np.asarray(freqs, np.float64), n) > (K - 1) / K)


def touched(freqs: np.ndarray, n: int) -> np.ndarray:
    """P(n look-ups touch the row)."""
    with np.errstate(divide="ignore"):
        return -np.expm1(n * np.log1p(-np.minimum(freqs, 1.0)))


BELIEFS = {
    "10/share-of-one-lookup": lambda f, K, n: np.flatnonzero(f > (K - 1) / K),
    "10/expected-lookups": lambda f, K, n: np.flatnonzero(n * f > (K - 1) / K),
    "10/half-always": lambda f, K, n: np.flatnonzero(touched(f, n) > 0.5),
    "10/one-over-k": lambda f, K, n: np.flatnonzero(touched(f, n) > 1 / K),
    "10/batch-of-all-workers": lambda f, K, n: np.flatnonzero(touched(f, K * n) > (K - 1) / K),
    "10/tail-for-hot": lambda f, K, n: np.flatnonzero(touched(f, n) <= (K - 1) / K),
    "10/places-for-ids": lambda f, K, n: np.arange(len(hot_or_tail(f, K, n))),
    "10/per-cent-of-rows": lambda f, K, n: np.argsort(-f, kind="stable")[:max(1, len(f) // 100)],
    "10/copy-is-free": lambda f, K, n: np.flatnonzero(f > 0),
    "10/half-a-ring": lambda f, K, n: np.flatnonzero(touched(f, n) > (K - 1) / K / 2),
    "10/equal-is-hot": lambda f, K, n: np.flatnonzero(touched(f, n) >= (K - 1) / K),
}


def shares(rng, R: int, exponent: float) -> np.ndarray:
    """(R,) shares of look-ups, k-th hottest ~ k^-exponent; which id it has, is drawn."""
    weights = np.arange(1, R + 1) ** -exponent
    return (weights / weights.sum())[rng.permutation(R)]


# ---- judges ---------------------------------------------------------------------------------------------------------


def chosen(answers, freqs, K: int, n: int) -> np.ndarray | str:
    given = answers.call(NAME, torch.from_numpy(freqs.copy()), K, n)
    seen = array(np.asarray(given, np.int64) if isinstance(given, (list, tuple)) else given)
    if isinstance(seen, str) or seen.ndim != 1 or (seen.dtype.kind == "f" and seen.size):
        return seen if isinstance(seen, str) else f"{seen.dtype} of shape {seen.shape}"
    return seen.astype(np.int64)


def questions(name_of_label, asked):
    def judge(answers, case: Case) -> Verdict:
        listed = asked(case.rng)
        made = []
        for freqs, K, n in listed:
            seen = chosen(answers, freqs, K, n)
            where = f"K={K}, n={n}, {len(freqs):,} rows"
            if isinstance(seen, str):
                return Verdict(False, "ids, whole numbers", seen, where, "all/bad-value")
            if len(np.unique(seen)) < len(seen):
                return Verdict(False, "each id once", f"{len(seen)} ids, {len(np.unique(seen))} different ones", where,
                               "10/listed-twice")
            made.append(np.sort(seen))
        bad = next((i for i, (seen, q) in enumerate(zip(made, listed)) if not np.array_equal(seen, hot_or_tail(*q))),
                   None)
        if bad is None:
            return Verdict(True, seen=f"{len(listed)} tables; {name_of_label}")
        freqs, K, n = listed[bad]
        right = hot_or_tail(freqs, K, n)
        why = next((name for name, rule in BELIEFS.items()
                    if all(np.array_equal(seen, np.sort(rule(*q))) for seen, q in zip(made, listed))), "10/other-rows")
        return Verdict(False, f"{len(right)} hot rows: {few(right, 7)}", f"{len(made[bad])}: {few(made[bad], 7)}",
                       f"K={K}, n={n}, {len(freqs):,} rows", why)
    return judge


def some(rng) -> list[tuple]:
    return [(shares(rng, 4_000, 1.1), K, n) for K, n in ((2, 512), (3, 256), (8, 1_024), (2, 64), (5, 2_048))] + \
        [(np.array([0.2, 0.05, 0.5, 0.15, 0.1]), 3, 5)]


def edges(rng) -> list[tuple]:
    """Equal costs; one worker; nothing hot; a row in every look-up; an empty table."""
    return [(np.array([0.25, 0.5, 0.25]), 2, 1), (np.array([0.5, 0.3, 0.2]), 4, 2), (np.array([0.0, 0.6, 0.4]), 1, 3),
            (np.full(1_000, 1e-3), 2, 100), (np.array([1.0, 0.0]), 6, 1), (np.zeros(0), 2, 10),
            (np.array([0.75, 0.25]), 4, 1)]


# ---- on the ledger --------------------------------------------------------------------------------------------------


def split_step(comm, R: int, hot, batches: list) -> torch.Tensor:
    """K workers and one server. Whole-number gradients of each different id; the sum of all at the server, of hot rows
    at worker 0."""
    K, place = comm.world_size - 1, np.full(R, -1)
    place[hot] = np.arange(len(hot))
    workers = comm.split(None if comm.rank == K else 0)
    mine = torch.zeros(R, D) if comm.rank in (0, K) else None
    for t, ids_of in enumerate(batches):
        if comm.rank == K:
            for r, ids in enumerate(ids_of):
                tail = np.unique(ids[place[ids] < 0])
                comm.send(mine[tail], r)                                     # their rows, as they are
                mine[tail] += comm.recv(r)
            continue
        ids = np.unique(ids_of[comm.rank])
        grad = torch.from_numpy((ids % 7 + t + comm.rank)[:, None] + np.zeros(D)).float()
        warm = place[ids] >= 0
        block = torch.zeros(len(hot), D)
        block[place[ids[warm]]] = grad[warm]
        comm.recv(K)
        comm.send(grad[~warm], K)
        if len(hot):
            collectives.all_reduce(workers, block)
            if comm.rank == 0:
                mine[hot] += block
    return mine


def ledger_of(hot, K: int, batches: list, R: int = ROWS):
    return SimWorld(K + 1).run(split_step, R, hot, batches)


def sweep(freqs, K: int, batches: list) -> np.ndarray:
    """(R + 1,) bytes of all steps with the k hottest rows replicated, k = 0 … R."""
    order, tail = np.argsort(-freqs, kind="stable"), np.zeros(len(freqs))
    for ids_of in batches:
        for ids in ids_of:
            tail[np.unique(ids)] += 1
    served = np.concatenate([[tail.sum()], tail.sum() - np.cumsum(tail[order])])
    return 4 * D * (2 * served + len(batches) * 2 * (K - 1) * np.arange(len(freqs) + 1))


def on_the_ledger(Ks, steps: int = STEPS):
    def judge(answers, case: Case) -> Verdict:
        for K in Ks:
            freqs = shares(case.rng, ROWS, 1.1)
            hot = chosen(answers, freqs, K, LOOKUPS)
            where = f"K={K}, {ROWS:,} rows, {LOOKUPS} look-ups a worker, {steps} steps"
            if isinstance(hot, str):
                return Verdict(False, "ids, whole numbers", hot, where, "all/bad-value")
            if len(np.unique(hot)) < len(hot) or (len(hot) and not 0 <= hot.min() <= hot.max() < ROWS):
                return Verdict(False, "ids of the table, each once", f"{len(hot)} of them", where, "10/listed-twice")
            batches = [[case.rng.choice(ROWS, LOOKUPS, p=freqs) for _ in range(K)] for _ in range(steps)]
            least = sweep(freqs, K, batches).min()
            if len(hot) > 5_000:                                     # not run: 2(K − 1) rows a step for each, at least
                seen = steps * 8 * (K - 1) * D * len(hot)
                return Verdict(False, f"at most {1.02 * least:,.0f} bytes", f"{seen:,} for {len(hot):,} hot rows",
                               where, "10/copy-is-free", ratio=seen / least)
            run, plain = ledger_of(hot, K, batches), ledger_of(np.zeros(0, np.int64), K, batches)
            seen, unsplit = run.ledger.total(), plain.ledger.total()
            if not torch.equal(_whole(run, hot), plain.results[-1]):
                return Verdict(False, "the table of a run without a split", "another one", where, "10/other-rows", run)
            if seen > 1.02 * least:
                return Verdict(False, f"at most {1.02 * least:,.0f} bytes, 2 % above the best split", f"{seen:,}",
                               where, "10/other-rows", run, seen / least)
        return Verdict(True, f"{least:,.0f} bytes by the best split", f"{len(hot)} hot rows, {seen:,} bytes, unsplit "
                       f"{unsplit:,}; the same table", where, run=run, ratio=seen / least)
    return judge


def _whole(run, hot) -> torch.Tensor:
    table = run.results[-1].clone()
    table[hot] = run.results[0][hot]
    return table


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (questions("the rule", some), on_the_ledger((3,), 4)):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other tables", run=verdict.run)


HOT = Exercise(
    id="10.4", lab="10", title="Hot or tail", names=(NAME,),
    signature="def hot_or_tail(freqs, K, n) -> ids    # (R,) float64 shares of look-ups, sum 1; n look-ups a worker",
    points=20, minutes=25, difficulty=3, core=False, prerequisites=("9.1", "10.3"), forbidden=FORBIDDEN,
    goal="A row can be replicated: each of K workers has a copy, and its gradient goes through a ring each step, "
         "or not. Or it stays on a server: a worker whose batch touches it pulls it and pushes its gradient. Return "
         "the ids (int64, any order) for which the first moves fewer bytes over all links, on average. Look-ups are "
         "drawn independently; a worker asks for a row once a step however often it looks it up; rows are counted, ids "
         "are not; equal costs leave the row on the server.",
    example="K = 2, n = 1, shares 0.25, 0.6, 0.15: a replicated row costs 2·1 rows a step, a served one 2·2·p; only "
            "id 1 has p > 1/2 -> [1]",
    hints=(
        "Rows a step over all links, for one row of the table: what does the ring cost, with K workers? What does the "
        "server cost for one worker that touches the row, and how many do so on average?",
        "Ring: 2(K-1). Server: 2 for each worker that touches it, K·p of them. What is p, the probability that n "
        "independent look-ups contain the row at least once?",
        "p = 1 - (1 - f)^n; hot where p > (K-1)/K: torch.nonzero(1 - (1 - freqs) ** n > (K - 1) / K).flatten().",
    ),
    misconceptions=(
        Misconception("10/share-of-one-lookup", "You compared the share of one look-up; a batch has n of them, and the "
                      "row travels if any of them asks for it."),
        Misconception("10/expected-lookups", "n·f is how often a batch looks the row up; it travels once however often "
                      "that is, so the probability counts that it is touched at all."),
        Misconception("10/half-always", "One half is the threshold of two workers; a ring over more of them moves more "
                      "for a row."),
        Misconception("10/one-over-k", "The threshold grows with K: the more workers, the more copies to keep equal."),
        Misconception("10/batch-of-all-workers", "You asked whether any worker touches the row; each worker that does "
                      "pulls and pushes for itself, and n is one worker's look-ups."),
        Misconception("10/tail-for-hot", "You returned the rows that stay on servers; asked for are the replicated."),
        Misconception("10/places-for-ids", "You returned places in the order of heat; asked for are ids, and the "
                      "hottest row may have any."),
        Misconception("10/per-cent-of-rows", "A fixed share of the rows is hot in no table in particular; heat, K and "
                      "n decide."),
        Misconception("10/copy-is-free", "You replicate rows that are seldom touched; a copy costs its part of the "
                      "ring in each step, also when nobody looked it up."),
        Misconception("10/half-a-ring", "You counted half a ring; an all-reduce goes round twice, once to add up and "
                      "once to hand the sum out."),
        Misconception("10/equal-is-hot", "At equal costs the row stays on the server, which needs no copy of it."),
        Misconception("10/listed-twice", "An id is there twice, or is none of the table's; a gradient of it would be "
                      "summed twice."),
        Misconception("10/other-rows", "These are other rows than those for which a ring is cheaper: compare 2(K-1) "
                      "with 2K·p for each."),
    ),
    criteria=(
        Criterion("the rule", questions("p > (K-1)/K", some), 6),
        Criterion("at the edges", questions("equal costs, one worker, nothing hot", edges), 4),
        Criterion("within 2 % of the best split", on_the_ledger((2, 3)), 6),
        Criterion("other tables", elsewhere, 4, hidden=True),
    ),
)
