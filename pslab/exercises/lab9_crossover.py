"""9.1 (11.9.1): from which share of touched rows on does a dense all-reduce of the table move fewer bytes?

      bytes │    server or all-gather: grows with n  ╱
            │                                     ╱
            │─────────────────────────────────●─────    dense ring: the same for every n
            └──────────────────────────────────────  n / V, rows one worker touches over rows of the table

There are as many crossovers as ways to count: `crossover` is the reference for four of them. `BELIEFS` computes what
comes out of the usual slips, so that a slip is recognised by its values.
"""

from __future__ import annotations

import math

from pslab.comm import SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from . import lab9_rivals as rivals

B = rivals.ITEM_BYTES
VIEWS = ("totals", "busiest", "direction", "gather")
RTOL = 1e-9


def crossover(K: int, D: int, key_bytes: int, S: int, view: str) -> float:
    """n/V at which both sides move equally many bytes; above 1: never. The reference.

    totals     all links of K workers and S servers, 2K·n·(Db + key)       against all links of the ring, 2(K−1)·V·Db
    busiest    both directions of the busiest port of the server job, keys counted in the direction they take
               2·max(K/S, 1)·n·(Db + key)                                  against one direction of a ring's port
    direction  busiest direction of the busiest port on both sides; requests and pushes both carry keys, both go to
               the server: max(K/S, 1)·n·(Db + 2·key)                      against 2(K−1)/K·V·Db
    gather     all links of a sparse all-gather, K(K−1)·n·(Db + key)       against all links of the ring
    """
    row, load = D * B, max(K / S, 1.0)
    per_touched, per_row = {
        "totals": (2 * K * (row + key_bytes), 2 * (K - 1) * row),
        "busiest": (2 * load * (row + key_bytes), 2 * (K - 1) / K * row),
        "direction": (load * (row + 2 * key_bytes), 2 * (K - 1) / K * row),
        "gather": (K * (K - 1) * (row + key_bytes), 2 * (K - 1) * row),
    }[view]
    return per_row / per_touched


# What a slip computes. The first whose values are the student's names the misconception.
BELIEFS = {
    "9/fraction-not-percent": lambda K, D, key, S, view: 100 * crossover(K, D, key, S, view),
    "9/both-sides-swapped": lambda K, D, key, S, view: 1 / crossover(K, D, key, S, view),
    "9/keys-are-free": lambda K, D, key, S, view: crossover(K, D, 0, S, view),
    "9/keys-travel-once": lambda K, D, key, S, view: crossover(K, D, key / 2, S, view) if view != "gather"
    else crossover(K, D, key, S, view),
    "9/bits-and-bytes": lambda K, D, key, S, view: crossover(K, 8 * D, key, S, view),
    "9/total-is-busiest": lambda K, D, key, S, view: crossover(
        K, D, key, S, "gather" if view == "gather" else "totals"),
    "9/worker-port-is-free": lambda K, D, key, S, view: crossover(K, D, key, S, view)
    * (max(K / S, 1) * S / K if view in ("busiest", "direction") else 1),
    "9/ring-moves-k": lambda K, D, key, S, view: crossover(K, D, key, S, view)
    * (1 if view == "gather" else K / (K - 1)),
    "9/one-worker-or-all": lambda K, D, key, S, view: K * crossover(K, D, key, S, view),
    "9/one-way-or-both": lambda K, D, key, S, view: crossover(K, D, key, S, view)
    * {"totals": 1, "busiest": 2, "direction": 0.5, "gather": 1}[view],
    "9/gather-is-a-server": lambda K, D, key, S, view: crossover(K, D, key, S, "totals" if view == "gather" else view),
    "9/half-a-ring": lambda K, D, key, S, view: crossover(K, D, key, S, view) / 2,
    "9/pull-is-free": lambda K, D, key, S, view: crossover(K, D, key, S, view) if view == "gather" else
    2 * crossover(K, D, key, S, "busiest" if view == "direction" else view),
    "9/ports-come-whole": lambda K, D, key, S, view: crossover(K, D, key, S, view)
    * (max(K / S, 1) / math.ceil(K / S) if view in ("busiest", "direction") else 1),
    "9/never-is-above-one": lambda K, D, key, S, view: min(crossover(K, D, key, S, view), 1.0),
    "9/one-number-for-all": lambda K, D, key, S, view: 0.875,
}

MISCONCEPTIONS = (
    Misconception("9/fraction-not-percent", "You gave per cent; the function returns a fraction, 0.875 and not 87.5."),
    Misconception("9/both-sides-swapped", "You divided the other way round: n/V is the ring's bytes for a row of the "
                  "table over the server's bytes for a touched row."),
    Misconception("9/keys-are-free", "You let the ids travel for free; a server learns which rows are meant only from "
                  "keys on the wire, and with D = 1 the key is twice as heavy as the row."),
    Misconception("9/keys-travel-once", "You counted the keys once; they travel with the pull's request and again with "
                  "the push, both times towards the server."),
    Misconception("9/bits-and-bytes", "You counted a float32 as 32; that is bits, and keys and all byte counts here "
                  "are in bytes: 4 a number."),
    Misconception("9/total-is-busiest", "You added up all links where one port was asked for; the ring spreads its "
                  "total over K ports, the server job squeezes its own through S."),
    Misconception("9/worker-port-is-free", "You divided by S without end; from S = K on each worker's own port, which "
                  "carries all n of its rows, is the busiest, and more servers change nothing."),
    Misconception("9/ring-moves-k", "You let the ring move K times the table each half; every chunk crosses K−1 links, "
                  "since it need not travel to where it already is."),
    Misconception("9/one-worker-or-all", "You counted the rows of all workers; n is the number of rows that one worker "
                  "touches, and the server job moves K·n of them each way."),
    Misconception("9/one-way-or-both", "You compared one direction on one side with both directions on the other, or "
                  "the reverse; the view says which: 'busiest' both ways against one, 'direction' one against one."),
    Misconception("9/gather-is-a-server", "You used the server's bytes for the all-gather; there every worker sends "
                  "its rows to K−1 others once, and nothing is pulled."),
    Misconception("9/half-a-ring", "You counted half of the ring; the reduce-scatter leaves each sum at one rank, and "
                  "the all-gather takes as many bytes again to bring it to all."),
    Misconception("9/pull-is-free", "You counted the push and forgot the pull; before it can compute, a worker fetches "
                  "the rows that its batch names."),
    Misconception("9/ports-come-whole", "You rounded K/S up; rows, and not workers, are spread over the servers, so "
                  "with five workers and two servers each port carries two and a half workers' rows."),
    Misconception("9/never-is-above-one", "You cut the fraction at 1; a result above 1 says that no share of rows is "
                  "large enough, and by how much."),
    Misconception("9/one-number-for-all", "You returned one number for every question; the crossover is no property "
                  "of the table alone, it depends on K and S, on keys against rows, and above all on what is counted."),
    Misconception("9/crossover-miscounted", "The fraction does not make both sides equal; write down the bytes of each "
                  "side for this view, set them equal, and solve for n/V."),
)


def _asked(points_of):
    """A judge of the values at points_of(rng), each (K, D, key_bytes, S, view)."""
    return contracts.formula("crossover", lambda case: points_of(case.rng), crossover,
                             otherwise="9/crossover-miscounted", explains=BELIEFS, rtol=RTOL)


def _printed_example(rng):
    return [(8, 128, 0, 1, "totals"), (8, 128, 8, 1, "totals"), (8, 16, 8, 1, "totals"), (8, 1, 8, 1, "totals")]


def _totals(rng):
    return [(int(K), int(D), int(key), int(S), "totals") for K, D, key, S in
            zip(rng.choice([2, 3, 5, 7, 12], 6, replace=True), rng.choice([1, 3, 8, 64], 6),
                rng.permutation([8, 8, 4, 4, 0, 8]), rng.choice([1, 2, 5], 6))]


def _one_port(rng):
    return [(K, int(rng.choice([2, 16, 100])), key, S, view) for view in ("busiest", "direction")
            for K, S, key in ((8, 1, 0), (8, 1, 8), (6, 3, 8), (5, 2, 8), (8, 8, 0), (3, 7, 8))]


def _third_rival(rng):
    return [(K, int(rng.choice([1, 16, 128])), key, 1, "gather") for K, key in ((2, 0), (2, 8), (3, 8), (9, 8))]


def _everywhere(rng):
    return [(int(rng.integers(2, 65)), int(rng.integers(1, 257)), int(rng.choice([0, 4, 8, 16])),
             int(rng.integers(1, 20)), VIEWS[i % 4]) for i in range(40)]


def counted_on_either_side(answers, case: Case) -> Verdict:
    """Runs the ring and the server on a small table, a little left and a little right of the student's fraction."""
    K, D = 3, int(case.rng.choice([1, 2, 4]))
    V, view = 900, "totals"
    fraction = answers.call("crossover", K, D, rivals.KEY_BYTES, 1, view)
    point = (K, D, rivals.KEY_BYTES, 1, view)
    if not _is_number(fraction) or not 3 / V < fraction < 1 - 3 / V:
        return Verdict(False, "a fraction between 0 and 1", f"{fraction!r}", _call(point), _slip(point, fraction))
    dense = SimWorld(K).run(rivals.dense_ring, V, D, 1)
    ring = rivals.counted(dense.ledger)
    for n, side in ((math.floor(fraction * V) - 1, "left"), (math.ceil(fraction * V) + 1, "right")):
        run = SimWorld(K + 1, trace=False).run(rivals.server, V, D, n)
        moved = rivals.counted(run.ledger)
        if (moved < ring) != (side == "left"):
            wins = "fewer" if side == "left" else "more"
            return Verdict(False, f"{side} of your fraction the server moves {wins} bytes than the ring's {ring:,}",
                           f"{moved:,} bytes with {n} of {V} rows touched", _call(point), _slip(point, fraction), run)
    return Verdict(True, seen=f"counted: the choice flips within 2 rows of {fraction:.1%} of {V} rows", run=dense)


def _slip(point, value) -> str:
    """The misconception whose formula gives this value, if one does."""
    if not _is_number(value):
        return "9/crossover-miscounted"
    slips = (name for name, belief in BELIEFS.items() if math.isclose(value, belief(*point), rel_tol=RTOL))
    return next(slips, "9/crossover-miscounted")


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _call(point) -> str:
    K, D, key_bytes, S, view = point
    return f"crossover(K={K}, D={D}, key_bytes={key_bytes}, S={S}, view={view!r})"


CROSSOVER = Exercise(
    id="9.1", lab="9", title="Read the crossover off the bytes", names=("crossover",),
    signature="def crossover(K: int, D: int, key_bytes: int, S: int, view: str) -> float",
    points=15, minutes=15, difficulty=2, core=True, prerequisites=("0A",), chapter_number="11.9.1",
    forbidden=("pslab.cost",),
    goal="The share n/V of a table's rows that one worker must touch before a dense all-reduce of the whole table "
         "moves as few bytes as the sparse way; for four ways to count. Above 1 means: never.",
    example='crossover(K=8, D=128, key_bytes=0, S=1, view="totals") -> 0.875',
    hints=(
        "Write two lines for the view: bytes of the ring, with V in it, and bytes of the sparse side, with n in it. "
        "Set them equal and solve for n/V.",
        "A worker names n rows of D·4 bytes. It sends keys twice (pull request, push), rows once up and once down. "
        "All K workers do so: 2K·n·(4D + key) over all links. The ring moves 2(K−1)·V·4D over all links.",
        "One port: the ring's carries 1/K of its total in each direction. A server's carries the rows of K/S workers, "
        "but some worker's own port always carries n rows: the load is max(K/S, 1). Both keys go towards the server. "
        "The all-gather: each of K workers sends n·(4D + key) bytes to K−1 others.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("the printed example", _asked(_printed_example), 3),
        Criterion("all links together", _asked(_totals), 3),
        Criterion("through the busiest port", _asked(_one_port), 3),
        Criterion("the third rival", _asked(_third_rival), 2),
        Criterion("bytes counted on either side", counted_on_either_side, 2),
        Criterion("forty questions more", _asked(_everywhere), 2, hidden=True),
    ),
)
