"""10.2: a lookup in a table that lies in parts with K ranks, as one node of autograd.

    rows = sharded_lookup(comm, table, ids)      ids out, rows back                        8u + 4D·u bytes on a link
    rows.sum().backward()                        gradients of different ids to the owners  4D·u bytes, no ids again
    table.grad                                   (r, D): what all ranks' look-ups add up to; ids have no gradient

An id belongs to rank id mod K, at place id div K of its part. Gradients are judged in float64, with numbers that
float32 cannot hold; bytes in float32, from above and from below: ranks share nothing.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Stalled, Verdict

from .lab0_common import LINK
from .lab7_lookup_trials import Trial, row_of, trials
from .lab10_common import FORBIDDEN, array, few, stuck
from .lab10_lookup_texts import MISCONCEPTIONS
from .lab10_programs import looked_up

NAME, ID = "sharded_lookup", 8


def run_of(answers, trial: Trial, backward: bool, double: bool = False, world: str = "sim", at_once: bool = False):
    kind = torch.float64 if double else torch.float32
    per_rank = []
    for rank in range(trial.K):
        weights = [torch.from_numpy(weight(grad, double)) for grad in trial.grads[rank]] if backward else []
        ids = [torch.from_numpy(own.astype(np.int64)) for own in trial.batches[rank]]
        per_rank.append((torch.from_numpy(trial.part(rank)).to(kind), ids, weights, at_once))
    link = {"link": LINK} if world == "sim" else {"timeout_s": 30.0}
    try:
        run = answers.run(NAME, trial.K, per_rank=per_rank, within=looked_up, world=world, **link)
    except Stalled as failed:
        failed = stuck(failed, trial.label)
        if failed.misconception == "all/stalled" and "without ids" in trial.label:
            failed.misconception = "10/silent-when-empty"
        raise failed from None
    return run


def weight(grad: np.ndarray, double: bool) -> np.ndarray:
    return grad.astype(np.float64) / 7 if double else grad


# ---- values ---------------------------------------------------------------------------------------------------------


def wrong_rows(trial: Trial, run) -> Verdict | None:
    for rank, made in enumerate(run.results):
        if made["changed"]:
            return Verdict(False, "table and ids as before", "another table or other ids",
                           f"{trial.label}; rank {rank}", "10/arguments-changed", run)
        for batch, (ids, rows) in enumerate(zip(trial.batches[rank], made["rows"])):
            seen, right = array(rows), row_of(ids, trial.D)
            where = f"{trial.label}; rank {rank}, batch {batch}"
            if isinstance(seen, str) or seen.ndim != 2 or (len(ids) and seen.shape[1] != trial.D):
                said = seen if isinstance(seen, str) else str(seen.shape)
                return Verdict(False, f"rows of shape {right.shape}", said, where, "all/bad-value", run)
            if len(seen) != len(ids):
                once = len(seen) == len(np.unique(ids))
                return Verdict(False, f"{len(ids)} rows, one for each place", f"{len(seen)}", where,
                               "10/one-row-for-duplicates" if once else "10/wrong-row", run)
            if len(ids) and not (seen == right).all():
                at = int(np.argwhere((seen != right).any(axis=1))[0, 0])
                shuffled = (np.sort(seen, axis=0) == np.sort(right, axis=0)).all()
                return Verdict(False, f"{few(right[at])} at place {at}, for id {ids[at]}", few(seen[at]), where,
                               "10/order-of-the-owners" if shuffled else "10/wrong-row", run)
    return None


def summed(trial: Trial, owner: int, batches, how: str = "", double: bool = True) -> np.ndarray:
    """(r, D): the gradient of the owner's part from these batches. The reference, or with `how` a slip."""
    total = np.zeros((len(range(owner, trial.R, trial.K)), trial.D))
    for batch in batches:
        for rank in range(trial.K):
            if (how == "10/own-gradients-alone" and rank != owner) or (how == "10/own-gradients-lost"
                                                                       and rank == owner):
                continue
            ids, grad = trial.batches[rank][batch], weight(trial.grads[rank][batch], double).astype(np.float64)
            mine = ids % trial.K == owner
            places, values = ids[mine] // trial.K, grad[mine]
            if how == "10/last-gradient-wins":                       # of one rank's duplicates
                last = dict(zip(places.tolist(), values))
                places, values = np.array(list(last), np.int64), np.array(list(last.values())).reshape(-1, trial.D)
            if how == "10/last-rank-wins":
                total[np.unique(places)] = 0
            np.add.at(total, places, values)
    if how == "10/mean-of-the-ranks":
        total /= trial.K
    return -total if how == "10/uphill" else total


SLIPS = ("10/last-gradient-wins", "10/last-rank-wins", "10/own-gradients-alone", "10/own-gradients-lost",
         "10/mean-of-the-ranks", "10/uphill")


def wrong_grads(trial: Trial, run, double: bool = True, at_once: bool = False) -> Verdict | None:
    all_batches = range(len(trial.batches[0]))
    groups = [tuple(all_batches)] if at_once else [(batch,) for batch in all_batches]
    places = [(rank, at) for at in range(len(groups)) for rank in range(trial.K)]
    grads = {}
    for rank, at in places:
        made, where = run.results[rank]["grads"], f"{trial.label}; rank {rank}"
        grads[rank, at] = array(made[at]) if at < len(made) else "none"
        shape = (len(range(rank, trial.R, trial.K)), trial.D)
        if isinstance(grads[rank, at], str):
            return Verdict(False, f"table.grad of shape {shape}", grads[rank, at], where, "10/no-gradient", run)
        if grads[rank, at].shape != shape:
            return Verdict(False, f"table.grad of shape {shape}", str(grads[rank, at].shape), where, "all/bad-value",
                           run)

    def all_are(how: str = "", rtol: float = 1e-12, groups=groups) -> bool:
        return all(np.allclose(grads[rank, at], summed(trial, rank, groups[at], how, double), rtol=rtol, atol=rtol)
                   for rank, at in places)

    if all_are():
        return None
    rank, at = next(p for p in places if not np.allclose(grads[p], summed(trial, p[0], groups[p[1]], "", double),
                                                         rtol=1e-12, atol=1e-12))
    seen, right = grads[rank, at], summed(trial, rank, groups[at], "", double)
    row = int(np.argmax(np.abs(seen - right).max(axis=1)))
    why = "10/single-precision" if double and all_are("", 1e-4) else next((slip for slip in SLIPS if all_are(slip)), "")
    if not why and at_once and any(all_are("", groups=[(batch,) * count]) for batch in all_batches
                                   for count in (1, len(all_batches))):
        why = "10/last-lookup-only"
    return Verdict(False, f"{few(right[row])} for id {row * trial.K + rank}", few(seen[row]),
                   f"{trial.label}; table.grad of rank {rank}",
                   why or ("10/last-lookup-only" if at_once else "10/wrong-sum"), run)


def rows_back(answers, case: Case) -> Verdict:
    shown = None
    for trial in trials(case.rng, not case.public):
        run = run_of(answers, trial, backward=False)
        wrong = wrong_rows(trial, run)
        if wrong:
            return wrong
        shown = shown or run
    return Verdict(True, seen="the row of every place, in the caller's order", run=shown)


def at_the_owners(answers, case: Case) -> Verdict:
    shown = None
    for trial in trials(case.rng, not case.public):
        run = run_of(answers, trial, backward=True, double=True)
        wrong = wrong_rows(trial, run) or wrong_grads(trial, run)
        if wrong:
            return wrong
        shown = shown or run
    return Verdict(True, seen="every part has the sum of all ranks' gradients, in float64", run=shown)


def two_at_once(answers, case: Case) -> Verdict:
    """Several look-ups in one graph, and one backward for all."""
    for trial in trials(case.rng, not case.public):
        if len(trial.batches[0]) > 1:
            run = run_of(answers, trial, backward=True, double=True, at_once=True)
            wrong = wrong_rows(trial, run) or wrong_grads(trial, run, at_once=True)
            if wrong:
                return wrong
    return Verdict(True, seen="three look-ups, one backward")


# ---- bytes ----------------------------------------------------------------------------------------------------------


def links(trial: Trial, rows: float, ids: float, each: bool = False) -> dict:
    """{(r, q): bytes}: `ids` bytes for each id that r asks of q, `rows` for each row that r owns and q asks for."""
    batches = range(len(trial.batches[0]))
    return {(r, q): sum(ids * trial.unique(r, q, b, each) + rows * trial.unique(q, r, b, each) for b in batches)
            for r in range(trial.K) for q in range(trial.K) if r != q}


def out_and_back(answers, case: Case) -> Verdict:
    shown = None
    for trial in trials(case.rng, not case.public):
        if trial.K == 1:
            continue
        run = run_of(answers, trial, backward=False)
        wrong = wrong_rows(trial, run)
        if wrong:
            return wrong
        row, batches = 4 * trial.D, len(trial.batches[0])
        need = links(trial, row, ID)
        whole = {(r, q): len(trial.part(r)) * row * batches for r, q in need}
        ways = {"10/each-place-asked": links(trial, row, ID, True), "10/ids-in-four-bytes": links(trial, row, 4),
                "10/sizes-first": {link: n + 8 * batches for link, n in need.items()},
                "10/rows-in-double": links(trial, 2 * row, ID),
                "10/ids-to-everyone": {(r, q): back + ID * sum(len(np.unique(ids)) for ids in trial.batches[r])
                                       for (r, q), back in links(trial, row, 0).items()},
                "10/whole-table-travels": whole}
        bad = off(trial, run, {link: run.ledger.link(*link) for link in need}, need, ways)
        if bad:
            return bad
        sent = max(run.ledger.messages(src=rank) for rank in range(trial.K))
        if sent > 2 * (trial.K - 1) * batches:
            return Verdict(False, f"at most {2 * (trial.K - 1) * batches} messages out of a rank", str(sent),
                           trial.label, "10/one-by-one", run)
        shown = shown or run
    return Verdict(True, "each id and each row once", f"{shown.ledger.total():,} bytes over all links, nothing twice",
                   run=shown, ratio=1.0)


def off(trial, run, seen: dict, need: dict, ways: dict) -> Verdict | None:
    link = next((link for link in need if seen[link] != need[link]), None)
    if link is None:
        return None
    why = next((name.strip() for name, other in ways.items() if other == seen), None)
    total, bound = sum(seen.values()), sum(need.values())
    why = why or ("10/by-a-side-door" if seen[link] < need[link] else "10/more-than-asked")
    cost = f"right rows, {total / bound:.1f}x the traffic of the bound: " if bound and total > bound else ""
    return Verdict(False, f"{need[link]:,} bytes from rank {link[0]} to rank {link[1]}, {bound:,} in all",
                   f"{cost}{seen[link]:,} bytes there, {total:,} in all", trial.label, why, run,
                   total / bound if bound else None)


def way_back(answers, case: Case) -> Verdict:
    """Bytes of backward: what a run with it moves beyond one without."""
    for trial in trials(case.rng, not case.public):
        if trial.K == 1:
            continue
        run, without = (run_of(answers, trial, backward) for backward in (True, False))
        wrong = wrong_rows(trial, run) or wrong_grads(trial, run, double=False)
        if wrong:
            return wrong
        row, need = 4 * trial.D, links(trial, 0, 4 * trial.D)
        seen = {link: run.ledger.link(*link) - without.ledger.link(*link) for link in need}
        ways = {"10/gradient-of-each-place": links(trial, 0, row + ID, True), "10/ids-again": links(trial, 0, row + ID),
                "10/gradient-of-each-place ": links(trial, 0, row, True),
                "10/dense-gradient": {(r, q): len(trial.part(q)) * row * len(trial.batches[0]) for r, q in need}}
        bad = off(trial, run, seen, need, ways)
        if bad:
            return bad
    return Verdict(True, seen="gradients to their owners, each row of a rank once, no ids")


def in_processes(answers, case: Case) -> Verdict:
    trial = trials(case.rng)[1]
    run = run_of(answers, trial, backward=True, double=True, world="process")
    return wrong_rows(trial, run) or wrong_grads(trial, run) or Verdict(True, seen="the same in three real processes")


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (rows_back, at_the_owners, out_and_back, way_back, two_at_once):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other tables: rows, gradients and bytes", run=verdict.run)


LOOKUP = Exercise(
    id="10.2", lab="10", title="A sharded lookup that autograd knows", names=(NAME,),
    signature="def sharded_lookup(comm, table, ids) -> rows\n"
              "    # table (r, D): own part, requires grad; ids (n,) int64, perhaps none -> rows (n, D)",
    points=35, minutes=40, difficulty=4, core=True, prerequisites=("7.5", "10.1"), forbidden=FORBIDDEN,
    goal="id belongs to rank id mod K, at place id div K of its table. Forward: each different id to its owner "
         "(int64), its row back, and the rows in the caller's order. When somebody calls backward, the gradients of a "
         "rank's different ids go to their owners, without ids, and table.grad holds the sum of all ranks. A "
         "torch.autograd.Function; all ranks look up and go backward equally often, some with no ids.",
    example="K = 2, id i has the row [10·i]: rank 0 looks up [3, 0, 3] -> [[30], [0], [30]]; with the weights 1, 5, 2 "
            "its backward brings rank 1 the sum 3 for id 3, in one number",
    hints=(
        "It is 7.5 in another dress: forward(ctx, ...) does what forward did, and what backward needs lies in ctx, "
        "which each call has of its own. backward(ctx, grad) returns one gradient for each argument of forward.",
        "Tensors for autograd go through ctx.save_for_backward or, ids and lists, plainly on ctx. comm and ids have no "
        "gradient: return None for them. The gradient of table has its shape and its dtype.",
        "backward: sums = grad.new_zeros(len(unique), D).index_add_(0, inverse, grad); send sums[unique % K == q] to "
        "q; total = zeros like the table; total.index_add_(0, asked_by[q] // K, what came from q); return None, total, "
        "None.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("rows in the caller's order", rows_back, 7),
        Criterion("ids out, rows back", out_and_back, 7),
        Criterion("gradients at the owners", at_the_owners, 8),
        Criterion("bytes of the gradients", way_back, 4),
        Criterion("several look-ups, one backward", two_at_once, 3),
        Criterion("in real processes", in_processes, 2),
        Criterion("other tables, other ids", elsewhere, 4, hidden=True),
    ),
)
