"""7.1 (11.7.1): what a change does to the bytes that lie in the table, that move in a step, and on the busiest link.

    M_table = rows · (row as stored + 4·D·slots)                     int8: D + 8 bytes a row, int4: D/2 + 4, fp32: 4·D
    M_comm  = (1 − hit rate) · lookups · (S − 1)/S · row on the wire
    busiest = M_comm / S                                             out of each of S hosts, lookups spread evenly

A model, stated: rows of a step over all hosts, one way; ids not counted; what a requester's cache keeps is no part of
the table. Answers are ratios, after the change over before it.
"""

from __future__ import annotations

import math

from pslab.grade import Criterion, Exercise, Misconception

from .lab7_common import FORBIDDEN, questions

CHANGES = ("stored", "wire", "hosts", "requester cache", "owner cache", "hashing", "quotient-remainder", "slots",
           "de-duplication")
CHAPTER = {"rows": 2_000_000_000, "dim": 128, "slots": 0, "hosts": 16, "lookups": 2_621_440, "hit_rate": 0.85,
           "stored": "fp32", "wire": "fp32"}
FORM = "three numbers: (ratio of M_table, ratio of M_comm, ratio of the busiest link)"


def row_bytes(kind: str, D: int, slip: str = "") -> float:
    scales = slip != "7/int8-is-4x"
    return {"fp32": 4 * D, "int8": D + 8 * scales, "int4": D / 2 + 4 * scales}[kind]


def after(change, spec: dict, slip: str = "") -> dict:
    """The spec as it is after the change."""
    what, value = change
    if what == "hosts" or what == "slots":
        return {**spec, what: value}
    if what == "stored" or what == "wire":
        both = slip in ("7/at-rest-is-on-the-wire",) and what == "stored"
        return {**spec, "stored": value, "wire": value} if both else {**spec, what: value}
    if what == "requester cache" or (what == "owner cache" and slip == "7/cache-at-the-owner"):
        return {**spec, "hit_rate": value}
    if what == "hashing":
        return {**spec, "rows": value, **({"lookups": spec["lookups"] * value / spec["rows"]} if slip ==
                                          "7/fewer-rows-fewer-bytes" else {})}
    if what == "quotient-remainder":
        times = {"7/qr-is-free": 1, "7/qr-halves": 0.5}.get(slip, 2)
        rows = value if slip == "7/one-of-two-tables" else value + math.ceil(spec["rows"] / value)
        return {**spec, "rows": rows, "lookups": spec["lookups"] * times}
    if what == "de-duplication":
        return {**spec, "lookups": value}
    return spec


def budgets(spec: dict, slip: str = "") -> tuple[float, float, float]:
    """(M_table, M_comm, busiest link), bytes."""
    D, S = spec["dim"], spec["hosts"]
    slots = 0 if slip == "7/slots-forgotten" else spec["slots"]
    slot = row_bytes(spec["stored"], D) if slip == "7/slots-quantised" else 4 * D
    table = spec["rows"] * (row_bytes(spec["stored"], D, slip) + slot * slots)
    remote = 1 if slip == "7/own-shard-is-remote" else (S - 1) / S
    comm = (1 - spec["hit_rate"]) * spec["lookups"] * remote * row_bytes(spec["wire"], D, slip)
    return table / (S if slip == "7/hosts-shrink-the-table" else 1), comm, comm / (1 if slip == "7/total-is-busiest"
                                                                                 else S)


def effect(change, spec: dict, slip: str = "") -> tuple[float, float, float]:
    """The reference, or with a slip what is believed instead."""
    pairs = zip(budgets(after(change, spec, slip), slip), budgets(spec, slip))
    ratios = tuple(old / new if slip == "7/before-over-after" else new / old for new, old in pairs)
    if slip == "7/no-cache-before" and change[0] == "requester cache":
        return ratios[0], 1 - change[1], 1 - change[1]
    return ratios


def relieves(change, spec: dict) -> str:
    """"table", "wire", "both" or "neither". The reference."""
    table, comm, _ = effect(change, spec)
    return {(True, True): "both", (True, False): "table", (False, True): "wire"}.get((table < 1, comm < 1), "neither")


# ---- questions ------------------------------------------------------------------------------------------------------


def drawn(rng, what: str) -> tuple[tuple, dict]:
    """A spec, and a change of this kind that fits it."""
    spec = {"rows": int(rng.integers(10**6, 10**10)), "dim": 4 * int(rng.choice([1, 4, 8, 16, 32])),
            "slots": int(rng.integers(0, 3)), "hosts": int(rng.integers(2, 65)),
            "lookups": int(rng.integers(10**4, 10**7)),
            "hit_rate": round(float(rng.choice([0.0, rng.uniform(0.05, 0.9)])), 3), "stored": "fp32", "wire": "fp32"}
    value = {
        "stored": str(rng.choice(["int8", "int4"])), "wire": str(rng.choice(["int8", "int4"])),
        "hosts": spec["hosts"] * 2, "slots": (spec["slots"] + 1) % 3,
        "requester cache": round(float(spec["hit_rate"] + (1 - spec["hit_rate"]) * rng.uniform(0.1, 0.9)), 3),
        "owner cache": round(float(rng.uniform(0.91, 0.99)), 3), "hashing": spec["rows"] // int(rng.integers(3, 400)),
        "quotient-remainder": int(spec["rows"] ** rng.uniform(0.4, 0.6)),
        "de-duplication": int(spec["lookups"] * rng.uniform(0.1, 0.9)),
    }[what]
    return (what, value), spec


def four(rng) -> list:
    """The chapter's four changes, on the chapter's table and on another one."""
    kinds = [("stored", "int4"), ("requester cache", 0.95), ("hosts", 32), ("hashing", 10_000_000)]
    return [(change, CHAPTER) for change in kinds] + [drawn(rng, what) for what, _ in kinds]


def at_rest_or_moving(rng) -> list:
    return [drawn(rng, what) for what in ("stored", "wire", "stored", "wire", "slots", "quotient-remainder",
                                          "quotient-remainder", "stored", "de-duplication")]


def where_a_cache_stands(rng) -> list:
    return [drawn(rng, what) for what in ("requester cache", "owner cache", "hosts") * 3]


def more(rng) -> list:
    kinds = [*CHANGES * 2, "stored", "wire", "hosts", "requester cache", "owner cache", "quotient-remainder"]
    return [drawn(rng, what) for what in rng.permutation(kinds).tolist()]


def choices(rng) -> list:
    kinds = rng.permutation(["stored", "requester cache", "hosts", "hashing"]).tolist()
    return [*(drawn(rng, what) for what in (*kinds, "wire", "owner cache", "quotient-remainder")),
            (("stored", "fp32"), {**CHAPTER, "stored": "int8"})]


def told(question) -> str:
    change, spec = question
    return f"{change[0]} -> {change[1]}; " + ", ".join(f"{name} {value}" for name, value in spec.items())


SENTENCES = {
    "7/at-rest-is-on-the-wire": "You let rows that are stored in fewer bits travel in fewer bits; they are expanded "
    "before they leave unless the wire has its own format, which is another change.",
    "7/int8-is-4x": "You left out scale and minimum; a row of int8 has D + 8 bytes and one of int4 D/2 + 4, so it "
    "is never quite 4 or 8 times less.",
    "7/slots-forgotten": "You left out the optimizer's numbers; they lie beside the row, 4 bytes each, and are most "
    "of a table that is trained by Adam.",
    "7/slots-quantised": "You stored the optimizer's numbers in few bits as well; the change is about rows, and the "
    "slots stay float32.",
    "7/qr-is-free": "You counted one lookup for an id; with quotient and remainder each id needs a row of both "
    "tables, and both travel.",
    "7/qr-halves": "You let two small tables halve the traffic; small tables save what lies, and two rows for an id "
    "double what moves.",
    "7/one-of-two-tables": "You counted one of the two tables; there are m rows for the remainders and R/m, rounded "
    "up, for the quotients.",
    "7/cache-at-the-owner": "You let a cache at the owner save traffic; it saves the owner a read of slow memory, "
    "and the row still has to cross the network.",
    "7/fewer-rows-fewer-bytes": "You let a smaller table move fewer bytes; each lookup still brings one row of D "
    "numbers, whatever the number of rows.",
    "7/own-shard-is-remote": "You sent every lookup over the network; of S hosts each owns 1/S of the rows, and "
    "what it looks up there stays at home.",
    "7/total-is-busiest": "You took the total for the busiest link; S hosts send side by side, each its share.",
    "7/hosts-shrink-the-table": "You gave the bytes of one host; the table is as large as before, however many "
    "hosts hold it.",
    "7/before-over-after": "You divided the wrong way round; the ratio is after over before, so a saving is below 1.",
    "7/no-cache-before": "You forgot the cache that was there before; the ratio compares the misses with the misses "
    "of before.",
    "7/effect-miscounted": "Write down the three sums before the change and after it, and divide; which of rows, "
    "row bytes, lookups, hit rate and hosts does the change touch?",
    "7/relief-is-below-one": "A budget is relieved when its ratio is below 1; what leaves it as it was or lets it "
    "grow relieves nothing.",
}
SLIPS = tuple(SENTENCES)[:-2]
BELIEFS = {slip: (lambda change, spec, slip=slip: effect(change, spec, slip)) for slip in SLIPS}


def _judged(asked):
    return questions("effect", asked, effect, BELIEFS, "7/effect-miscounted", FORM, told)


EFFECT = Exercise(
    id="7.1", lab="7", title="Which budget does it relieve", names=("effect", "relieves"),
    signature="def effect(change: tuple[str, value], spec: dict) -> tuple[float, float, float]\n"
              'def relieves(change, spec: dict) -> "table" | "wire" | "both" | "neither"',
    points=15, minutes=15, difficulty=2, core=True, prerequisites=("6",), chapter_number="11.7.1", forbidden=FORBIDDEN,
    goal="effect: what the change does to M_table, to M_comm and to the busiest link, each as after / before. "
         "M_table = rows·(row as stored + 4·D·slots); M_comm = (1 - hit_rate)·lookups·(S-1)/S·(row on the wire); each "
         "of S hosts sends M_comm/S. A row has 4D bytes as fp32, D + 8 as int8, D/2 + 4 as int4. relieves: which of "
         "M_table and M_comm falls.",
    example='dim 128, no slots: effect(("stored", "int4"), spec) -> (0.1328125, 1.0, 1.0); relieves -> "table"',
    hints=(
        "Write a function that gives the three sums of a spec. A change makes another spec; then divide.",
        'The change ("owner cache", h) changes none of the three: the row crosses the network whoever\'s memory it was '
        'read from. ("requester cache", h) is the one that changes hit_rate.',
        '("quotient-remainder", m): rows becomes m + ceil(rows/m) and lookups doubles, for an id needs a row of each '
        'table. ("hashing", m): rows becomes m. ("de-duplication", u): lookups becomes u. The rest name their field.',
    ),
    misconceptions=tuple(Misconception(*item) for item in SENTENCES.items()),
    criteria=(
        Criterion("the chapter's four changes", _judged(four), 3),
        Criterion("at rest or on the move", _judged(at_rest_or_moving), 3),
        Criterion("where a cache stands", _judged(where_a_cache_stands), 3),
        Criterion("which budget", questions("relieves", choices, relieves, {}, "7/relief-is-below-one",
                                            '"table", "wire", "both" or "neither"', told), 2),
        Criterion("twenty-four other changes", _judged(more), 4, hidden=True),
    ),
)
