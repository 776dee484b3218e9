"""7.5: a lookup in a table that lies in parts with K workers: ids to owners, rows back, gradients to owners again.

    worker r                      owner q = id mod K, place id div K in its part
      ids, each once      ──8 B──▶
                          ◀──4D B── rows              forward: nothing else travels, and each id of a worker once
      gradients, summed   ──4D B──▶ added up          backward: the owner knows from forward whose rows they are

Per link r ─▶ q exactly 8·unique(r, q) + 4D·unique(q, r) bytes forward and 4D·unique(r, q) backward.
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Stalled, Verdict

from .lab0_common import LINK, how_stuck
from .lab7_common import FORBIDDEN
from .lab7_lookup_texts import MISCONCEPTIONS
from .lab7_lookup_trials import Trial, row_of, trials
from .lab7_programs import looked_up

NAME, ID = "ShardedLookup", 8


def run_of(answers, trial: Trial, backward: bool, world: str = "sim"):
    per_rank = [(trial.part(r), trial.batches[r], trial.grads[r] if backward else []) for r in range(trial.K)]
    link = {"link": LINK} if world == "sim" else {}
    try:
        return answers.run(NAME, trial.K, per_rank=per_rank, within=looked_up, world=world, **link,
                           **({"timeout_s": 30.0} if world != "sim" else {}))
    except Stalled as failed:
        why = how_stuck(failed.seen).replace("0/", "7/")
        if why == "all/stalled" and "without ids" in trial.label:
            why = "7/silent-when-empty"
        failed.misconception = why
        failed.where = "; ".join(filter(None, (failed.where, trial.label)))
        raise


# ---- values ---------------------------------------------------------------------------------------------------------


def rows_back(answers, case: Case) -> Verdict:
    """forward: the row of each place, in the caller's order."""
    shown = None
    for trial in trials(case.rng, not case.public):
        run = run_of(answers, trial, backward=False)
        wrong = _wrong_rows(trial, run)
        if wrong:
            return wrong
        shown = shown or run
    return Verdict(True, seen="the row of every place, in the caller's order", run=shown)


def _wrong_rows(trial: Trial, run) -> Verdict | None:
    for rank, told in enumerate(run.results):
        for batch, (ids, seen) in enumerate(zip(trial.batches[rank], told["rows"])):
            right, where = row_of(ids, trial.D), f"{trial.label}; rank {rank}, batch {batch}"
            if isinstance(seen, str) or seen.ndim != 2 or (len(ids) and seen.shape[1] != trial.D):
                said = seen if isinstance(seen, str) else str(seen.shape)
                return Verdict(False, f"rows of shape {right.shape}", said, where, "all/bad-value", run)
            if len(seen) != len(ids):
                unique = len(seen) == len(np.unique(ids))
                return Verdict(False, f"{len(ids)} rows, one for each place", f"{len(seen)}", where,
                               "7/one-row-for-duplicates" if unique else "7/wrong-row", run)
            if len(ids) and not (seen == right).all():
                at = int(np.argwhere((seen != right).any(axis=1))[0, 0])
                return Verdict(False, f"{right[at].tolist()} at place {at}, for id {ids[at]}", f"{seen[at].tolist()}",
                               where, _why_rows(trial, ids, seen, right), run)
    return None


def _why_rows(trial, ids, seen, right) -> str:
    if (np.sort(seen, axis=0) == np.sort(right, axis=0)).all():
        return "7/order-of-the-owners"
    if (seen == row_of(np.sort(ids), trial.D)).all():
        return "7/order-of-the-owners"
    known = row_of(np.arange(trial.R), trial.D)
    return "7/wrong-row" if all((known == row).all(axis=1).any() for row in seen) else "7/no-row-at-all"


def gradients(trial: Trial, owner: int, batch: int, how: str = "") -> np.ndarray:
    """(r, D): what the owner's rows get from a batch. The reference, or with `how` a slip."""
    total = np.zeros((len(range(owner, trial.R, trial.K)), trial.D), np.float32)
    for rank in range(trial.K):
        if (how == "7/own-gradients-alone" and rank != owner) or (how == "7/own-gradients-lost" and rank == owner):
            continue
        for b in range(batch + 1) if how == "7/gradients-pile-up" else (batch,):
            ids, grad = trial.batches[rank][b], trial.grads[rank][b]
            mine = ids % trial.K == owner
            places, values = ids[mine] // trial.K, grad[mine]
            if how == "7/last-gradient-wins":                    # within a worker
                last = dict(zip(places.tolist(), values))
                places, values = np.array(list(last), np.int64), np.array(list(last.values())).reshape(-1, trial.D)
            if how == "7/last-worker-wins":
                total[np.unique(places)] = 0
            np.add.at(total, places, values)
    return total / trial.K if how == "7/mean-of-the-workers" else total


SLIPS = ("7/last-gradient-wins", "7/last-worker-wins", "7/own-gradients-alone", "7/own-gradients-lost",
         "7/mean-of-the-workers", "7/gradients-pile-up")


def sums_at_the_owner(answers, case: Case) -> Verdict:
    """backward: each owner's rows get the sum of all gradients, of all places and all workers."""
    shown = None
    for trial in trials(case.rng, not case.public):
        run = run_of(answers, trial, backward=True)
        wrong = _wrong_rows(trial, run) or _wrong_sums(trial, run)
        if wrong:
            return wrong
        shown = shown or run
    return Verdict(True, seen="every row has the sum of its gradients", run=shown)


def _wrong_sums(trial: Trial, run) -> Verdict | None:
    places = [(rank, batch) for batch in range(len(trial.batches[0])) for rank in range(trial.K)]
    seen = [run.results[rank]["sums"][batch] for rank, batch in places]
    right = [gradients(trial, *place) for place in places]
    for (rank, batch), one, other in zip(places, seen, right):
        where = f"{trial.label}; owner {rank}, batch {batch}"
        if isinstance(one, str) or one.shape != other.shape:
            said = one if isinstance(one, str) else str(one.shape)
            return Verdict(False, f"a gradient of shape {other.shape}, as the part of the table", said, where,
                           "all/bad-value", run)
        if not (one == other).all():
            at = int(np.argwhere((one != other).any(axis=1))[0, 0])
            why = next((slip for slip in SLIPS if all((a == gradients(trial, *place, slip)).all()
                                                      for a, place in zip(seen, places))), "7/wrong-sum")
            return Verdict(False, f"{other[at].tolist()} for row {at} (id {at * trial.K + rank})",
                           f"{one[at].tolist()}", where, why, run)
    return None


# ---- bytes ----------------------------------------------------------------------------------------------------------


def _links(trial: Trial, rows: float, ids: float, each: bool = False) -> dict:
    """{(r, q): bytes}: `ids` bytes for each id that r asks of q, `rows` for each row that r owns and q asks for."""
    batches = range(len(trial.batches[0]))
    return {(r, q): sum(ids * trial.unique(r, q, b, each) + rows * trial.unique(q, r, b, each) for b in batches)
            for r in range(trial.K) for q in range(trial.K) if r != q}


def there_and_back(answers, case: Case) -> Verdict:
    """Bytes of forward on every link, from above and from below; one message for ids and one for rows."""
    shown = None
    for trial in trials(case.rng, not case.public):
        if trial.K == 1:
            continue
        run = run_of(answers, trial, backward=False)
        wrong = _wrong_rows(trial, run)
        if wrong:
            return wrong
        row = 4 * trial.D
        need = _links(trial, row, ID)
        seen = {link: run.ledger.link(*link) for link in need}
        bad = next((link for link in need if seen[link] != need[link]), None)
        if bad:
            asked = {r: sum(trial.unique(r, q, b) for q in range(trial.K) for b in range(len(trial.batches[r])))
                     for r in range(trial.K)}
            each = {r: sum(map(len, trial.batches[r])) for r in range(trial.K)}
            back = _links(trial, row, 0)
            ways = {"7/each-place-asked": _links(trial, row, ID, True), "7/ids-in-four-bytes": _links(trial, row, 4),
                    "7/sizes-first": {link: n + 8 * len(trial.batches[0]) for link, n in need.items()}}
            ways |= {name: {(r, q): 8 * count[r] + extra[r, q] for r, q in need}
                     for name, count in (("7/ids-to-everyone", asked), ("7/ids to everyone", each))
                     for extra in (back,)}
            why = next((name.replace(" ", "-") for name, links in ways.items() if links == seen), None)
            whole = {(r, q): len(trial.part(r)) * row * len(trial.batches[r]) for r, q in need}
            if why is None and any(all(seen[link] == whole[link] + more[link] for link in need)
                                   for more in (need, _links(trial, 0, ID), _links(trial, 0, 0))):
                why = "7/whole-table-travels"
            return _told(trial, run, bad, need, seen, why)
        most = 2 * (trial.K - 1) * len(trial.batches[0])
        sent = [run.ledger.messages(src=rank) for rank in range(trial.K)]
        if max(sent) > most:
            return Verdict(False, f"at most {most} messages out of a rank", f"{max(sent)}", trial.label,
                           "7/one-by-one", run)
        shown = shown or run
    return Verdict(True, "ids there, rows back, each once", f"{shown.ledger.total():,} bytes over all links, nothing "
                   "twice", run=shown, ratio=1.0)


def _told(trial, run, link, need, seen, why) -> Verdict:
    total, bound = sum(seen.values()), sum(need.values())
    why = why or ("7/by-a-side-door" if seen[link] < need[link] else "7/more-than-asked")
    cost = f"right rows, {total / bound:.1f}x the traffic of the bound: " if bound and total > bound else ""
    return Verdict(False, f"{need[link]:,} bytes from rank {link[0]} to rank {link[1]}, {bound:,} in all",
                   f"{cost}{seen[link]:,} bytes there, {total:,} in all", trial.label, why, run,
                   total / bound if bound else None)


def way_of_gradients(answers, case: Case) -> Verdict:
    """Bytes of backward: what a run with it moves beyond one without."""
    for trial in trials(case.rng, not case.public):
        if trial.K == 1:
            continue
        run, without = (run_of(answers, trial, backward) for backward in (True, False))
        wrong = _wrong_rows(trial, run) or _wrong_sums(trial, run)
        if wrong:
            return wrong
        row = 4 * trial.D
        need = _links(trial, 0, row)
        seen = {link: run.ledger.link(*link) - without.ledger.link(*link) for link in need}
        bad = next((link for link in need if seen[link] != need[link]), None)
        if bad:
            whole = {(r, q): len(trial.part(q)) * row * len(trial.batches[0]) for r, q in need}
            ways = {"7/gradient-of-each-place": _links(trial, 0, row + ID, True),
                    "7/ids-again": _links(trial, 0, row + ID),
                    "7/gradient-of-the-table": whole}
            why = next((name for name, links in ways.items() if links == seen), None)
            return _told(trial, run, bad, need, seen, why)
    return Verdict(True, seen="gradients to their owners, each row of a worker once")


def in_processes(answers, case: Case) -> Verdict:
    """Three real processes give what the simulator gave."""
    trial = trials(case.rng)[1]
    run = run_of(answers, trial, backward=True, world="process")
    return _wrong_rows(trial, run) or _wrong_sums(trial, run) or Verdict(True, seen="the same rows and sums in three "
                                                                                    "real processes")


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (rows_back, sums_at_the_owner, there_and_back, way_of_gradients):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other tables: rows, sums and bytes", run=verdict.run)


LOOKUP = Exercise(
    id="7.5", lab="7", title="An all-to-all lookup", names=(NAME,),
    signature="class ShardedLookup:\n"
              "    def __init__(self, comm, table)     # (r, D) float32: rows of the ids rank, rank + K, rank + 2K, …\n"
              "    def forward(self, ids) -> rows      # (n,) int64, any owner, duplicates, maybe none -> (n, D)\n"
              "    def backward(self, grad) -> sums    # (n, D) of the last forward -> (r, D): of the own rows",
    points=35, minutes=35, difficulty=4, core=True, prerequisites=("6", "0B.1"), forbidden=FORBIDDEN,
    goal="id belongs to rank id mod K, at place id div K of its table. forward: name each different id to its owner "
         "once (int64), get the rows back, and return the row of every place in the caller's order. backward: add up "
         "what belongs to the same id, send each sum to the owner, and return what all ranks sent for the own rows, "
         "added up; ids do not travel again. All ranks call forward and backward equally often, some with no ids.",
    example="K = 2, D = 1, id i has the row [10·i]: rank 0 forward([3, 0, 3]) -> [[30], [0], [30]]; 8 bytes to rank 1, "
            "4 back. backward([[1], [5], [2]]) brings rank 1 the sum 3 for id 3, in 4 bytes",
    hints=(
        "np.unique(ids, return_inverse=True) gives each id once, and where each place finds it again. Then cut the "
        "different ids by owner. Three all-to-alls as in 0B.1: ids, rows, gradients.",
        "Everybody sends to everybody, nothing too: an empty message is how an owner learns that there is no question. "
        "isend all, recv from each rank, then wait. Your own part stays at home.",
        "Keep from forward: unique, inverse, and for each rank the ids that it asked you for. backward: sums = zeros, "
        "np.add.at(sums, inverse, grad), send sums[unique % K == q] to q, and add what comes from r to the rows that r "
        "had asked for.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("rows in the caller's order", rows_back, 9),
        Criterion("ids there, rows back", there_and_back, 8),
        Criterion("sums at the owner", sums_at_the_owner, 8),
        Criterion("bytes of the gradients", way_of_gradients, 4),
        Criterion("in real processes", in_processes, 2),
        Criterion("other tables, other ids", elsewhere, 4, hidden=True),
    ),
)
