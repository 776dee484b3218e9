"""9.3: how the two combines are judged: tables bit for bit, bytes from above and below, memory, two worlds.

    K workers and a server, u_k unique rows of worker k, D float32 numbers a row
      link k -> server      u_k·4D  ≤ bytes ≤  u_k·(4D + 8) + 64           rows and keys, each once
      link server -> k      u_k·4D  ≤ bytes ≤  u_k·(4D + 8) + 64           rows
      dense, all links      2(K−1)·V·4D, from below and from above         whatever the way: round a ring, over a root
    The lower bounds hold because ranks share nothing: what did not travel cannot have been known.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Verdict

from .lab9_combine import ITEM_BYTES, KEY_BYTES, Problem, by_hand, problem, slip, taller, updated
from .lab9_combine_texts import EXAMPLE, GOAL, HINTS, MISCONCEPTIONS, SIGNATURE

SMALL_BYTES = 64         # a count or two beside the payload
DENSE, SPARSE = "combine_dense", "combine_sparse"


def run_sparse(answers, p: Problem, **how):
    return answers.run(SPARSE, p.K + 1, per_rank=p.sparse_ranks(), **how)


def run_dense(answers, p: Problem, **how):
    return answers.run(DENSE, p.K, per_rank=p.dense_ranks(), **how)


# ---- values ---------------------------------------------------------------------------------------------------------


def sparse_table(p: Problem, run) -> Verdict | None:
    """None when the server's table is right."""
    return _differs(p, run.results[p.K], run, f"{SPARSE}: the server's table")


def sparse_rows(p: Problem, run) -> Verdict | None:
    """None when each worker came back with its unique ids and their rows as they are after everybody's push."""
    after = updated(p)
    for rank, mine in enumerate(p.ids):
        where, value = f"{SPARSE}: worker {rank}", run.results[rank]
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            return Verdict(False, "(ids (u,), rows (u, D))", _short(value), where, "all/bad-value", run)
        ids, rows = (np.asarray(value[0]) if _is_whole(value[0]) else _array(value[0])), _array(value[1])
        wanted = np.unique(mine)
        if ids is None or ids.shape != wanted.shape or not np.array_equal(ids, wanted):
            return Verdict(False, f"its ids once each, ascending: {_short(wanted)}", _short(value[0]), where,
                           "9/ids-of-the-answer", run)
        if rows is None or rows.shape != (len(wanted), p.D):
            return Verdict(False, f"rows of shape {(len(wanted), p.D)}", _short(value[1]), where, "all/bad-value", run)
        if not _same(p, rows, after[wanted]):
            row = int(np.argmax((rows != after[wanted]).any(1)))
            old = np.array_equal(rows, p.table[wanted])
            return Verdict(False, f"row {wanted[row]}: {_short(after[wanted[row]])}", _short(rows[row]), where,
                           "9/pull-before-push" if old else "9/answered-too-early", run)
    return None


def dense_tables(p: Problem, run) -> Verdict | None:
    """None when every worker ends with the right table."""
    for rank in range(p.K):
        verdict = _differs(p, run.results[rank], run, f"{DENSE}: the table of worker {rank}")
        if verdict is not None:
            untouched = rank > 0 and np.array_equal(_array(run.results[rank]), p.table)
            return verdict.naming("9/only-root-knows") if untouched else verdict
    return None


def _differs(p: Problem, value, run, where: str) -> Verdict | None:
    table = _array(value)
    if table is None or table.shape != p.table.shape:
        return Verdict(False, f"a table of shape {p.table.shape}", _short(value), where, "all/bad-value", run)
    wanted = updated(p)
    if _same(p, table, wanted):
        return None
    near = np.isclose(table, wanted, rtol=1e-5, atol=1e-4).all(1)
    if near.all():
        row, column = (int(at) for at in np.argwhere(table != wanted)[0])
        touched = np.isin(np.flatnonzero((table != wanted).any(1)), np.concatenate(p.ids)).all()
        return Verdict(False, f"row {row}, number {column}: {float(wanted[row, column])!r}, bit for bit",
                       repr(float(table[row, column])), where, "9/rounded-share" if touched else "9/wrong-table", run)
    row = int(np.argmax(~near))
    return Verdict(False, f"row {row}: {_short(wanted[row])}", _short(table[row]), where, slip(p, table), run)


def _same(p: Problem, table: np.ndarray, wanted: np.ndarray) -> bool:
    """Bit for bit on whole numbers, to rounding on others."""
    whole = all(np.array_equal(grads, np.round(grads)) for grads in p.grads)
    return np.array_equal(table, wanted) if whole else np.allclose(table, wanted, rtol=1e-5, atol=1e-5)


def _values(problems_of, **how):
    def judge(answers, case: Case) -> Verdict:
        for p in problems_of(case.rng):
            sparse = run_sparse(answers, p, **how)
            bad = sparse_table(p, sparse) or sparse_rows(p, sparse)
            if bad is None:
                dense = run_dense(answers, p, **how)
                bad = dense_tables(p, dense)
            if bad is not None:
                return bad
        return Verdict(True, seen=f"server and {p.K} replicas hold the same table", run=sparse)
    return judge


# ---- bytes ----------------------------------------------------------------------------------------------------------


def sparse_bytes(answers, case: Case) -> Verdict:
    """Per link from above and below; then the same look-ups in ten times the table: the same bytes."""
    p = problem(case.rng, K=3, V=60, D=16, looks=9, twice=True)
    run = run_sparse(answers, p)
    links = [(src, dst, u, f"worker {rank}, {way}") for rank, u in enumerate(p.unique)
             for src, dst, way in ((rank, p.K, "up"), (p.K, rank, "down"))]
    for bound_of in (_too_little, _too_much):
        found = next(filter(None, (bound_of(p, run, *link) for link in links)), None)
        if found is not None:
            return found
    least = sum(u * (2 * ITEM_BYTES * p.D + KEY_BYTES) for u in p.unique)
    bound = sum(u * (2 * ITEM_BYTES * p.D + 2 * KEY_BYTES) + 2 * SMALL_BYTES for u in p.unique)
    if run.ledger.total() > bound:
        return Verdict(False, f"at most {bound:,} B over all links", f"{run.ledger.total():,} B, between workers too",
                       "", "9/rows-go-to-the-owner", run, run.ledger.total() / bound)
    tall = run_sparse(answers, taller(p, 10), trace=False)
    if tall.ledger.total() != run.ledger.total():
        return Verdict(False, f"{run.ledger.total():,} B again in a table of {10 * p.V} rows",
                       f"{tall.ledger.total():,} B", "", "9/whole-table-travels", run)
    seen = f"{run.ledger.total():,} B for {sum(p.unique)} rows, in tables of {p.V} and of {10 * p.V} rows"
    return Verdict(True, f"rows up and down, keys up, {least:,} B", seen, run=run, ratio=run.ledger.total() / least)


def _too_little(p: Problem, run, src: int, dst: int, u: int, where: str) -> Verdict | None:
    moved, least = run.ledger.link(src, dst), u * ITEM_BYTES * p.D
    if moved >= least:
        return None
    elsewhere = run.ledger.port(src)[0] if dst == p.K else run.ledger.port(dst)[1]    # by another way, or by none
    why = "9/rows-go-to-the-owner" if elsewhere >= least else "9/ranks-share-nothing"
    return Verdict(False, f"at least {least:,} B: {u} rows of {ITEM_BYTES * p.D} B", f"{moved:,} B", where, why, run,
                   moved / least)


def _too_much(p: Problem, run, src: int, dst: int, u: int, where: str) -> Verdict | None:
    moved, row, looks = run.ledger.link(src, dst), ITEM_BYTES * p.D, len(p.ids[min(src, dst)])
    most = u * (row + KEY_BYTES) + SMALL_BYTES
    if moved <= most:
        return None
    if moved >= p.V * row:
        why = "9/whole-table-travels"
    elif looks * row <= moved <= looks * (row + KEY_BYTES) + SMALL_BYTES:
        why = "9/every-lookup-travels"
    else:
        why = "9/more-than-rows-and-keys"
    right = sparse_table(p, run) is None and sparse_rows(p, run) is None
    return Verdict(False, f"at most {most:,} B: {u} rows of {row} B, and keys", _times("rows", right, moved, most),
                   where, why, run, moved / most)


def _times(what: str, right: bool, moved: int, bound: int) -> str:
    return f"{'right ' + what + ', ' if right else ''}{moved / bound:.1f}x the traffic of the bound: {moved:,} B"


def dense_bytes(answers, case: Case) -> Verdict:
    p = problem(case.rng, K=4, V=int(case.rng.integers(41, 60)), D=3)
    run = run_dense(answers, p)
    bound, moved = 2 * (p.K - 1) * p.V * p.D * ITEM_BYTES, run.ledger.total()
    expected = f"2(K-1) tables, {bound:,} B"
    if bound <= moved <= bound + SMALL_BYTES * p.K:
        root = max(max(run.ledger.port(rank)) for rank in range(p.K))
        seen = f"{moved:,} B over all links, {root:,} B of them through the busiest port one way"
        return Verdict(True, expected, seen, run=run, ratio=moved / bound)
    if moved < bound:
        silent = any(run.ledger.port(rank)[0] == 0 for rank in range(p.K))
        why = "9/ranks-share-nothing" if silent else "9/dense-carries-zeros"
    else:  # 2K or 2K-1 tables instead of 2(K-1): a ring with a round too many
        why = "9/ring-moves-k" if moved <= bound * p.K // (p.K - 1) else "9/everyone-to-everyone"
    seen = _times("tables", dense_tables(p, run) is None, moved, bound)
    return Verdict(False, expected, seen, DENSE, why, run, moved / bound)


# ---- memory, and the world outside ----------------------------------------------------------------------------------


def sparse_memory(answers, case: Case) -> Verdict:
    """What the ranks allocate beside the table they are given must not grow with it."""
    p = problem(case.rng, K=2, V=2_000, D=32, looks=40)
    tall = taller(p, 80)                                        # 20 MB of table, handed to the server
    run_sparse(answers, p, trace=False)                         # the first run pays for what is loaded on first use
    first, then = (run_sparse(answers, q, trace=False) for q in (p, tall))
    grown, table = then.peak_bytes - first.peak_bytes, tall.table.nbytes
    if grown > 1.5 * table:                                     # handing the table back is one copy of it
        return Verdict(False, f"no second table: less than {3 * table // 2:,} B more for one of {table:,} B",
                       f"{grown:,} B more with {tall.V:,} rows than with {p.V:,}", SPARSE, "9/table-sized-scratch",
                       then, grown / table)
    return Verdict(True, seen=f"no second table beside one of {table:,} B")   # no measured number: it never repeats


def _problems_shared(rng):
    return [problem(rng, K=4, V=12, D=3, looks=6), problem(rng, K=3, V=9, D=2, looks=6)]


def _problems_repeated(rng):
    return [problem(rng, K=3, V=15, D=2, looks=7, twice=True), problem(rng, K=3, V=11, D=4, looks=4, empty=True)]


def _problems_hidden(rng):
    yield problem(rng, K=1, V=5, D=1, looks=3, twice=True)
    yield problem(rng, K=int(rng.choice([5, 6, 7])), V=int(rng.integers(10, 40)), D=int(rng.integers(1, 9)), twice=True)
    yield problem(rng, K=int(rng.choice([3, 5])), V=23, D=5, looks=8, twice=True, empty=True, whole=False)


COMBINE = Exercise(
    id="9.3", lab="9", title="Build the sparse combine, and the dense one", names=(SPARSE, DENSE),
    signature=SIGNATURE, points=30, minutes=30, difficulty=3, core=True, prerequisites=("0A", "2"),
    chapter_number="11.9.3", goal=GOAL, example=EXAMPLE, hints=HINTS, misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("the case done by hand", _values(lambda rng: [by_hand()]), 3),
        Criterion("rows that several workers touch", _values(_problems_shared), 6),
        Criterion("ids twice, in any order, or none", _values(_problems_repeated), 5),
        Criterion("bytes of the sparse combine", sparse_bytes, 5),
        Criterion("bytes of the dense combine", dense_bytes, 4),
        Criterion("memory of the sparse combine", sparse_memory, 2),
        Criterion("in real processes", _values(lambda rng: [problem(rng, K=2, V=8, D=2, twice=True)],
                                               world="process"), 2),
        Criterion("other workers, other tables", _values(_problems_hidden), 3, hidden=True),
    ),
)


def _array(value) -> np.ndarray | None:
    """A NumPy view of a tensor or array; None of anything else."""
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return value if isinstance(value, np.ndarray) else None


def _is_whole(value) -> bool:
    """A plain list of whole numbers: ids as good as any."""
    return isinstance(value, (list, tuple)) and all(type(one) is int for one in value)


def _short(value) -> str:
    value = value.tolist() if isinstance(value, (np.ndarray, torch.Tensor)) else value
    text = str(value)
    return text if len(text) <= 90 else text[:87] + "..."
