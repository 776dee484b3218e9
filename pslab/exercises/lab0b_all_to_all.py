"""0B.1: all-to-all, pairwise: every rank has a part for every rank, and ends with the parts that are its own.

    before   rank r: parts[0] .. parts[K−1]          after   rank r: from rank 0 .. from rank K−1
    link r -> q      exactly the bytes of r's part for q: from above and from below, nothing forwarded
    messages         at most K−1 out of a rank; one even for an empty part, as its receiver cannot know
"""

from __future__ import annotations

import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab0_common import STUCK, Once, reading, told
from .lab0b_common import knowing

NAME = "all_to_all"
ERRORS = {"this rank itself": "0B/own-part-travels", "this group has ranks": "0B/no-such-rank"}


# ---- trials ---------------------------------------------------------------------------------------------------------


def trial_of(sizes, label: str, row: tuple[int, ...] = (), dtype=torch.float32, P: int = 200) -> contracts.Trial:
    """sizes[r][q]: elements (or rows of shape `row`) from rank r to rank q. Element j of rank r is j·K + r.

    P is for the choice of what is shown first: trials of more than 100 are not.
    """
    K = len(sizes)
    parts = []
    for rank, mine in enumerate(sizes):
        flat = contracts.integers(sum(mine) * _elements(row), K, rank, dtype)
        parts.append([piece.clone() for piece in flat.reshape(-1, *row).split(list(mine))])
    expected = [[parts[src][dst] for src in range(K)] for dst in range(K)]
    return contracts.Trial([(mine,) for mine in parts], expected, P, True, f"K={K}, {label}",
                           facts={"sizes": [list(map(int, mine)) for mine in sizes], "parts": parts})


def equal_trials(case: Case):
    for K in contracts.world_sizes(case):
        yield trial_of([[3] * K for _ in range(K)], "three elements for everyone", P=20)


def uneven_trials(case: Case):
    """Parts of 0 to 5 elements, with a rank that sends nothing and one that gets nothing where K allows it."""
    for K in contracts.world_sizes(case):
        sizes = case.rng.integers(1, 6, (K, K))
        sizes[case.rng.random((K, K)) < 0.2] = 0
        sizes[0, K - 1] = 2
        yield trial_of(sizes.tolist(), "parts of uneven lengths", P=20)
        if K > 2:
            sizes[1], sizes[:, 2] = 0, 0
            yield trial_of(sizes.tolist(), "rank 1 has nothing to give, rank 2 gets nothing")
    yield trial_of([[0, 0, 0]] * 3, "every part empty")
    yield trial_of(case.rng.integers(0, 4, (3, 3)).tolist(), "ids, int64", dtype=torch.int64)
    yield trial_of(case.rng.integers(0, 4, (3, 3)).tolist(), "rows of four numbers", row=(4,))


def hidden_trials(case: Case):
    for K in (2, int(case.rng.choice([4, 6, 8])), int(case.rng.choice([5, 9, 11]))):
        yield trial_of(case.rng.integers(0, 7, (K, K)).tolist(), "other parts of uneven lengths")


EQUAL = Once(NAME, equal_trials, "parts")
UNEVEN = Once(NAME, uneven_trials, "parts")
HIDDEN = Once(NAME, hidden_trials, "parts")


def _elements(row: tuple[int, ...]) -> int:
    return int(torch.Size(row).numel()) if row else 1


# ---- what the usual slips give --------------------------------------------------------------------------------------


def _parts(trial):
    return trial.facts["parts"]


def own_back(trial):
    return _parts(trial)


def by_step(trial):
    """In the order of arrival: its own, then from one place to the left, from two places to the left."""
    return [[_parts(trial)[(rank - step) % trial.K][rank] for step in range(trial.K)] for rank in range(trial.K)]


def at_target(trial):
    """What comes from rank − s, written where the part for rank + s was."""
    K = trial.K
    return [[_parts(trial)[(2 * rank - at) % K][rank] for at in range(K)] for rank in range(K)]


def own_missing(trial):
    return [[_parts(trial)[src][rank] if src != rank else torch.zeros(0) for src in range(trial.K)]
            for rank in range(trial.K)]


def cut_equally(trial):
    cut = [torch.tensor_split(torch.cat(mine), trial.K) for mine in _parts(trial)]
    return [[cut[src][rank] for src in range(trial.K)] for rank in range(trial.K)]


EXPLAINS = {"0B/not-transposed": own_back, "0B/order-of-arrival": by_step, "0B/written-at-the-target": at_target,
            "0B/own-part-lost": own_missing, "0B/equal-splits": cut_equally}


# ---- bytes ----------------------------------------------------------------------------------------------------------


def link_bytes(job: Once):
    """A judge of every link: exactly the part that is for its end."""
    def judge(answers, case) -> Verdict:
        shown = None
        for trial in sorted(job.on(case, lambda t: t.K > 1), key=lambda t: t.K == 2):     # two ranks show least
            run = job.run(answers, trial)
            bad = _link_of(trial, run)
            if bad is not None:
                return bad
            shown = contracts.readable(shown, (trial, run))
        trial, run = shown
        return Verdict(True, "every part over the one link from its owner to its target", f"{run.ledger.total():,} "
                       f"bytes over all links, nothing twice", str(trial), run=run, ratio=1.0)
    return judge


def _link_of(trial, run) -> Verdict | None:
    K, parts, ledger = trial.K, _parts(trial), run.ledger
    need = {(src, dst): parts[src][dst].numel() * parts[src][dst].element_size()
            for src in range(K) for dst in range(K) if src != dst}
    wrong = [link for link in need if ledger.link(*link) != need[link]]
    if not wrong:
        return None
    src, dst = wrong[0]
    total, bound = ledger.total(), sum(need.values())
    ratio = total / bound if bound else None
    cost = f", {ratio:.1f}x the traffic of the bound" if ratio and total > bound else ""
    right = "right parts" if contracts.wrong_rank(trial, run.results) is None else "wrong parts"
    return Verdict(False, f"{need[src, dst]:,} bytes from rank {src} to rank {dst}, {bound:,} in all",
                   f"{right}{cost}: {ledger.link(src, dst):,} bytes there, {total:,} in all", str(trial),
                   _why_links(trial, run.results, ledger, need, total, bound), run, ratio)


def _why_links(trial, results, ledger, need: dict, total: int, bound: int) -> str:
    K = trial.K
    if total < bound:
        return "0/ranks-share-nothing" if contracts.wrong_rank(trial, results) is None else "0B/wrong-parts"
    if any(ledger.link(*link) < least for link, least in need.items()):
        return "0B/forwarded"                            # missing on its own link, and yet it came
    whole = [sum(part.numel() * part.element_size() for part in mine) for mine in _parts(trial)]
    for own in (0, 1) if K > 2 else (0,):                # with or without the part that stays at home
        everything = {(src, dst): whole[src] - own * _size(trial, src) for src, dst in need}
        if all(0 <= ledger.link(*link) - everything[link] <= 8 * (K + 1) for link in need):    # and lengths to cut by
            return "0B/all-gather"
    return "0B/more-than-the-parts"


def _size(trial, rank: int) -> int:
    part = _parts(trial)[rank][rank]
    return part.numel() * part.element_size()


# ---- the exercise ---------------------------------------------------------------------------------------------------


def _judged(judge):
    return reading(knowing(judge, ERRORS))


ALL_TO_ALL = Exercise(
    id="0B.1", lab="0B", title="All-to-all, pairwise", names=(NAME,),
    signature="def all_to_all(comm, parts: list[Tensor]) -> list[Tensor]",
    points=20, minutes=25, difficulty=3, core=True, prerequisites=("0A",),
    goal="parts[q] of rank r is for rank q. Return, in rank order, the K parts that are for this rank. Parts may have "
         "any length, also none. Each goes straight to its target in one message; nothing else travels.",
    example="K = 2: rank 0 has [[0], [1, 2]], rank 1 has [[3, 4], []] -> rank 0 gets [[0], [3, 4]], rank 1 gets "
            "[[1, 2], []]",
    hints=(
        "Draw the K x K table with a row for each rank and a column for each target. What you return is a column. "
        "Which entry of it never leaves its rank?",
        "Let everybody be busy at once: in step s = 1 .. K-1 think of the rank s places to your right as the one you "
        "send to. From whom does something come to you in the same step?",
        "In each step: start with isend, then recv from (rank - s) mod K, then wait() on the isend. Put what came at "
        "the place of its sender. Send an empty part too: nobody else knows that it is empty.",
    ),
    misconceptions=(
        *told(*STUCK, "0/ranks-share-nothing"),
        Misconception("0B/own-part-travels", "You sent a part to its own rank; what is for yourself stays where it is "
                      "and goes into the result without a message."),
        Misconception("0B/no-such-rank", "You asked for a rank that does not exist; rank XOR step stays inside only "
                      "when K is a power of two, (rank + step) mod K always does."),
        Misconception("0B/not-transposed", "You returned the parts that you had; the result holds what the others had "
                      "for you: a column of the table and not your row."),
        Misconception("0B/order-of-arrival", "You listed the parts in the order in which they came; place q of the "
                      "result is for what came from rank q."),
        Misconception("0B/written-at-the-target", "You put what came at the place of the rank you were sending to; in "
                      "a step these are two different ranks, one on each side of you, as soon as K is 3 or more."),
        Misconception("0B/own-part-lost", "Your own part is missing; entry r of rank r's result is parts[r], which "
                      "never left."),
        Misconception("0B/equal-splits", "You cut everything into K equal pieces; the parts come as they are, of any "
                      "length, and a receiver learns the length from the message."),
        Misconception("0B/wrong-parts", "A rank has not ended with the parts that were for it: entry q of rank r is "
                      "what rank q had at place r."),
        Misconception("0B/forwarded", "A part went over a third rank; between any two ranks there is a link, so each "
                      "part can go straight to its target and cross one link only."),
        Misconception("0B/all-gather", "Everybody sent everything to everybody and each picked its own; that is an "
                      "all-gather, K-1 times the bytes, where each part has one reader only."),
        Misconception("0B/more-than-the-parts", "More travelled than the parts; a message may have any length and "
                      "brings its shape along, so neither sizes nor padding are needed."),
        Misconception("0B/many-messages", "More messages left than there are targets; each costs its α, and one for a "
                      "part is enough."),
    ),
    criteria=(
        Criterion("equal parts", _judged(contracts.values(EQUAL, otherwise="0B/wrong-parts", explains=EXPLAINS)), 3),
        Criterion("parts of any length", _judged(contracts.values(UNEVEN, otherwise="0B/wrong-parts",
                                                                  explains=EXPLAINS)), 5),
        Criterion("bytes on every link", _judged(link_bytes(UNEVEN)), 4),
        Criterion("one message a target", _judged(contracts.messages(
            UNEVEN, out=lambda t, rank: contracts.at_most(t.K - 1), more="0B/many-messages",
            less="0/ranks-share-nothing", only=lambda t: t.K > 1)), 2),
        Criterion("in real processes", _judged(contracts.two_worlds(UNEVEN, misconception="0/ranks-share-nothing")), 2),
        Criterion("other ranks, other parts", _judged(contracts.values(HIDDEN, otherwise="0B/wrong-parts",
                                                                       explains=EXPLAINS)), 4, hidden=True),
    ),
)
