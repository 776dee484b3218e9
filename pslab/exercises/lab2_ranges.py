"""2.4: a key range, cut where servers' shards end; one letter for each server that holds a piece, and no list of keys.

    bounds      0         10        20        30         server s holds bounds[s] <= key < bounds[s + 1]
    [7, 22)            7──10 10─────20 20─22             three pieces: (0, 7, 3), (1, 10, 10), (2, 20, 2)
                       lo ..........................hi   half-open: hi is not among the keys

    B   4·D bytes a row, no keys, at most 32 bytes of header a letter         M   one letter for each server hit
"""

from __future__ import annotations

import msgpack
import numpy as np
import torch

from pslab.comm import Link
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab2_cluster import BYE, ranged
from .lab2_common import FORBIDDEN, all_of, naming

PULL, PUSH = "range_pull", "range_push"
HEADER_BYTES = 32
LINK = Link(latency_s=1e-3, overhead_s=0.0, bandwidth_Bps=1e9)
BYE_BYTES = len(msgpack.packb((BYE, {})))


def pieces(bounds: list[int], lo: int, hi: int) -> list[tuple[int, int, int]]:
    """(server, first key, how many keys) of each server that holds a part of [lo, hi). The reference."""
    cut = [(s, max(lo, a), min(hi, b)) for s, (a, b) in enumerate(zip(bounds, bounds[1:]))]
    return [(s, a, b - a) for s, a, b in cut if b > a]


# ---- trials ---------------------------------------------------------------------------------------------------------


def inside(rng):
    """(bounds, ranges): ranges within one shard, that touch its ends and do not."""
    return [0, 10, 20, 30], [(12, 17), (10, 14), (15, 20), (10, 20), (0, 1), (29, 30)]


def across(rng):
    return [0, 10, 20, 30], [(7, 22), (5, 11), (9, 21), (0, 30), (0, 11), (19, 30)]


def odd_shards(rng):
    """Shards of unequal length, one of them empty; ranges without a key; keys far from 0."""
    far = 1 << 40
    return [far, far + 4, far + 4, far + 9, far + 10], [(far + 2, far + 6), (far, far + 10), (far + 4, far + 4),
                                                        (far + 9, far + 10), (far + 3, far + 5)]


def drawn(rng):
    cuts = np.sort(rng.integers(0, 200, int(rng.integers(3, 7))))
    bounds = [0, *map(int, cuts), 200]
    ends = [sorted(map(int, rng.integers(0, 201, 2))) for _ in range(12)]
    at_bounds = [(bounds[1], bounds[-2]), (bounds[0], bounds[2])]
    return bounds, [(lo, hi) for lo, hi in ends] + at_bounds


def start(bounds, dim: int) -> np.ndarray:
    """All rows as servers begin with: row i of bounds[0] + i holds i·D + 0, 1, ..."""
    return np.arange((bounds[-1] - bounds[0]) * dim, dtype=np.float64).reshape(-1, dim)


# ---- judging --------------------------------------------------------------------------------------------------------


def _run(answers, name: str, case: Case, trial, dim: int):
    bounds, ranges = trial(case.rng)
    calls = list(ranges)
    if name == PUSH:
        calls = [(lo, hi, torch.from_numpy(case.rng.integers(1, 50, (hi - lo, dim))).float()) for lo, hi in ranges]
    delays = [(len(bounds) - s) * 1e-3 for s in range(len(bounds) - 1)]          # the last server answers first
    run = answers.run(name, len(bounds), bounds, dim, calls, delays, within=ranged, face="mail", link=LINK)
    return run, bounds, calls


def right(name: str, trial, dim: int = 3):
    """A judge of pieces, rows and what is left behind."""
    def judge(answers, case: Case) -> Verdict:
        run, bounds, calls = _run(answers, name, case, trial, dim)
        where = f"shards {bounds}, ranges {', '.join(f'[{c[0]}, {c[1]})' for c in calls)}"
        return (_wrong_letters(run, bounds, calls, name, where) or _raised(run, where)
                or _wrong_rows(run, bounds, calls, dim, name, where)
                or Verdict(True, "each piece from its server", f"{len(calls)} ranges right",
                           f"{len(calls)} ranges over shards {bounds}"))
    return judge


def _wrong_letters(run, bounds, calls, name: str, where: str) -> Verdict | None:
    kind, made = "pull" if name == PULL else "push", calls
    if run.results[0]["raised"] and not any(notes["letters"] for notes in run.results[1:]):
        return None                                                          # before its first letter: _raised tells
    if run.results[0]["raised"]:
        made = calls[:len(run.results[0]["found"]) + 1]                      # it stopped in the last one of these
    for s, notes in enumerate(run.results[1:]):
        wanted = [(lo, n) for call in made for server, lo, n in pieces(bounds, *call[:2]) if server == s]
        seen = [(letter[1], letter[2]) for letter in notes["letters"]]
        if [letter for letter in notes["letters"] if letter[0] != kind] or seen != wanted:
            why = _why_letters(bounds, s, kind, notes["letters"], wanted)
            return Verdict(False, f"server {s}: {_shown(kind, wanted)}", _shown(kind, seen), where, why, run)
    return None


def _raised(run, where: str) -> Verdict | None:
    """An error of the student's code: told where the letters give no better reason."""
    seen = run.results[0]["raised"]
    return seen and Verdict(False, "an answer", seen[0], "; ".join(filter(None, (seen[1], where))), "all/raised", run)


def _why_letters(bounds, s: int, kind: str, letters, wanted) -> str:
    a, b = bounds[s], bounds[s + 1]
    seen = [(lo, n) for _, lo, n, *_ in letters]
    if any(k != kind for k, *_ in letters) or any(type(lo) is not int or type(n) is not int for lo, n in seen):
        return "2/not-the-letter-agreed"
    if any(n == 0 for _, n in seen):
        return "2/empty-piece"
    if any((lo, n) not in wanted and (lo + a, n) in wanted for lo, n in seen):
        return "2/keys-by-shard"
    if any(lo < a or lo + n > b for lo, n in seen):
        one_key = all(lo >= a and lo + n <= b + 1 for lo, n in seen)
        return "2/range-past-its-end" if one_key else "2/not-cut-at-shards"
    if len(seen) > len(wanted) and sum(n for _, n in seen) == sum(n for _, n in wanted):
        return "2/several-letters-for-one-shard"
    return "2/range-past-its-end" if sum(n for _, n in seen) > sum(n for _, n in wanted) else "2/range-end-missing"


def _wrong_rows(run, bounds, calls, dim: int, name: str, where: str) -> Verdict | None:
    worker, table = run.results[0], start(bounds, dim)
    if name == PULL:
        for (lo, hi), found in zip(calls, worker["found"]):
            words = contracts.difference(found, table[lo - bounds[0]:hi - bounds[0]])
            if words is not None:
                rows = found.reshape(-1).tolist() if isinstance(found, torch.Tensor) else []
                mixed = sorted(rows) == table[lo - bounds[0]:hi - bounds[0]].reshape(-1).tolist()
                return Verdict(False, f"{hi - lo} rows of keys {lo} to {hi - 1}", words, where,
                               "2/order-of-arrival" if mixed else "2/wrong-range-rows", run)
    else:
        for lo, hi, vals in calls:
            table[lo - bounds[0]:hi - bounds[0]] += vals.numpy()
        seen = torch.cat([notes["rows"] for notes in run.results[1:]])
        words = contracts.difference(seen, table)
        if words is not None:
            return Verdict(False, "every row plus its values", words, where, "2/wrong-slice-of-values", run)
    if worker["left"]:
        return Verdict(False, "no answer left behind", f"{worker['left']} answers came after the function returned",
                       where, "2/answers-left-behind", run)
    return None


def cheap(name: str, dim: int = 5):
    """A judge of letters and bytes on every link between the worker and a server."""
    def judge(answers, case: Case) -> Verdict:
        run, bounds, calls = _run(answers, name, case, across, dim)
        where = f"{len(calls)} ranges over shards {bounds}, D={dim}"
        if run.results[0]["raised"]:
            return _raised(run, where)
        for s in range(len(bounds) - 1):
            mine = [n for call in calls for server, _, n in pieces(bounds, *call[:2]) if server == s]
            out, back = (0, s + 1), (s + 1, 0)
            vals, letters = 4 * dim * sum(mine), run.ledger.messages(*out) - 1
            header = run.ledger.link(*out, "header") - BYE_BYTES
            loaded = out if name == PUSH else back
            for expected, seen, unit, why in (
                    (0, run.ledger.link(*out, "keys"), "B of keys", "2/list-of-keys"),
                    (len(mine), letters, "letters", "2/several-letters-for-one-shard"),
                    (vals, run.ledger.link(*loaded, "vals"), "B of values", "2/values-too-wide")):
                if seen != expected:
                    return Verdict(False, f"{expected:,} {unit} to or from server {s}", f"{seen:,}", where, why, run,
                                   seen / expected if expected else None)
            if header > HEADER_BYTES * letters:
                return Verdict(False, f"at most {HEADER_BYTES} B of header a letter", f"{header / letters:.0f} B",
                               where, "2/heavy-header", run, header / letters / HEADER_BYTES)
        return Verdict(True, "4·D bytes a row, no keys, a letter for each server hit",
                       f"{run.ledger.total('vals'):,} B of values, 0 B of keys", where, run=run, ratio=1.0)
    return judge


def _shown(kind: str, seen) -> str:
    return f"{kind} of (lo, n) " + (", ".join(f"({lo}, {n})" for lo, n in seen[:8]) or "nothing")


def both(make, *args, **kwargs):
    return naming(all_of([make(PULL, *args, **kwargs), make(PUSH, *args, **kwargs)]), stalled="2/waits-for-too-many")


RANGES = Exercise(
    id="2.4", lab="2", title="Ranges in one letter", names=(PUSH, PULL),
    signature="def range_push(comm, bounds: list[int], lo: int, hi: int, vals) -> None    # vals (hi - lo, D)\n"
              "def range_pull(comm, bounds: list[int], lo: int, hi: int, dim: int) -> Tensor    # (hi - lo, D)\n"
              "    # server s is rank s + 1 and holds the keys bounds[s] <= key < bounds[s + 1]",
    points=15, minutes=20, difficulty=2, core=True, prerequisites=("2.1",), forbidden=FORBIDDEN,
    goal="Push and pull the keys lo <= key < hi without naming them one by one: cut the range where shards end, one "
         "letter for each server that holds a part, wait for all answers, which come in any order.",
    example="bounds [0, 10, 20, 30]; [7, 22) -> server 0: lo 7, n 3; server 1: lo 10, n 10; server 2: lo 20, n 2. A "
            "push of it with D=4: 15 rows, 240 bytes of values, no keys",
    hints=(
        "The part of server s is from the larger of two lower ends to the smaller of two upper ends. When has it no "
        "key at all?",
        'To server s: comm.post(s + 1, "pull", {"lo": first, "n": count}), or "push" with [values] behind it. Then as '
        'many comm.poll() as you posted letters. An answer says in meta["lo"] which piece it is.',
        "Pull: out = torch.empty(hi - lo, dim); for each answer, out[meta['lo'] - lo :][:len(rows)] = rows. Push: the "
        "values of a piece are vals[first - lo : first - lo + count].",
    ),
    misconceptions=(
        Misconception("2/range-past-its-end", "A server was asked for a key behind its last one; ranges are half-open, "
                      "so the end of one shard is the first key of the next."),
        Misconception("2/range-end-missing", "A key at the end of a piece was asked of nobody; pieces of a range meet "
                      "without a gap."),
        Misconception("2/not-cut-at-shards", "A server was asked for keys that it does not hold; cut the range where "
                      "shards end."),
        Misconception("2/empty-piece", "A server that holds no part of the range was sent a letter; every letter "
                      "costs its latency, whatever is in it."),
        Misconception("2/keys-by-shard", "A piece was named by its place in the shard; lo is a key, the same number "
                      "for everybody."),
        Misconception("2/several-letters-for-one-shard", "A server got more letters than it has pieces; keys that "
                      "follow each other need one letter for all."),
        Misconception("2/not-the-letter-agreed", 'A letter is not what the servers understand: kind "push" or "pull", '
                      'meta {"lo": first key, "n": how many}.'),
        Misconception("2/order-of-arrival", "The rows are right and in the wrong place; answers come in any order, and "
                      'meta["lo"] says what an answer belongs to.'),
        Misconception("2/wrong-range-rows", "The rows are not those of the keys lo to hi - 1."),
        Misconception("2/wrong-slice-of-values", "Rows got values of other keys; row i of vals belongs to key lo + i, "
                      "so a piece begins at first - lo."),
        Misconception("2/answers-left-behind", "Answers came after the function had returned; the next one to poll "
                      "would take them for its own, and a push is not done before its ack."),
        Misconception("2/list-of-keys", "Keys travelled; of a range two numbers in the meta say it all, and a key of 8 "
                      "bytes is as large as two values."),
        Misconception("2/values-too-wide", "The values have more or fewer bytes than 4 for each number of each row of "
                      "the piece."),
        Misconception("2/heavy-header", "The meta of a letter is larger than it need be; lo and n are enough."),
        Misconception("2/waits-for-too-many", "The worker waits for an answer that nobody owes it; there is one for "
                      "each letter that was sent, and none where no letter was."),
    ),
    criteria=(
        Criterion("within one shard", both(right, inside), 3),
        Criterion("across shards", both(right, across), 4),
        Criterion("odd shards and empty ranges", both(right, odd_shards), 2),
        Criterion("bytes and letters", both(cheap), 4),
        Criterion("other ranges", both(right, drawn, dim=2), 2, hidden=True),
    ),
)
