"""0A.1: broadcast by a binomial tree, from any root. K = 6, root 0:

    round 1    0 ──> 1                          everyone who has it sends it to one who has not:
    round 2    0 ──> 2    1 ──> 3               1, 2, 4, ... ranks have it, so ⌈log2 K⌉ rounds
    round 3    0 ──> 4    1 ──> 5

    messages   K − 1 in total, each rank but the root receives one
    bytes      n into each rank but the root, from below and from above
    seconds    ⌈log2 K⌉ (α + nβ), exactly, on a port that is busy for α + nβ with each message
"""

from __future__ import annotations

from pslab.grade import (
    AnswerFailed,
    BufferChanged,
    Criterion,
    Exercise,
    Forbidden,
    Misconception,
    Missing,
    NotYet,
    TooMuchOutput,
    Verdict,
    contracts,
)

from .lab0_common import ITEM_BYTES, LINK, STUCK, Once, all_of, fresh, reading, told, unless_wrong


def rounds(K: int) -> int:
    """⌈log2 K⌉."""
    return (K - 1).bit_length()


def _trials(case):
    """Every K with every length from rank 0, then from other roots."""
    sizes = contracts.world_sizes(case)
    for K in sizes:
        for P in contracts.lengths(K, case):
            yield _trial(K, P, 0)
    for K in sizes[1:]:
        for root in sorted({1, K - 1, int(case.rng.integers(1, K))}):
            yield _trial(K, int(case.rng.integers(2, 40)), root)


def _trial(K: int, P: int, root: int) -> contracts.Trial:
    """element j of rank r is j·K + r + 1, so that no rank's tensor is all zeros and each is told from every other."""
    xs = [contracts.integers(P, K, rank) + 1 for rank in range(K)]
    return contracts.Trial([(x, root) for x in xs], [xs[root]] * K, P, True,
                           f"K={K}, root {root}, {P:,} element{'s' * (P != 1)}", facts={"root": root, "xs": xs})


JOB = Once("broadcast", lambda case: fresh(case, _trials(case)), result="tensor")


def _bytes(trial):
    return ITEM_BYTES * trial.P


def _into(count):
    return lambda trial, rank: contracts.exactly(0 if rank == trial.facts["root"] else count(trial))


_FROM_0 = contracts.values(
    JOB, otherwise="0/wrong-tensor", inputs_unchanged="0/input-changed", only=lambda t: t.facts["root"] == 0,
    explains={"0/kept-its-own": lambda t: t.facts["xs"], "0/some-never-hear": lambda t: _half(t)})

_FROM_ANY = contracts.values(
    JOB, otherwise="0/wrong-rotation", inputs_unchanged="0/input-changed", only=lambda t: t.facts["root"] > 0,
    explains={"0/root-hard-wired": lambda t: [t.facts["xs"][0]] * t.K})

_BYTES = contracts.traffic(JOB, total=lambda t: contracts.exactly((t.K - 1) * _bytes(t)), into=_into(_bytes),
                           more="0/more-than-once", less="0/ranks-share-nothing")

_MESSAGES = contracts.messages(JOB, total=lambda t: contracts.exactly(t.K - 1), into=_into(lambda t: 1),
                               more="0/several-messages", less="0/ranks-share-nothing", only=lambda t: t.P > 0)

_SECONDS = contracts.virtual_time(
    JOB, lambda t, link: rounds(t.K) * link.port_s(_bytes(t)), tolerance=1e-9, slower="0/too-many-rounds",
    faster="0/ranks-share-nothing", link=LINK, only=lambda t: t.P > 0)

_WORLDS = contracts.two_worlds(JOB, misconception="0/ranks-share-nothing", trials=1)


def _half(trial):
    """Ranks of the lower power of two have it, the others keep their own."""
    reached = 1 << (trial.K.bit_length() - 1)
    return [trial.facts["xs"][0] if rank < reached else trial.facts["xs"][rank] for rank in range(trial.K)]


def any_root(answers, case) -> Verdict:
    """Other roots than 0. What stops there, though it did not from rank 0, is a matter of the places."""
    try:
        verdict = _FROM_ANY(answers, case)
        if verdict.misconception == "0/wrong-rotation":         # its sentence says that rank 0 works as a root
            first = _FROM_0(answers, case)
            return verdict if first.passed else first
        return verdict
    except (NotYet, Missing, Forbidden, TooMuchOutput, BufferChanged):
        raise
    except AnswerFailed as failed:
        if not _FROM_0(answers, case).passed:                # raises by itself where rank 0 stops as well
            raise
        return Verdict(False, "the tensor on every rank", failed.seen, failed.where, "0/wrong-rotation", failed.run)


_values = all_of(_FROM_0, any_root)


def seconds(answers, case) -> Verdict:
    """The time, and where it is too long the shape that made it so."""
    verdict = _SECONDS(answers, case)
    if verdict.passed or verdict.misconception != "0/too-many-rounds":
        return verdict
    ledger = verdict.run.ledger
    sent = [ledger.messages(src=rank) for rank in range(ledger.world_size)]
    if max(sent) == ledger.world_size - 1:
        return verdict.naming("0/flat-broadcast")
    return verdict.naming("0/chain" if max(sent) == 1 else "0/too-many-rounds")


BROADCAST = Exercise(
    id="0A.1", lab="0A", title="Broadcast by a binomial tree", names=("broadcast",),
    signature="def broadcast(comm, x, root: int) -> tensor",
    points=20, minutes=20, difficulty=2, core=True, prerequisites=("0A.0",), chapter_number="11.0.1",
    goal="Every rank returns the root's x. K-1 messages in all, one into each rank but the root, in ceil(log2 K) "
         "rounds: in each, every rank that has the tensor sends it to one that has not.",
    example="K = 4, root 0: rank 0 sends to rank 1; then rank 0 to rank 2 and rank 1 to rank 3, at the same time",
    hints=(
        "Forget other roots first. After the first round ranks 0 and 1 have the tensor, after the second 0 to 3, "
        "after the third 0 to 7. Who sends to whom in the third?",
        "Walk through the rounds with a distance that doubles: 1, 2, 4, ... A rank below the distance has the tensor "
        "and sends it that far, if there is a rank at that place; a rank from the distance up to twice the distance "
        "receives it from that far back.",
        "Any root: count places from the root. place = (rank - root) mod K is 0 for the root; write the rounds in "
        "places, and go back with rank = (place + root) mod K at each send and recv.",
    ),
    misconceptions=(
        Misconception("0/kept-its-own", "Ranks came back with their own x; what a rank received is what recv "
                      "returned, and this is what it has to return."),
        Misconception("0/some-never-hear", "Ranks beyond the largest power of two were left out; K may be any number, "
                      "so the last round has fewer pairs and not none."),
        Misconception("0/wrong-tensor", "Some rank ended with another tensor than the root's; each rank receives "
                      "exactly one, from a rank that has it already, and passes on what it received."),
        Misconception("0/root-hard-wired", "You broadcast the tensor of rank 0; which rank is the root is an argument, "
                      "and all ranks are given the same one."),
        Misconception("0/wrong-rotation", "It works from rank 0 and not from other roots; count places from the root, "
                      "(rank - root) mod K, and turn a place back into a rank by (place + root) mod K."),
        Misconception("0/more-than-once", "Some rank was sent the tensor that had it already; each rank but the root "
                      "needs it once, which is K-1 times n bytes in all."),
        Misconception("0/several-messages", "You sent more messages than one a rank; each costs its overhead again, "
                      "and recv knows shape and length of what comes."),
        Misconception("0/flat-broadcast", "The root sends to everyone by itself; its port takes one message after the "
                      "other, K-1 of them, while all the others stand idle and could pass it on."),
        Misconception("0/chain", "You pass the tensor down a line; only one rank sends at a time, K-1 times in a row, "
                      "although all who have it could send at once."),
        Misconception("0/too-many-rounds", "It takes more rounds than ceil(log2 K): in each, every rank that has the "
                      "tensor sends it to one that has not; a wrong order of sends costs rounds, and so do isends that "
                      "are started together, which leave in any order."),
        *told(*STUCK, "0/ranks-share-nothing", "0/input-changed"),
    ),
    criteria=(
        Criterion("from rank 0", reading(_FROM_0), 3),
        Criterion("from any root", reading(any_root), 4),
        Criterion("bytes, once each", reading(unless_wrong(_BYTES, _values)), 3),
        Criterion("one message a rank", reading(unless_wrong(_MESSAGES, _values)), 2),
        Criterion("seconds", reading(unless_wrong(seconds, _values)), 4),
        Criterion("in real processes", reading(unless_wrong(_WORLDS, _values)), 2),
        Criterion("other worlds and roots", reading(all_of(_values, _BYTES, _MESSAGES, seconds)), 2, hidden=True),
    ),
)
