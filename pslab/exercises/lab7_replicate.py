"""7.6 (11.7.3): a copy of the table on each of K workers, or a shard: which moves fewer bytes in T steps?

    sharded      (K−1) · [ T·misses·(8 + row)  +  U·u·(8 + 4D) ]        misses = lookups − hits of a worker in a step
                          ids there, rows back     gradients to owners    a K-th of both stays at home
    replicated   (K−1) · [ R·row               +  U·K·u·(8 + 4D) ]      U = T / update_every updates
                          one copy to each other   each worker's changed rows to all others

A copy wins when it fits, R·(row + 4·D·slots) ≤ memory, and moves fewer bytes; with equally many bytes the shard stays.
All of it over all links, whole bytes.
"""

from __future__ import annotations

from pslab.grade import Criterion, Exercise, Misconception

from .lab7_common import FORBIDDEN, questions

ID = 8


def row_bytes(spec: dict, slip: str = "") -> int:
    D, scales = spec["dim"], slip != "7/scales-weigh-nothing"
    return {"fp32": 4 * D, "int8": D + 8 * scales, "int4": D // 2 + 4 * scales}[spec["format"]]


def replicate_wins(spec: dict, slip: str = "") -> tuple[bool, int, int]:
    """(whether a copy wins, bytes sharded, bytes replicated). The reference, or with a slip another one."""
    K, R, D, T, u = (spec[name] for name in ("workers", "rows", "dim", "steps", "touched"))
    row, id_bytes = row_bytes(spec, slip), 0 if slip == "7/ids-weigh-nothing" else ID
    updates = T if slip == "7/updates-at-every-step" else T // spec["update_every"]
    changed = id_bytes + (row if slip == "7/gradients-in-few-bits" else 4 * D)
    misses = spec["lookups"] - (0 if slip == "7/hits-travel" else spec["hits"])
    push = u * (spec["lookups"] - spec["hits"]) // spec["lookups"] if slip == "7/cache-saves-the-push" else u
    away = K if slip == "7/own-shard-travels" else K - 1
    sharded = away * (T * misses * (id_bytes + row) + updates * push * changed)
    once = {"7/broadcast-is-free": 0, "7/broadcast-every-step": T}.get(slip, 1)
    heard = {"7/updates-are-free": 0, "7/update-to-one": 1}.get(slip, K)
    replicated = (1 if slip == "7/one-copy" else K - 1) * once * R * row + (K - 1) * updates * heard * u * changed
    held = R * (row + 4 * D * (0 if slip == "7/copy-without-its-slots" else spec["slots"]))
    fits = held <= spec["memory_bytes"] or slip == "7/capacity-forgotten"
    return fits and (replicated <= sharded if slip == "7/equal-is-a-win" else replicated < sharded), sharded, replicated


# ---- specs ----------------------------------------------------------------------------------------------------------


def drawn(rng) -> dict:
    lookups = int(rng.integers(200, 50_000))
    every = int(rng.choice([1, 2, 5, 10, 50]))
    spec = {"workers": int(rng.choice([2, 3, 4, 8, 16])), "rows": int(rng.integers(10**4, 10**7)),
            "dim": 2 * int(rng.choice([2, 4, 8, 16, 32, 64])), "format": str(rng.choice(["fp32", "int8", "int4"])),
            "slots": int(rng.integers(0, 3)), "steps": every * int(rng.integers(10, 2_000)), "update_every": every,
            "lookups": lookups, "hits": int(lookups * rng.choice([0.1, 0.5, 0.85])),
            "touched": max(1, int(lookups * rng.uniform(0.02, 0.9)))}
    return {**spec, "memory_bytes": int(held_bytes(spec) * rng.choice([0.7, 1.5, 20, 20]))}


def held_bytes(spec: dict) -> int:
    return spec["rows"] * (row_bytes(spec) + 4 * spec["dim"] * spec["slots"])


def at_the_edge_of_bytes(rng) -> list[tuple]:
    """A table whose copy moves just fewer bytes than shards, and the same with one row more; memory is ample."""
    while True:
        spec = drawn(rng)
        K, updates = spec["workers"], spec["steps"] // spec["update_every"]
        _, sharded, _ = replicate_wins(spec)
        left = sharded // (K - 1) - updates * K * spec["touched"] * (ID + 4 * spec["dim"])
        rows = (left - 1) // row_bytes(spec)
        if rows >= 10**3:
            break
    return [({**spec, "rows": R, "memory_bytes": 10 * held_bytes({**spec, "rows": R})},) for R in (rows, rows + 1)]


def equal_bytes(rng) -> tuple:
    """A table whose copy moves exactly as many bytes as its shards: fp32 rows of D = 2, so that all of it divides."""
    K, u, T = int(rng.choice([2, 3])), int(rng.integers(5, 50)), int(rng.integers(20, 90))
    misses = K * u + int(rng.integers(5, 50))
    rows = T * (misses + u - K * u) * 2                             # row 8 bytes; a lookup and an update 16 each
    spec = {"workers": K, "rows": rows, "dim": 2, "format": "fp32", "slots": 0, "steps": T, "update_every": 1,
            "lookups": misses + 40, "hits": 40, "touched": u, "memory_bytes": 10**9}
    return (spec,)


def at_the_edge_of_memory(rng) -> list[tuple]:
    """A copy that just fits and would win, the same in a byte less, and in half of what its rows alone need."""
    spec = at_the_edge_of_bytes(rng)[0][0]
    spec = {**spec, "rows": spec["rows"] // 2, "slots": int(rng.integers(1, 3))}
    return [({**spec, "memory_bytes": held_bytes(spec) - less},) for less in (0, 1)] + [
        ({**spec, "memory_bytes": spec["rows"] * row_bytes(spec) // 2},)]


def some(rng) -> list[tuple]:
    return [(drawn(rng),) for _ in range(8)] + [pair for _ in range(2) for pair in at_the_edge_of_bytes(rng)]


def edges(rng) -> list[tuple]:
    return [*(pair for _ in range(4) for pair in at_the_edge_of_bytes(rng)), equal_bytes(rng),
            *(pair for _ in range(3) for pair in at_the_edge_of_memory(rng))]


def forty(rng) -> list[tuple]:
    return [(drawn(rng),) for _ in range(15)] + edges(rng) + [pair for _ in range(3) for pair in
                                                            at_the_edge_of_bytes(rng)] + [equal_bytes(rng)]


def told(question) -> str:
    return ", ".join(f"{name} {value}" for name, value in question[0].items())


SENTENCES = {
    "7/broadcast-is-free": "You left out the copies themselves; before the first step the table travels to each of "
    "the other K-1 workers.",
    "7/broadcast-every-step": "You sent the table in each step; it travels once, and after that only the rows that "
    "changed.",
    "7/one-copy": "You counted one copy; K-1 workers need one, and each is sent.",
    "7/updates-are-free": "You let copies stay equal for nothing; what a worker changes has to reach all others.",
    "7/update-to-one": "You sent each changed row to one place, as a shard's owner wants it; of copies there are "
    "K-1 others, and each needs the changes of every worker.",
    "7/updates-at-every-step": "You updated in every step; gradients travel only in every update_every-th one.",
    "7/cache-saves-the-push": "You let the cache reduce what is pushed; a hit saves a read, and its gradient still "
    "goes to the owner.",
    "7/hits-travel": "You counted hits as traffic; they are what the requester's cache answers.",
    "7/own-shard-travels": "You sent every lookup over the network; a K-th of the rows is the worker's own.",
    "7/ids-weigh-nothing": "You let ids travel for nothing; each row that is asked for or pushed is named by 8 "
    "bytes.",
    "7/scales-weigh-nothing": "You left out scale and minimum of each row; int8 has D + 8 bytes, int4 D/2 + 4.",
    "7/gradients-in-few-bits": "You sent gradients in the table's few bits; what is pushed or exchanged is float32, "
    "4 bytes a number.",
    "7/copy-without-its-slots": "You compared the rows alone with the memory; a copy that is trained holds its "
    "optimizer's numbers as well.",
    "7/capacity-forgotten": "You let bytes decide where a copy does not fit; what does not fit cannot be "
    "replicated, however little it would move.",
    "7/equal-is-a-win": "You replicated where both move the same; a copy has to move fewer bytes to win.",
    "7/bytes-of-neither": "Write both sums from the two lines of the text: what travels once, what in every step, "
    "what in every update, and to how many.",
}
SLIPS = tuple(SENTENCES)[:-1]
BELIEFS = {slip: (lambda spec, slip=slip: replicate_wins(spec, slip)) for slip in SLIPS}
FORM = "(True or False, bytes sharded, bytes replicated)"


def _judged(asked):
    return questions("replicate_wins", asked, replicate_wins, BELIEFS, "7/bytes-of-neither", FORM, told)


REPLICATE = Exercise(
    id="7.6", lab="7", title="A copy everywhere, or a shard", names=("replicate_wins",),
    signature="def replicate_wins(spec: dict) -> tuple[bool, int, int]      # bytes over all links in `steps` steps",
    points=20, minutes=20, difficulty=3, core=False, prerequisites=("7.1",), chapter_number="11.7.3",
    forbidden=FORBIDDEN,
    goal="Bytes over all links in T steps. Sharded: each worker asks for lookups - hits rows a step (8 bytes there, a "
         "row back) and in every update_every-th step pushes `touched` gradients (8 + 4D); a K-th of both is its own. "
         "Replicated: the table once to K-1 workers, then each worker's touched rows (8 + 4D) to all others at every "
         "update. A copy wins when rows·(row + 4·D·slots) fits into memory_bytes and it moves fewer bytes.",
    example="K=2, 100 rows, D=2, fp32, 10 steps, update in each, 30 lookups, 10 hits, 5 touched: (True, 4000, 2400)",
    hints=(
        "Both sums have the factor K-1. What travels once, what in each step, what in each update?",
        "U = steps // update_every. In a sharded update each worker's row goes to one owner; in a replicated one to "
        "K-1 others, so the sum over workers has K·(K-1).",
        "sharded = (K-1)·(T·(lookups - hits)·(8 + row) + U·touched·(8 + 4D)); replicated = (K-1)·(R·row + "
        "U·K·touched·(8 + 4D)). Compare with <, and memory with <=.",
    ),
    misconceptions=tuple(Misconception(*item) for item in SENTENCES.items()),
    criteria=(
        Criterion("bytes of both", _judged(some), 8),
        Criterion("one row more, one byte less", _judged(edges), 6),
        Criterion("forty other tables", _judged(forty), 6, hidden=True),
    ),
)
