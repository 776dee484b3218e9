"""7.2 (11.7.2): a cache of the rows used last, its misses split in two, and the oracle that no cache can beat.

    ids         1  2  3  1  4  2         capacity 3
    hit         -  -  -  x  -  -         4 drives out 2, which has been used least recently, and 2 is next to miss
    order()     1  12 123 231 314 142    the next to go stands first

An access hits when fewer than `capacity` other ids have been used since the id was used last: that is how it is judged
here, without a queue. The oracle evicts the id that is needed again last; a missed id always comes in.
"""

from __future__ import annotations

import numpy as np

from pslab.grade import AnswerFailed, Case, Criterion, Exercise, Verdict

from .lab5_common import belief_of
from .lab7_common import FORBIDDEN, first_of, questions, short, words, zipf
from .lab7_lru_texts import MISCONCEPTIONS
from .lab7_lru_ways import (
    SLIPS,
    belady_hits,
    believed,
    by_distance,
    long_streams,
    short_streams,
    split_misses,
    top_hits,
)
from .lab7_programs import accessed, batched

NAMES = ("LRU", "split_misses", "belady_hits")


# ---- judges ---------------------------------------------------------------------------------------------------------


def id_by_id(streams):
    """A judge of access, hit by hit."""
    def judge(answers, case: Case) -> Verdict:
        made = streams(case.rng)
        runs = answers.run("LRU", 1, list(made.values()), False, within=accessed, trace=False).results[0]
        seen, right, where = [], [], []
        for (label, (capacity, ids)), run in zip(made.items(), runs):
            seen += run["hits"]
            right += by_distance(ids.tolist(), capacity)[0]
            where += [f"{label}, capacity {capacity}: id {i} at place {at}" for at, i in enumerate(ids.tolist())]
        odd = next((i for i, value in enumerate(seen) if not isinstance(value, bool)), None)
        if odd is not None:
            return Verdict(False, "True for a hit, False for a miss", short(seen[odd]), where[odd], "all/bad-value")
        wrong = [i for i in range(len(seen)) if seen[i] != right[i]]
        if wrong:
            ways = {slip: [hit for capacity, ids in made.values() for hit in believed(slip, ids.tolist(), capacity)]
                    for slip in SLIPS}
            word = {True: "a hit", False: "a miss"}
            why = belief_of(seen, right, ways, "7/not-the-least-recent")
            if len(wrong) == len(seen):
                why = "7/hit-is-a-miss"
            if why == "7/eviction-before-use":
                why = _holds_less(answers, made) or why
            return Verdict(False, word[right[wrong[0]]], f"{word[seen[wrong[0]]]} ({len(wrong)} of {len(seen)} differ)",
                           where[wrong[0]], why)
        return Verdict(True, seen=f"{len(seen):,} accesses, {sum(seen):,} hits")
    return judge


def _holds_less(answers, made) -> str | None:
    """Both slips have the same hits; but who makes room too early is full at times, and who has a row less never."""
    try:
        runs = answers.run("LRU", 1, list(made.values()), True, within=accessed, trace=False).results[0]
        most = [max(len(order) for order in run["orders"]) for run in runs]
    except (AnswerFailed, TypeError, ValueError):
        return None
    return "7/one-row-less" if all(held < capacity for held, (capacity, _) in zip(most, made.values())) else None


def who_goes(answers, case: Case) -> Verdict:
    """order() after each access."""
    made = short_streams(case.rng)
    runs = answers.run("LRU", 1, list(made.values()), True, within=accessed, trace=False).results[0]
    for (label, (capacity, ids)), run in zip(made.items(), runs):
        for at, (seen, right) in enumerate(zip(run["orders"], by_distance(ids.tolist(), capacity)[1])):
            if seen != right:
                where = f"{label}, capacity {capacity}, after {short(ids[:at + 1].tolist())}"
                if not isinstance(seen, list):
                    return Verdict(False, "a list of ids, the next to go first", str(seen), where, "all/bad-value")
                why = "7/order-backwards" if seen == right[::-1] else "7/order-of-the-cache"
                return Verdict(False, short(right), short(seen), where, why)
    return Verdict(True, seen="the next to go stands first, after every access")


def batches(rng) -> list[tuple[int, list[list[int]]]]:
    """Batches with duplicates, one of old ids that must not go, as many as fit, too many, none."""
    drawn = [rng.integers(0, 14, int(rng.integers(1, 6))).tolist() for _ in range(30)]
    return [(4, [[1, 2, 3, 4], [5, 1, 5], [6, 2, 5], [7, 8, 9, 10], [], [1, 2, 3, 4, 5], [10, 10, 1]]),
            (3, [[1, 2, 3], [4, 1], [3, 2], [1, 4, 3]]),
            (5, drawn)]


def reference_batch(held: list, capacity: int, ids: list, slip: str = ""):
    """(loaded, evicted, held afterwards), or None where they do not fit."""
    need = list(dict.fromkeys(ids))
    if len(need) > capacity:
        return None
    loaded = [i for i in need if i not in held]
    free = held if slip == "7/batch-not-pinned" else [i for i in held if i not in need]
    evicted = free[:max(0, len(held) + len(loaded) - capacity)]
    stay = [i for i in held if i not in evicted]
    last = list(dict.fromkeys(reversed(ids)))[::-1]                 # by their last place in the batch
    if slip == "7/batch-refreshes-nothing":
        return loaded, evicted, stay + [i for i in last if i in loaded]
    if slip == "7/batch-by-first-place":
        last = need
    return loaded, evicted, [i for i in stay if i not in last] + last


def pinned(answers, case: Case) -> Verdict:
    """batch(ids): everything that it needs is there afterwards, and nothing that it needs has gone."""
    jobs = batches(case.rng)
    runs = answers.run("LRU", 1, jobs, within=batched, trace=False).results[0]
    for (capacity, listed), run in zip(jobs, runs):
        held: list = []
        for ids, (loaded, evicted, order) in zip(listed, run):
            right = reference_batch(held, capacity, ids)
            where = f"capacity {capacity}, held {held}, batch {ids}"
            if right is None:
                if loaded != "refused":
                    return Verdict(False, "ValueError, for so many different ids do not fit at once",
                                   short((loaded, evicted)), where, "7/batch-too-large")
                if order != held:
                    return Verdict(False, f"a refused batch changes nothing: {held}", short(order), where,
                                   "7/batch-too-large")
                continue
            if not isinstance(loaded, list) or not isinstance(evicted, list):
                said = "ValueError" if loaded == "refused" else short(loaded)
                return Verdict(False, "(loaded, evicted), two lists of ids", said, where, "7/batch-miscounted" if
                               loaded == "refused" else "all/bad-value")
            if (loaded, evicted, order) != right:
                return Verdict(False, "loaded {}, evicted {}, then {}".format(*right),
                               short(f"loaded {loaded}, evicted {evicted}, then {order}"), where,
                               _why_batch(held, capacity, ids, right, (loaded, evicted, order)))
            held = right[2]
    return Verdict(True, seen=f"{sum(map(len, runs))} batches, none of whose ids had gone")


def _why_batch(held, capacity, ids, right, seen) -> str:
    loaded, evicted, _ = seen
    if set(evicted) & set(ids):
        return "7/batch-not-pinned"
    if len(loaded) > len(set(loaded)):
        return "7/batch-loads-twice"
    for slip in ("7/batch-refreshes-nothing", "7/batch-by-first-place"):
        if seen == reference_batch(held, capacity, ids, slip):
            return slip
    return "7/batch-miscounted"


def _streams(rng) -> list[tuple]:
    made = [*short_streams(rng).values(), (20, zipf(rng, 300, 800)), (20, words(int(rng.integers(60_000)), 800))]
    return [(np.asarray(ids, np.int64), capacity) for capacity, ids in made]


def _told(question) -> str:
    ids, capacity = question
    return f"capacity {capacity}, {len(ids)} ids, first {ids[:8].tolist()}"


def _misses(ids, capacity):
    return by_distance(ids.tolist(), capacity)[0].count(False)


SPLITS = {
    "7/compulsory-fills-the-cache": lambda ids, c: (min(c, len(np.unique(ids))),
                                                    _misses(ids, c) - min(c, len(np.unique(ids)))),
    "7/every-miss-compulsory": lambda ids, c: (_misses(ids, c), 0),
    "7/split-exchanged": lambda ids, c: split_misses(ids, c)[::-1],
    "7/hits-among-misses": lambda ids, c: (len(np.unique(ids)), len(ids) - _misses(ids, c)),
}
ORACLES = {
    "7/oracle-looks-back": lambda ids, c: len(ids) - _misses(ids, c), "7/top-k-is-the-oracle": top_hits,
    **{slip: (lambda ids, c, slip=slip: belady_hits(ids, c, slip))
       for slip in ("7/soonest-goes", "7/fewest-to-come", "7/oracle-may-refuse")},
    "7/oracle-counts-misses": lambda ids, c: len(ids) - belady_hits(ids, c),
}
SPLIT = questions("split_misses", _streams, split_misses, SPLITS, "7/misses-miscounted",
                  "(compulsory misses, capacity misses)", _told)
ORACLE = questions("belady_hits", _streams, belady_hits, ORACLES, "7/not-the-oracle", "a number of hits", _told)

CACHE = Exercise(
    id="7.2", lab="7", title="A cache, its misses, and the oracle", names=NAMES,
    signature="class LRU:\n"
              "    def __init__(self, capacity: int)\n"
              "    def access(self, id: int) -> bool                 # whether it was there; it is now\n"
              "    def order(self) -> list[int]                      # what is held, the next to go first\n"
              "    def batch(self, ids) -> (loaded, evicted)         # all at once; ValueError if they do not fit\n"
              "def split_misses(stream, capacity) -> tuple[int, int]   # (compulsory, capacity) misses of LRU\n"
              "def belady_hits(stream, capacity) -> int",
    points=30, minutes=30, difficulty=3, core=True, prerequisites=("6",), chapter_number="11.7.2", forbidden=FORBIDDEN,
    goal="access(id): whether the id is held; afterwards it is, as the most recent, and if there was no room the id "
         "used least recently has gone. batch(ids): the ids, with duplicates, are needed at the same time: loaded are "
         "those that were missing, once each, in the order of their first place; evicted are the least recent ones "
         "that the batch does not need, no more than necessary; then ids count as used in the order of their last "
         "places. split_misses: misses of LRU at first sight, and all others. belady_hits: hits of the cache that "
         "evicts the id needed again last; it takes in every id that it misses.",
    example="capacity 3, ids 1 2 3 1 4 2: only the second 1 hits; order() is then [1, 4, 2]; split_misses: (4, 1); "
            "belady_hits: 2. capacity 3 with 1, 2, 3 held: batch([4, 1]) -> ([4], [2])",
    hints=(
        "A dict keeps the order in which keys were put in. What must happen to a key that is there already when it is "
        "used once more? For a batch, work out first what it needs, and evict only among the others.",
        "access: if the id is there, take it out and put it in at the end; else, if the cache is full, remove "
        "next(iter(held)), then put the id in. The look comes before the eviction. belady: for each place precompute "
        "where the same id comes next, walking backwards.",
        "batch: need = dict.fromkeys(ids); loaded = those not held; evict from [i for i in order() if i not in need] "
        "until held + loaded fit; then run through ids as access does. compulsory misses are len(set(stream)).",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("hits, id by id", id_by_id(short_streams), 7),
        Criterion("who goes next", who_goes, 5),
        Criterion("a batch is pinned", pinned, 6),
        Criterion("misses split", SPLIT, 4),
        Criterion("the oracle", ORACLE, 4),
        Criterion("other streams", first_of((id_by_id(long_streams), pinned, SPLIT, ORACLE),
                                            "Zipf, a loop, words of a manual; batches, misses and the oracle"), 4,
                  hidden=True),
    ),
)
