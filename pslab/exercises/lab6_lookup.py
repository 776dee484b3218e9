"""6.3: a look-up in a table that lies in pieces at its owners: each different row crosses each link once.

    worker w ── its different ids of owner s, 8 B each ──▶ owner s        u·8 bytes, no more and no fewer
             ◀── their rows, 4·D B each ──                                 u·4D bytes, no more and no fewer
    back at the worker: a row for every place of ids, in the caller's order, duplicates included

The lower bound is as high as the upper one, for ranks share nothing: what did not travel cannot have been known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Raised, Verdict

from .lab6_common import FORBIDDEN, array, short

NAME = "dedup_lookup"
ID_BYTES, ITEM_BYTES = 8, 4


@dataclass(frozen=True)
class Lookup:
    """table (R, D) float32, its cuts (S + 1,), and the ids of each worker."""

    table: np.ndarray
    cuts: tuple[int, ...]
    ids: tuple[np.ndarray, ...]

    @property
    def workers(self) -> int:
        return len(self.ids)

    @property
    def owners(self) -> int:
        return len(self.cuts) - 1

    @property
    def D(self) -> int:
        return self.table.shape[1]

    def __str__(self) -> str:
        return f"workers: {self.workers}, owners: {self.owners}, D={self.D}, look-ups {[len(ids) for ids in self.ids]}"

    def ranks(self) -> list[tuple]:
        """Arguments (workers, cuts, ids, shard) by rank."""
        cuts = list(self.cuts)
        asks = [(self.workers, cuts, torch.from_numpy(ids.copy()), None) for ids in self.ids]
        owns = [(self.workers, cuts, None, torch.from_numpy(self.table[a:b].copy())) for a, b in zip(cuts, cuts[1:])]
        return [*asks, *owns]

    def of(self, worker: int, owner: int) -> np.ndarray:
        """The worker's look-ups that this owner has, duplicates included."""
        ids = self.ids[worker]
        return ids[(self.cuts[owner] <= ids) & (ids < self.cuts[owner + 1])]

    def unique(self, worker: int, owner: int) -> int:
        return len(np.unique(self.of(worker, owner)))


def lookup(rng, workers: int, owners: int, L: int, R: int = 60, D: int = 4, none: bool = False) -> Lookup:
    """Unsorted ids with duplicates, from everywhere; none: the last worker looks nothing up, the first owner has less
    than others and is asked by nobody else."""
    cuts = np.sort(rng.choice(np.arange(3, R - 1), owners - 1, replace=False)).tolist()
    cuts = [0, *cuts, R]
    table = np.arange(R * D).reshape(R, D).astype(np.float32) + 0.5
    ids = []
    for worker in range(workers):
        few = rng.permutation(R)[: max(2, L // 3 + worker)]
        mine = rng.permutation(np.concatenate([few, rng.choice(few, max(0, L - len(few)))]))
        if none and worker == workers - 1:
            mine = mine[:0]
        elif none:
            mine = mine[mine >= cuts[1]]                              # nothing for the first owner
        ids.append(mine.astype(np.int64))
    return Lookup(table, tuple(cuts), tuple(ids))


def by_hand() -> Lookup:
    """The one of the notebook."""
    table = np.array([[10 * row, 10 * row + 1] for row in range(6)], np.float32)
    return Lookup(table, (0, 3, 6), (np.array([4, 1, 4, 0, 4]), np.array([1, 1])))


def run_of(answers, p: Lookup, **how):
    return answers.run(NAME, p.workers + p.owners, per_rank=p.ranks(), **how)


# ---- values ---------------------------------------------------------------------------------------------------------


def wrong_rows(p: Lookup, run) -> Verdict | None:
    """None when every worker has the row of every place."""
    for worker, ids in enumerate(p.ids):
        right, where = p.table[ids], f"worker {worker} with ids {short(ids)}"
        seen = array(run.results[worker])
        if seen is None or seen.ndim != 2 or (seen.shape[1] != p.D and len(ids)):
            return Verdict(False, f"rows of shape {right.shape}", short(run.results[worker]), where, "all/bad-value",
                           run)
        if len(seen) != len(ids):
            why = "6/duplicates-not-put-back" if len(seen) == len(np.unique(ids)) else "6/wrong-rows"
            return Verdict(False, f"{len(ids)} rows, one for each place", f"{len(seen)} rows", where, why, run)
        if not np.array_equal(seen, right):
            at = int(np.flatnonzero((seen != right).any(1))[0])
            return Verdict(False, f"place {at} (id {ids[at]}): {short(right[at])}", short(seen[at]), where,
                           _why(p, worker, seen), run)
    return None


def _why(p: Lookup, worker: int, seen) -> str:
    ids = p.ids[worker]
    if np.array_equal(seen, p.table[np.sort(ids)]):
        return "6/sorted-order"
    by_owner = np.concatenate([p.of(worker, owner) for owner in range(p.owners)])
    if np.array_equal(seen, p.table[by_owner]):
        return "6/order-of-the-owners"
    _, first = np.unique(ids, return_index=True)
    _, last = np.unique(ids[::-1], return_index=True)
    others = np.setdiff1d(np.arange(len(ids)), first), np.setdiff1d(np.arange(len(ids)), len(ids) - 1 - last)
    for kept, rest in zip((first, len(ids) - 1 - last), others):
        if len(rest) and np.array_equal(seen[kept], p.table[ids[kept]]) and not seen[rest].any():
            return "6/duplicates-not-put-back"
    return "6/wrong-rows"


def values(problems_of, **how):
    def judge(answers, case: Case) -> Verdict:
        shown = None
        for p in problems_of(case.rng):
            try:
                run = run_of(answers, p, **how)
            except Raised as failed:
                if "out of bounds" in failed.seen or "out of range" in failed.seen:
                    return Verdict(False, "local places of a shard", failed.seen[:120], failed.where,
                                   "6/global-for-local", failed.run)
                raise
            bad = wrong_rows(p, run)
            if bad is not None:
                return bad
            shown = shown or (p, run)
        p, run = shown
        return Verdict(True, "a row for every place, in the caller's order", "right for every worker", str(p), run=run)
    return judge


# ---- bytes ----------------------------------------------------------------------------------------------------------


def on_the_wire(problems_of):
    """Every link between a worker and an owner to the byte, and nothing on any other."""
    def judge(answers, case: Case) -> Verdict:
        shown = None
        for p in problems_of(case.rng):
            run = run_of(answers, p)
            bad = _links(p, run)
            if bad is not None:
                return bad
            shown = shown or (p, run)
        p, run = shown
        total, every = run.ledger.total(), sum(map(len, p.ids)) * (ID_BYTES + ITEM_BYTES * p.D)
        return Verdict(True, f"{total:,} B, each different row once", f"{total:,} B; every look-up by itself would be "
                       f"{every:,} B", str(p), run=run, ratio=1.0)
    return judge


def _links(p: Lookup, run) -> Verdict | None:
    most = sum(p.unique(w, s) for w in range(p.workers) for s in range(p.owners)) * (ID_BYTES + ITEM_BYTES * p.D)
    right = wrong_rows(p, run) is None
    found = None
    for worker in range(p.workers):
        for owner in range(p.owners):
            u, rank = p.unique(worker, owner), p.workers + owner
            for src, dst, each, what in ((worker, rank, ID_BYTES, "ids"), (rank, worker, ITEM_BYTES * p.D, "rows")):
                moved = run.ledger.link(src, dst)
                if moved != u * each and (found is None or found[0] < found[1]):      # too much before too little
                    found = moved, u * each, worker, owner, what, u
    total = run.ledger.total()
    if found is None and total == most:
        return None
    ratio = total / most if most else None
    times = f"{'right rows, ' if right else ''}{ratio:.1f}x the traffic of the bound: " if ratio and ratio > 1 else ""
    if found is None:
        return Verdict(False, f"{most:,} B between workers and owners, none elsewhere",
                       f"{times}{total:,} B over all links", str(p), "6/replicated-shard", run, ratio)
    moved, need, worker, owner, what, u = found
    where = f"{what}, between worker {worker} and owner {owner}"
    return Verdict(False, f"{need:,} B for {u} different rows, {most:,} B in all",
                   f"{times}{moved:,} B there, {total:,} B in all", where, _why_bytes(p, run, found, right), run, ratio)


def _why_bytes(p: Lookup, run, found, right: bool) -> str:
    moved, need, *_ = found
    links = [(w, s) for w in range(p.workers) for s in range(p.owners)]
    up = {(w, s): run.ledger.link(w, p.workers + s) for w, s in links}
    down = {(w, s): run.ledger.link(p.workers + s, w) for w, s in links}
    row, shard = ITEM_BYTES * p.D, {s: p.cuts[s + 1] - p.cuts[s] for s in range(p.owners)}
    if run.ledger.total() > sum(up.values()) + sum(down.values()):
        return "6/replicated-shard"
    if all(down[w, s] >= row * shard[s] for w, s in links):
        return "6/whole-shard-travels"
    if all(up[w, s] == ID_BYTES * len(p.of(w, s)) for w, s in links) and moved > need:
        return "6/not-deduplicated"
    if all(up[w, s] == ID_BYTES * len(np.unique(p.ids[w])) or up[w, s] == ID_BYTES * len(p.ids[w]) for w, s in links):
        return "6/everybody-asked"
    if all(down[w, s] == row * len(p.of(w, s)) for w, s in links) and moved > need:
        return "6/rows-not-deduplicated"
    if all(up[w, s] == ID_BYTES // 2 * p.unique(w, s) for w, s in links) and moved < need:
        return "6/ids-in-32-bits"
    if moved < need and right:
        return "6/ranks-share-nothing"
    return "6/more-than-ids-and-rows"


# ---- the exercise ---------------------------------------------------------------------------------------------------


def _usual(rng):
    return [lookup(rng, 2, 3, 12), lookup(rng, 3, 2, 9, R=40)]


def _hidden(rng):
    workers, owners, L = int(rng.integers(1, 5)), int(rng.integers(2, 5)), int(rng.integers(8, 40))
    return [lookup(rng, workers, owners, L, int(rng.integers(60, 300)), int(rng.integers(1, 9))),
            lookup(rng, 3, 3, 15, none=True)]


def _hidden_all(answers, case: Case) -> Verdict:
    for judge in (values(_hidden), on_the_wire(_hidden)):
        verdict = judge(answers, case.of("both"))
        if not verdict.passed:
            return verdict
    return verdict


LOOKUP = Exercise(
    id="6.3", lab="6", title="Each row once over the wire", names=(NAME,),
    signature="def dedup_lookup(comm, workers, cuts, ids, shard) -> Tensor | None\n"
              "    # ranks 0 .. workers-1: ids (L,) int64, shard None -> rows (L, D) float32\n"
              "    # rank workers+s: ids None, shard (cuts[s+1] - cuts[s], D) float32 -> None",
    points=20, minutes=25, difficulty=3, core=True, prerequisites=("6.1", "3.2"), forbidden=FORBIDDEN,
    goal="Workers look rows up that lie at owners: owner s has rows cuts[s] up to, but not including, cuts[s + 1]. "
         "Each "
         "worker gets a row for every place of its ids, in its order; to each owner go its different ids, 8 bytes "
         "each, "
         "and their rows come back, 4·D bytes each, and nothing else travels.",
    example="cuts [0, 3, 6], D = 2, ids [4, 1, 4, 0, 4]: to owner 0 go ids 0 and 1 (16 B), to owner 1 goes id 4 (8 B); "
            "16 + 8 B of rows come back; the result has five rows",
    hints=(
        "Two passes: which different ids are there, and where does each place of the caller find its row among them? "
        "torch.unique answers both at once.",
        "unique, inverse = torch.unique(ids, return_inverse=True). unique is ascending and owners have ranges, so each "
        "owner's part is a slice: torch.searchsorted(unique, torch.tensor(cuts)) says where to cut.",
        "Worker: isend each slice, then recv from each owner, cat the replies in the order of the owners, and "
        "return that[inverse]. Owner: for each worker in turn recv ids, send shard[ids - cuts[s]]. A message may be "
        "empty: it costs no bytes.",
    ),
    misconceptions=(
        Misconception("6/not-deduplicated", "Every look-up travelled by itself, ids and rows; a row that a batch names "
                      "ten times is needed once, and copied at home."),
        Misconception("6/rows-not-deduplicated", "Each id was asked once and its row came as often as it was looked "
                      "up, or the reverse: both directions carry each different row once."),
        Misconception("6/everybody-asked", "Every owner was asked for all ids, also those that it does not have; cut "
                      "them at `cuts` first."),
        Misconception("6/whole-shard-travels", "The owner sent its whole shard; that is a replica, made anew for every "
                      "batch, and the table is large because it has no room at a worker."),
        Misconception("6/replicated-shard", "Bytes travelled between owners, or between workers; a shard has one "
                                            "owner, "
                      "and every worker asks it directly."),
        Misconception("6/ids-in-32-bits", "The ids travelled in four bytes; keys have eight, since hashed and joined "
                      "tables have more than four thousand million of them."),
        Misconception("6/ranks-share-nothing", "Rows reached a worker that nobody sent to it; ranks share no "
                                               "variables, "
                      "and what looks like one Python global in the simulator is many on real machines."),
        Misconception("6/more-than-ids-and-rows", "More travelled than different ids and their rows: a count, wider "
                      "numbers, or the ids sent back. A message brings its own length along."),
        Misconception("6/duplicates-not-put-back", "A row came for each different id and not for each place; the "
                      "inverse of torch.unique tells which row each place gets."),
        Misconception("6/sorted-order", "The rows are in the order of sorted ids; the caller's third row belongs to "
                      "the caller's third id."),
        Misconception("6/order-of-the-owners", "The rows stand as they came, owner by owner; they have to go back to "
                      "the places that asked for them."),
        Misconception("6/global-for-local", "A row's number in the table was used as its place in a shard; owner s has "
                      "row i at place i - cuts[s]."),
        Misconception("6/wrong-rows", "A place did not get the row of its id."),
    ),
    criteria=(
        Criterion("the case done by hand", values(lambda rng: [by_hand()]), 3),
        Criterion("rows in the caller's order", values(_usual), 5),
        Criterion("bytes on every link", on_the_wire(lambda rng: [by_hand(), *_usual(rng)]), 6),
        Criterion("a worker with no ids, an owner nobody asks", values(lambda rng: [
            lookup(rng, 2, 3, 12, none=True), lookup(rng, 1, 1, 5)]), 2),
        Criterion("in real processes", values(lambda rng: [lookup(rng, 1, 2, 8)], world="process"), 1),
        Criterion("other tables, other workers", _hidden_all, 3, hidden=True),
    ),
)
