"""0A.4: tree or ring? The number of bytes from which on a ring all-reduce is faster than a tree.

    seconds │      tree, 2⌈log2 K⌉(α + nβ)  ╱
            │                            ╱      few rounds, all n bytes in each
            │                         ╱ ______----
            │          ______----- ●              ring, 2(K−1)(α + n/K·β)
            │ ____----          ╱  ┆              many rounds, n/K bytes in each
            │                ╱     ┆
            └──────────────────────┴───────────── bytes n

    n* = α·BW·((K−1) − ⌈log2 K⌉) / (⌈log2 K⌉ − (K−1)/K)          0 for K = 2 and 3: as many rounds, so the ring always
"""

from __future__ import annotations

import math

import numpy as np

from pslab.collectives import all_reduce
from pslab.comm import Link, SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

RTOL = 2e-5                      # whole bytes are near enough
SIDE = 1.05                      # how far on either side of the answer both are run


def levels(K: int) -> int:
    """⌈log2 K⌉: rounds of a tree."""
    return (K - 1).bit_length()


def switch_bytes(K: int, alpha_s: float, bandwidth_Bps: float) -> float:
    """The reference: below it a tree is faster, above it a ring."""
    return alpha_s * bandwidth_Bps * ((K - 1) - levels(K)) / (levels(K) - (K - 1) / K)


def simulated(K: int, alpha_s: float, bandwidth_Bps: float, size_bytes: float) -> dict:
    """{algorithm: run} of an all-reduce of about size_bytes: a multiple of K float32 numbers."""
    elements = K * max(round(size_bytes / 4 / K), 1)
    link = Link(latency_s=0.0, overhead_s=alpha_s, bandwidth_Bps=bandwidth_Bps)
    return {name: SimWorld(K, link=link).run(_program, np.zeros(elements, np.float32), algorithm)
            for name, algorithm in (("tree", "binomial"), ("ring", "ring"))}


def _program(comm, x, algorithm):
    all_reduce(comm, x, algorithm=algorithm)


# ---- what is believed -----------------------------------------------------------------------------------------------


def _ratio(more_rounds: float, more_bytes: float) -> float:
    """Latencies that the ring has more over tensors that the tree moves more; inf where it moves no more."""
    return more_rounds / more_bytes if more_bytes > 0 else math.inf


def _belief(rule):
    """rule(K, rounds of a tree) -> the answer in units of α·BW."""
    return lambda K, alpha_s, bandwidth_Bps: alpha_s * bandwidth_Bps * rule(K, levels(K))


BELIEFS = {
    "0/ring-moves-everything": lambda K, alpha_s, bandwidth_Bps: math.inf,
    "0/ring-for-all-sizes": lambda K, alpha_s, bandwidth_Bps: 0,
    "0/bits-and-bytes": _belief(lambda K, L: 8 * (K - 1 - L) / (L - (K - 1) / K)),
    "0/elements-for-bytes": _belief(lambda K, L: (K - 1 - L) / (L - (K - 1) / K) / 4),
    "0/tree-needs-both-ways": _belief(lambda K, L: _ratio(2 * (K - 1) - L, L - 2 * (K - 1) / K)),
    "0/ring-needs-both-halves": _belief(lambda K, L: _ratio((K - 1) - 2 * L, 2 * L - (K - 1) / K)),
    "0/log-rounded-down": _belief(lambda K, L: _ratio(K - 1 - (K.bit_length() - 1),
                                                     K.bit_length() - 1 - (K - 1) / K)),
    "0/log-not-rounded": _belief(lambda K, L: _ratio(K - 1 - math.log2(K), math.log2(K) - (K - 1) / K)),
    "0/ring-has-k-rounds": _belief(lambda K, L: _ratio(K - L, L - 1)),
    "0/chunk-is-the-tensor-over-rounds": _belief(lambda K, L: _ratio(K - 1 - L, L - 1)),
    "0/tree-wins-when-small": _belief(lambda K, L: max(K - 1 - L, 1) / (L - (K - 1) / K)),
    "0/tree-moves-once": _belief(lambda K, L: _ratio(K - 1 - L, 1 - (K - 1) / K)),
    "0/upside-down": _belief(lambda K, L: _ratio(L - (K - 1) / K, K - 1 - L)),
}


def _asked(points_of):
    return contracts.formula("tree_or_ring", lambda case: points_of(case.rng), switch_bytes,
                             otherwise="0/switch-miscounted", explains=BELIEFS, rtol=RTOL)


def _printed(rng):
    return [(K, 10e-6, 12.5e9) for K in (4, 8, 16, 64)]


def _few(rng):
    return [(K, float(rng.choice([5e-6, 20e-6])), float(rng.choice([1e9, 25e9]))) for K in (2, 3)]


def _any(rng):
    return [(int(K), float(rng.choice([2e-6, 10e-6, 50e-6, 1e-3])), float(rng.choice([1e8, 1.25e9, 12.5e9, 50e9])))
            for K in rng.permutation([4, 5, 6, 7, 9, 12, 17, 33, 100, 1000])]


def _everywhere(rng):
    return [(int(K), float(rng.uniform(5e-6, 1e-3)), float(rng.uniform(1e9, 50e9)))
            for K in [2, 3, *rng.integers(4, 2000, 38)]]


def either_side(answers, case: Case) -> Verdict:
    """Runs both in the simulator, a little below the student's number and a little above: the tree wins below."""
    for K, alpha_s, bandwidth_Bps in ((3, 10e-6, 1e9), (8, 10e-6, 1e9), (int(case.rng.choice([5, 6, 7])), 20e-6, 1e9)):
        where = f"tree_or_ring(K={K}, alpha_s={alpha_s:g}, bandwidth_Bps={bandwidth_Bps:g})"
        said = answers.call("tree_or_ring", K, alpha_s, bandwidth_Bps)
        if not _is_number(said) or said < 0:
            return Verdict(False, "a number of bytes, 0 or more", f"{said!r}"[:90], where, "all/bad-value")
        why = _belief_of(said, K, alpha_s, bandwidth_Bps)
        for size_bytes, winner in _sides(K, said, alpha_s * bandwidth_Bps):
            runs = simulated(K, alpha_s, bandwidth_Bps, size_bytes)
            seconds = {name: run.seconds for name, run in runs.items()}
            loser = "ring" if winner == "tree" else "tree"
            if seconds[winner] > seconds[loser]:
                told = ", ".join(f"{name} {s * 1e6:,.1f} µs" for name, s in seconds.items())
                side = "below" if winner == "tree" else "above"
                return Verdict(False, f"{side} your number, with {size_bytes:,.0f} B, the {winner} first", told,
                               where, why)
    return Verdict(True, seen=f"the faster one changes within {SIDE - 1:.0%} of your numbers")


def _sides(K: int, said: float, unit_bytes: float):
    """(bytes, who must be first) on either side; 0 and numbers near it have one side, very large ones too."""
    if said >= 8 * K:
        yield min(said / SIDE, 100 * unit_bytes), "tree"
    if said <= 100 * unit_bytes:
        yield max(said * SIDE, 8 * K), "ring"


def _belief_of(said: float, K: int, alpha_s: float, bandwidth_Bps: float) -> str:
    right = switch_bytes(K, alpha_s, bandwidth_Bps)
    for name, rule in BELIEFS.items():
        believed = rule(K, alpha_s, bandwidth_Bps)
        if math.isclose(said, believed, rel_tol=RTOL) and not math.isclose(believed, right, rel_tol=RTOL):
            return name
    return "0/switch-miscounted"


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


SWITCH = Exercise(
    id="0A.4", lab="0A", title="Tree or ring", names=("tree_or_ring",),
    signature="def tree_or_ring(K: int, alpha_s: float, bandwidth_Bps: float) -> float",
    points=15, minutes=15, difficulty=2, core=False, prerequisites=("0A.1", "0A.3"), chapter_number="11.0.4",
    forbidden=("pslab.cost",),
    goal="Bytes from which on a ring all-reduce is faster than a tree one (reduce up the tree, broadcast down it), for "
         "K ranks, alpha_s seconds a message and bandwidth_Bps bytes a second of a port. 0: the ring always is.",
    example=f"tree_or_ring(4, 10e-6, 12.5e9) -> {switch_bytes(4, 10e-6, 12.5e9):,.0f}",
    hints=(
        "Two lines: seconds of the tree and seconds of the ring, each as (rounds)·(α + bytes of one message / BW). Set "
        "them equal and solve for the bytes.",
        "The tree goes up and down: 2·ceil(log2 K) rounds of all n bytes. The ring goes around twice: 2(K-1) rounds "
        "of n/K bytes. Both have a factor of 2, which cancels.",
        "(K-1) - ceil(log2 K) is how many rounds more the ring has, each α. ceil(log2 K) - (K-1)/K is how many times n "
        "more the tree moves through one port. Their ratio, times α·BW, is the answer; what is it for K = 2 and 3?",
    ),
    misconceptions=(
        Misconception("0/ring-moves-everything", "You let the ring send the whole tensor in each round, so that the "
                      "tree always wins; it sends a K-th of it, which is what the chunks are for."),
        Misconception("0/ring-for-all-sizes", "You say that the ring is always faster; its 2(K-1) rounds each cost α, "
                      "so its time does depend on K, and for K ≥ 4 a tree of few rounds is faster with few bytes."),
        Misconception("0/bits-and-bytes", "Your number is eight times the bytes; bandwidth_Bps is in bytes a second, "
                      "and so is the answer in bytes."),
        Misconception("0/elements-for-bytes", "Your number counts float32 elements; asked for are bytes, 4 each."),
        Misconception("0/tree-needs-both-ways", "You let the tree go one way against both halves of the ring; an "
                      "all-reduce has to go up the tree to add and down again to tell."),
        Misconception("0/ring-needs-both-halves", "You let the ring go around once against both ways of the tree; "
                      "after one time round each rank has one chunk of the sum, and needs the others."),
        Misconception("0/log-rounded-down", "You rounded log2 K down; five ranks need three rounds, for after two only "
                      "four can know."),
        Misconception("0/log-not-rounded", "You used log2 K as it is; rounds are whole, and K = 5 takes as many as "
                      "K = 8."),
        Misconception("0/ring-has-k-rounds", "You gave each half of the ring K rounds; after K-1 a chunk has been at "
                      "all K ranks."),
        Misconception("0/chunk-is-the-tensor-over-rounds", "You cut the tensor into K-1 chunks; there are K of them, "
                      "one for each rank, and K-1 rounds."),
        Misconception("0/tree-wins-when-small", "You let the tree win small tensors for any K; with 2 and 3 ranks it "
                      "has as many rounds as the ring and more bytes, so it never does."),
        Misconception("0/tree-moves-once", "You let the tree move n bytes once; each of its ceil(log2 K) rounds "
                      "carries the whole tensor, one after the other."),
        Misconception("0/upside-down", "Your fraction is upside down; latencies that the ring has more stand above, "
                      "bytes that the tree has more below."),
        Misconception("0/switch-miscounted", "At your number tree and ring do not take equally long; write down rounds "
                      "and bytes a round for each, set the seconds equal, and solve for the bytes."),
    ),
    criteria=(
        Criterion("4 to 64 ranks, 10 µs, 12.5 GB/s", _asked(_printed), 4),
        Criterion("two and three ranks", _asked(_few), 3),
        Criterion("other links", _asked(_any), 3),
        Criterion("both run on either side", either_side, 3),
        Criterion("forty questions more", _asked(_everywhere), 2, hidden=True),
    ),
)
