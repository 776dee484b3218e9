"""7.4: a row from two small tables: id i gets the product of row i mod m of one and of row i div m of the other.

    id          0  1  2  3  4  5  6  7  8  9          R = 10 ids, m = 4: 4 + ⌈10/4⌉ = 7 rows
    remainder   0  1  2  3  0  1  2  3  0  1          each pair comes once, so that no two ids share a row
    quotient    0  0  0  0  1  1  1  1  2  2

Each id needs a row of both tables, and both travel: small at rest, twice the bytes on the wire.
"""

from __future__ import annotations

import math

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Misconception, Raised, Verdict

from .lab7_common import FORBIDDEN, first_of, numbers, questions, short

NAMES = ("qr_shapes", "qr_lookup", "qr_backward", "qr_wire_bytes")


# ---- references -----------------------------------------------------------------------------------------------------


def qr_shapes(R: int, m: int) -> tuple[int, int]:
    return m, math.ceil(R / m)


def qr_lookup(ids, remainders, quotients) -> np.ndarray:
    m = len(remainders)
    return remainders[ids % m] * quotients[ids // m]


def qr_backward(ids, grad, remainders, quotients) -> tuple[np.ndarray, np.ndarray]:
    m = len(remainders)
    by_remainder, by_quotient = np.zeros_like(remainders), np.zeros_like(quotients)
    np.add.at(by_remainder, ids % m, grad * quotients[ids // m])
    np.add.at(by_quotient, ids // m, grad * remainders[ids % m])
    return by_remainder, by_quotient


def qr_wire_bytes(n: int, D: int) -> int:
    return 2 * n * 4 * D


# ---- what is believed -----------------------------------------------------------------------------------------------


def _exchanged(ids, remainders, quotients):
    m = len(remainders)
    return remainders[ids // m % m] * quotients[ids % m % len(quotients)]


LOOKUPS = {
    "7/remainder-and-quotient-exchanged": _exchanged,
    "7/remainder-alone": lambda ids, a, b: a[ids % len(a)],
    "7/sum-for-product": lambda ids, a, b: a[ids % len(a)] + b[ids // len(a)],
    "7/both-by-remainder": lambda ids, a, b: a[ids % len(a)] * b[ids % len(b)],
    "7/side-by-side": lambda ids, a, b: np.concatenate([a[ids % len(a)], b[ids // len(a)]], axis=1),
}
SHAPES = {
    "7/quotients-rounded-down": lambda R, m: (m, R // m), "7/one-row-too-many": lambda R, m: (m, R // m + 1),
    "7/two-tables-of-m": lambda R, m: (m, m), "7/shapes-exchanged": lambda R, m: (math.ceil(R / m), m),
}
WIRE = {
    "7/one-row-travels": lambda n, D: n * 4 * D, "7/small-tables-small-traffic": lambda n, D: n * 4 * D // 2,
}


def _gradients(ids, grad, a, b) -> dict:
    m = len(a)
    right = qr_backward(ids, grad, a, b)
    last_a, last_b, plain_a, plain_b = (np.zeros_like(table) for table in (a, b, a, b))
    last_a[ids % m], last_b[ids // m] = grad * b[ids // m], grad * a[ids % m]
    np.add.at(plain_a, ids % m, grad)
    np.add.at(plain_b, ids // m, grad)
    return {"7/duplicates-overwritten": (last_a, last_b), "7/gradient-of-a-sum": (plain_a, plain_b),
            "7/own-row-for-the-other": _own(ids, grad, a, b),
            "7/one-table-learns": (right[0], np.zeros_like(b)), "7/gradients-exchanged": right[::-1]}


def _own(ids, grad, a, b):
    m, by_a, by_b = len(a), np.zeros_like(a), np.zeros_like(b)
    np.add.at(by_a, ids % m, grad * a[ids % m])
    np.add.at(by_b, ids // m, grad * b[ids // m])
    return by_a, by_b


# ---- judges ---------------------------------------------------------------------------------------------------------


def tables(rng) -> list[tuple]:
    """(R, m, D): a square, as the first, so that no slip runs out of a table; uneven ones, m above and below R/m."""
    return [(36, 6, 2), (40, 7, 3), (101, 10, 2), (50, 3, 4), (9, 30, 2), (1, 1, 1),
            (int(rng.integers(500, 3_000)), int(rng.integers(20, 60)), 2)]


def rows_of(rng, n: int, D: int) -> np.ndarray:
    """(n, D) float32: whole numbers other than 0, so that products are exact and no slip hides."""
    return (rng.integers(1, 9, (n, D)) * rng.choice([-1, 1], (n, D))).astype(np.float32)


def _stopped(judge):
    """The judge; who runs out of a table is told so."""
    def judged(answers, case) -> Verdict:
        try:
            return judge(answers, case)
        except Raised as failed:
            if "IndexError" not in failed.seen:
                raise
            return Verdict(False, failed.expected, failed.seen, failed.where, "7/out-of-the-table", failed.run)
    return judged


def looked_up(answers, case: Case) -> Verdict:
    """Product of the two rows, in the order of the ids, duplicates included."""
    for R, m, D in tables(case.rng):
        a, b = (rows_of(case.rng, n, D) for n in qr_shapes(R, m))
        ids = case.rng.integers(0, R, 30)
        where = f"R={R}, m={m}, D={D}, 30 ids"
        seen = numbers(answers.call("qr_lookup", ids, a, b))
        right = qr_lookup(ids, a, b)
        if seen is None or seen.shape != right.shape or not (seen == right).all():
            why = next((name for name, rule in LOOKUPS.items() if _equal(seen, rule(ids, a, b))), None)
            if seen is None or (seen.shape != right.shape and why is None):
                said = short(seen) if seen is None else str(seen.shape)
                return Verdict(False, f"rows of shape {right.shape}", said, where, "all/bad-value")
            at = 0 if seen.shape != right.shape else int(np.argwhere(seen != right)[0, 0])
            return Verdict(False, f"{right[at].tolist()} for id {ids[at]}", f"{seen[at].tolist()}", where,
                           why or "7/wrong-pair")
    return Verdict(True, seen="products of the two rows, id by id")


def _equal(seen, right) -> bool:
    return seen is not None and seen.shape == right.shape and bool((seen == right).all())


def every_pair_once(answers, case: Case) -> Verdict:
    """All ids of a vocabulary: tables whose product tells the pair; as many pairs as ids, of as many rows as told."""
    for R, m, _ in tables(case.rng):
        shapes = answers.call("qr_shapes", R, m)
        a, b = (np.ones((n, 2), np.float32) for n in qr_shapes(R, m))
        a[:, 0], b[:, 1] = np.arange(len(a)) + 1, np.arange(len(b)) + 1
        seen = numbers(answers.call("qr_lookup", np.arange(R), a, b))
        where = f"R={R}, m={m}, all ids; qr_shapes gives {short(shapes)}"
        if seen is None or len(seen) != R:
            return Verdict(False, f"{R} rows", short(seen) if seen is None else str(seen.shape), where, "all/bad-value")
        pairs = len(np.unique(seen, axis=0))
        if pairs != R:
            return Verdict(False, f"{R} different pairs, one for each id", f"{pairs}", where, "7/ids-share-a-pair")
    return Verdict(True, seen="as many pairs as ids")


def gradients(answers, case: Case) -> Verdict:
    for R, m, D in tables(case.rng):
        a, b = (rows_of(case.rng, n, D) for n in qr_shapes(R, m))
        ids, grad = case.rng.integers(0, R, 40), rows_of(case.rng, 40, D)
        where = f"R={R}, m={m}, D={D}, 40 ids with duplicates"
        value = answers.call("qr_backward", ids, grad, a, b)
        right = qr_backward(ids, grad, a, b)
        seen = [numbers(part) for part in value] if isinstance(value, (tuple, list)) and len(value) == 2 else [None]
        if all(_equal(part, own) for part, own in zip(seen, right)) and len(seen) == 2:
            continue
        ways = _gradients(ids, grad, a, b).items()
        why = next((name for name, way in ways if len(seen) == 2 and all(map(_equal, seen, way))), None)
        if why is None and (len(seen) != 2 or any(s is None or s.shape != r.shape for s, r in zip(seen, right))):
            return Verdict(False, f"two gradients, {right[0].shape} and {right[1].shape}", short(value), where,
                           "all/bad-value")
        table = 0 if not _equal(seen[0], right[0]) else 1
        return Verdict(False, f"table {('of remainders', 'of quotients')[table]}: {short(right[table][:2].tolist())} …",
                       short(seen[table][:2].tolist()), where, why or "7/wrong-gradient")
    return Verdict(True, seen="both tables, duplicates summed")


def _formulas(name, right, beliefs, otherwise, asked, form, told):
    return questions(name, asked, right, beliefs, otherwise, form, told)


ROWS = _formulas("qr_shapes", qr_shapes, SHAPES, "7/rows-miscounted",
                 lambda rng: [(10, 4), (36, 6), (2_000_000_000, 44_722), *((int(rng.integers(10**3, 10**9)), int(
                     rng.integers(10, 10**5))) for _ in range(6)), (9, 30)],
                 "(rows for remainders, rows for quotients)", lambda q: f"R={q[0]}, m={q[1]}")
BYTES = _formulas("qr_wire_bytes", qr_wire_bytes, WIRE, "7/wire-miscounted",
                  lambda rng: [(int(rng.integers(1, 10**6)), 2 * int(rng.integers(1, 99))) for _ in range(6)],
                  "a number of bytes", lambda q: f"n={q[0]} ids, D={q[1]}")

_SENTENCES = {
    "7/remainder-and-quotient-exchanged": "Remainder and quotient are exchanged: the first table, of m rows, is "
    "read at id mod m, the second at id div m.",
    "7/remainder-alone": "The row depends on the remainder alone, which is the hashing trick: R/m ids share each "
    "row.",
    "7/sum-for-product": "You added the two rows; asked for is their product, number by number.",
    "7/both-by-remainder": "Both tables are read by a remainder; the second is read at the quotient, id div m.",
    "7/side-by-side": "You put the two rows side by side; their product has D numbers, as any row of the table.",
    "7/wrong-pair": "An id has a row that is no product of its own two rows: row id mod m of the first table and "
    "row id div m of the second.",
    "7/ids-share-a-pair": "Two ids have the same pair of rows and can never differ; with remainder and quotient "
    "each id has a pair of its own.",
    "7/out-of-the-table": "You read past the end of a table; a remainder is below m, a quotient below R/m rounded "
    "up.",
    "7/quotients-rounded-down": "The last ids have no quotient's row; R/m is rounded up.",
    "7/one-row-too-many": "There is a row too many when m divides R; R/m rounded up is not R div m plus one.",
    "7/two-tables-of-m": "The second table has as many rows as there are quotients, R/m rounded up, which is m only "
    "for a square.",
    "7/shapes-exchanged": "The numbers of rows are exchanged; there are m remainders.",
    "7/rows-miscounted": "There are m remainders and R/m quotients, rounded up.",
    "7/duplicates-overwritten": "Where two ids meet in a row the later gradient replaces the earlier one; they add "
    "up, and here nearly every row is shared.",
    "7/gradient-of-a-sum": "You gave both rows the gradient as it is; of a product each factor's gradient is "
    "multiplied by the other factor.",
    "7/own-row-for-the-other": "You multiplied by the row itself; the gradient of a factor is multiplied by the "
    "other one.",
    "7/one-table-learns": "One of the tables gets no gradient; both rows of an id are learnt.",
    "7/gradients-exchanged": "The two gradients are exchanged; the first belongs to the table of remainders.",
    "7/wrong-gradient": "Row r of a table gets, for each id that reads it, the id's gradient times the other "
    "table's row.",
    "7/one-row-travels": "You let one row travel for an id; the two lie with different owners as a rule, and both "
    "have to come.",
    "7/small-tables-small-traffic": "You let smaller tables move less; two lookups for an id double what travels.",
    "7/wire-miscounted": "For each of n ids two rows of D numbers travel, 4 bytes each.",
}

QUOTIENT = Exercise(
    id="7.4", lab="7", title="A row from two small tables", names=NAMES,
    signature="def qr_shapes(R: int, m: int) -> (rows of remainders, rows of quotients)\n"
              "def qr_lookup(ids (n,), remainders (m, D), quotients (q, D)) -> rows (n, D)\n"
              "def qr_backward(ids, grad (n, D), remainders, quotients) -> (gradient (m, D), gradient (q, D))\n"
              "def qr_wire_bytes(n: int, D: int) -> int       # bytes of the rows that travel for n ids",
    points=20, minutes=20, difficulty=3, core=False, prerequisites=("7.1",), forbidden=FORBIDDEN,
    goal="R ids share two tables: m rows for the remainders id mod m, R/m rounded up for the quotients id div m. The "
         "row of an id is the product of its two rows, number by number. qr_backward: what the gradient of the rows "
         "gives to both tables, added up where ids share a row. qr_wire_bytes: both rows of an id travel, 4 bytes each "
         "number.",
    example="R = 10, m = 4: qr_shapes -> (4, 3); id 9 has rows 1 and 2; qr_wire_bytes(100, 16) -> 12800",
    hints=(
        "m is len(remainders); ids % m and ids // m work on whole arrays. Which of the two can be as large as R/m?",
        "y = a · b number by number: what reaches a is the gradient times b, what reaches b is the gradient times a.",
        "np.add.at(out, rows, values) adds up where rows repeat; out[rows] += values does not. Rounded up: -(-R // m).",
    ),
    misconceptions=tuple(Misconception(*item) for item in _SENTENCES.items()),
    criteria=(
        Criterion("rows of two tables", ROWS, 3),
        Criterion("the product of two rows", _stopped(looked_up), 5),
        Criterion("every id its own pair", _stopped(every_pair_once), 3),
        Criterion("gradients of both", _stopped(gradients), 4),
        Criterion("bytes on the wire", BYTES, 2),
        Criterion("other tables", _stopped(first_of((looked_up, every_pair_once, gradients), "other tables and ids")),
                  3, hidden=True),
    ),
)
