"""3.2: a request that names keys of several servers: cut it up, and put the replies together in the caller's order.

    keys     7  2  9  2  5         split          to server 0: 2 2      to server 1: 7 5      to server 2: 9
    owners   1  0  2  0  1                              │ rows                │ rows                │ rows
    rows     7' 2' 9' 2' 5'        merge          ◀─────┴─────────────────────┴─────────────────────┘

split may name a key once or as often as the caller did; merge gives a row for every place of the request. What travels
is counted in a run: one message to each server that owns some of the keys, one back.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.comm import SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab0_common import LINK
from .lab3_common import FORBIDDEN, described, told, whole_numbers

D = 3                                # numbers in a row
KEY_BYTES, ROW_BYTES = 8, 4 * D


def row_of(keys: np.ndarray) -> np.ndarray:
    """(n, D) float32, the row that belongs to each key: whole numbers, exact."""
    return ((keys[:, None] % 99_991) * D + np.arange(D)).astype(np.float32)


# ---- requests -------------------------------------------------------------------------------------------------------


def requests(rng) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{label: (keys, owners)}: unsorted with duplicates, few keys, many servers, one server, none, keys past 2^53."""
    def asked(keys, S):
        owners = rng.integers(0, S, 2**12)
        return keys.astype(np.int64), owners[keys % 2**12]

    return {
        "8 keys, 3 servers": asked(rng.permutation([4, 17, 4, 9, 30, 2, 9, 21]), 3),
        "300 keys with duplicates, 6 servers": asked(rng.integers(0, 90, 300), 6),
        "9 keys, 40 servers": asked(rng.permutation(2000)[:9], 40),
        "12 keys of one server": (rng.integers(0, 20, 12), np.full(12, int(rng.integers(1, 5)))),
        "no keys": (np.zeros(0, np.int64), np.zeros(0, np.int64)),
        "50 keys above 2^53, 4 servers": asked(2**53 + rng.integers(0, 40, 50), 4),
        "20,000 keys, 16 servers": asked(rng.integers(0, 5_000, 20_000), 16),
    }


def wanted(keys, owners) -> dict[int, np.ndarray]:
    """{server: its keys}, in the caller's order. The reference."""
    return {int(server): keys[owners == server] for server in np.unique(owners)}


# ---- split ----------------------------------------------------------------------------------------------------------


def read_split(keys, owners, value, where: str) -> tuple[dict | None, Verdict | None]:
    """({server: keys (m,) int64}, None), or (None, what is wrong with it) apart from its cost."""
    if not isinstance(value, dict) or not all(isinstance(server, int) for server in value):
        return None, Verdict(False, "{server: keys}", described(value), where, "all/bad-value")
    parts = {}
    for server, part in value.items():
        parts[server] = whole_numbers(part)
        if parts[server] is None:
            floats = isinstance(part, (np.ndarray, list, torch.Tensor)) and np.asarray(part).dtype.kind == "f"
            return None, Verdict(False, "whole numbers, as the keys are", f"{described(part)} for server {server}",
                                 where, "3/keys-as-floats" if floats else "all/bad-value")
    own = wanted(keys, owners)
    for server, part in parts.items():
        strange = ~np.isin(part, own.get(server, ()))
        if strange.any():
            everybody = all(len(np.setdiff1d(keys, other)) == 0 for other in parts.values()) and len(own) > 1
            return None, Verdict(False, f"server {server} is asked for keys of its own", f"key {part[strange][0]} is "
                                 "not one of them", where,
                                 "3/everything-to-everyone" if everybody else "3/wrong-owner")
    for server, mine in own.items():
        lost = np.setdiff1d(mine, parts.get(server, ()))
        if len(lost):
            return None, Verdict(False, f"server {server} is asked for its {len(np.unique(mine))} keys",
                                 f"key {lost[0]} is asked nowhere", where, "3/keys-lost")
    return parts, None


def at_its_owner(answers, case: Case) -> Verdict:
    """split: every key is asked of its owner."""
    for where, (keys, owners) in requests(case.rng).items():
        _, wrong = read_split(keys, owners, answers.call("split", keys, owners), where)
        if wrong:
            return wrong
    return Verdict(True, seen="every key is asked of its owner, none is lost")


# ---- merge ----------------------------------------------------------------------------------------------------------


def callers_order(answers, case: Case) -> Verdict:
    """merge(keys, owners, replies to split(keys, owners)) is the row of every key, place by place."""
    for where, (keys, owners) in requests(case.rng).items():
        parts, wrong = read_split(keys, owners, answers.call("split", keys, owners), where)
        if wrong:
            return wrong
        arrival = case.rng.permutation(sorted(parts)).tolist()           # replies come in any order
        replies = {server: row_of(parts[server]) for server in arrival if len(parts[server])}
        value = answers.call("merge", keys, owners, replies)
        wrong = _wrong_rows(keys, owners, parts, arrival, value, where)
        if wrong:
            return wrong
    return Verdict(True, seen="a row for every place of the request, in its order")


def _wrong_rows(keys, owners, parts, arrival, value, where) -> Verdict | None:
    right, n = row_of(keys), len(keys)
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    try:
        seen = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return Verdict(False, f"rows of shape ({n}, {D})", described(value), where, "all/bad-value")
    if n == 0 and seen.size == 0:
        return None
    if seen.shape == right.shape and (seen == right).all():
        return None
    expected = f"rows of shape ({n}, {D}), place by place"
    if seen.ndim != 2 or seen.shape[1] != D:
        return Verdict(False, expected, f"shape {seen.shape}", where, "all/bad-value")
    if len(seen) != n:
        why = "3/duplicates-dropped" if len(seen) < n else "3/wrong-rows"
        return Verdict(False, expected, f"{len(seen)} rows", where, why)
    bad = np.flatnonzero((seen != right).any(axis=1))
    at = int(bad[0])
    told_at = f"place {at} (key {keys[at]}) has {seen[at].tolist()}, expected {right[at].tolist()}; " \
              f"{len(bad):,} of {n:,} places differ"
    return Verdict(False, expected, told_at, where, _why(keys, owners, arrival, seen, right, bad))


def _why(keys, owners, arrival, seen, right, bad) -> str:
    """Which mistake gives these rows."""
    by_server, by_arrival = (np.concatenate([row_of(keys[owners == server]) for server in order])
                             for order in (sorted(arrival), arrival))
    if any((seen == rows).all() for rows in (by_server, by_arrival)):
        return "3/order-of-the-servers"
    if (np.sort(seen, axis=0) == np.sort(right, axis=0)).all():
        return "3/sorted-order" if (seen == row_of(np.sort(keys))).all() else "3/wrong-places"
    _, first = np.unique(keys, return_index=True)
    _, backwards = np.unique(keys[::-1], return_index=True)
    if any(not np.isin(kept, bad).any() for kept in (first, len(keys) - 1 - backwards)):
        return "3/duplicates-dropped"                                # right at one place of each key
    return "3/wrong-rows"


# ---- what travels ---------------------------------------------------------------------------------------------------


def exchange(comm, parts: list[tuple[int, np.ndarray]], S: int):
    """Rank S is the worker: keys to servers 0..S-1, rows back. A program of the course, with the student's parts."""
    if comm.rank < S:
        mine = [keys for server, keys in parts if server == comm.rank]
        for _ in mine:
            comm.send(row_of(np.asarray(comm.recv(S))), S)
        return
    works = [comm.isend(keys, server) for server, keys in parts]
    replies = [comm.irecv(server) for server, _ in parts]
    for work in works + replies:
        work.wait()


def on_the_wire(answers, case: Case) -> Verdict:
    """Messages and bytes of split's requests, counted in the simulator."""
    shown = None
    for where, (keys, owners) in requests(case.rng).items():
        parts, wrong = read_split(keys, owners, answers.call("split", keys, owners), where)
        if wrong:
            return wrong
        own, S = wanted(keys, owners), 1 + max(owners.tolist(), default=0)
        strange = [server for server in parts if not 0 <= server < S]
        if strange:                                                      # no server of the run: told without one
            return Verdict(False, f"{len(own)} messages, one to each server that owns a key", f"one to server "
                           f"{strange[0]} besides, without a key", where, "3/empty-request")
        run = SimWorld(S + 1, link=LINK).run(exchange, list(parts.items()), S)
        messages, sent = run.ledger.messages(src=S), run.ledger.port(S)[0]
        if messages != len(own):
            return Verdict(False, f"{len(own)} messages, one to each server that owns a key", f"{messages} messages, "
                           f"{messages - len(own)} of them without a key", where, "3/empty-request", run)
        most = KEY_BYTES * len(keys)
        if sent > most:
            return Verdict(False, f"at most {most:,} bytes of keys", f"{sent:,} bytes", where, "3/asked-twice", run,
                           sent / most)
        if "8 keys" in where:
            shown = Verdict(True, f"{len(own)} messages to servers, at most {most} bytes of keys",
                            f"{messages} messages to servers, {sent} bytes of keys, "
                            f"{run.ledger.port(S)[1]} bytes of rows back", where, run=run)
    return shown


def elsewhere(answers, case: Case) -> Verdict:
    """Other requests, of everything."""
    for judge in (callers_order, on_the_wire):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other requests, in order and without a byte too many")


SPLIT = Exercise(
    id="3.2", lab="3", title="Split a request, merge the replies", names=("split", "merge"),
    signature="def split(keys, owners) -> dict[int, array]; def merge(keys, owners, replies: dict) -> rows (n, D)",
    points=25, minutes=25, difficulty=2, core=True, prerequisites=("2",), chapter_number="11.3.2", forbidden=FORBIDDEN,
    goal="A worker wants the rows of keys (n,), in any order and with duplicates; owners (n,) says whose they are. "
         "split returns {server: keys to ask it for}, for servers that own some of them and for no others. "
         "replies is {server: rows (m, D)}, a row for each key in the order in which split named them; merge returns "
         "(n, D), the row of keys[i] at place i.",
    example="split([7, 2, 9, 2], [1, 0, 2, 0]) -> {0: [2, 2], 1: [7], 2: [9]}; naming 2 once is as good",
    hints=(
        "owners == server is a mask over the places of the request. It says which keys go to a server, and it says "
        "again at which places what comes back belongs.",
        "for server in np.unique(owners): only those that own something. In merge make an empty array of n rows and "
        "write the reply of each server into its places; D is the width of any reply.",
        "rows[owners == server] = replies[server] writes in the order in which keys[owners == server] read. If split "
        "names each key once (np.unique), merge needs the inverse: np.unique(..., return_inverse=True).",
    ),
    misconceptions=(
        *told("3/duplicates-dropped"),
        Misconception("3/wrong-owner", "A server is asked for a key that it does not own; owners[i] belongs to "
                      "keys[i], also after keys have been sorted."),
        Misconception("3/everything-to-everyone", "Every server is asked for every key; S times the bytes, and each "
                      "can answer for its own keys only."),
        Misconception("3/keys-lost", "A key of the request is asked nowhere; each place of it belongs to exactly one "
                      "server."),
        Misconception("3/keys-as-floats", "Keys became floating-point numbers; from 2^53 on these cannot tell "
                      "neighbours apart, and a key has 64 bits."),
        Misconception("3/order-of-the-servers", "The rows stand server by server; the caller's third row belongs to "
                      "the caller's third key, so each reply has to go back to the places it was asked for."),
        Misconception("3/sorted-order", "The rows are in the order of sorted keys; sorting is fine on the way, and has "
                      "to be undone at the end."),
        Misconception("3/wrong-places", "All rows are there, at wrong places; a reply lists rows in the order in which "
                      "split named the keys, so undo exactly what split did."),
        Misconception("3/wrong-rows", "Some places hold a row that is none of the request's; fill every place from the "
                      "reply of its own owner."),
        Misconception("3/empty-request", "You ask servers that own none of the keys; an empty request costs a message "
                      "and an answer, and with many servers these are most of the traffic."),
        Misconception("3/asked-twice", "A key is asked for more often than the caller named it; that is bytes for "
                      "nothing, both ways."),
    ),
    criteria=(
        Criterion("every key at its owner", at_its_owner, 7),
        Criterion("the caller's order", callers_order, 8),
        Criterion("messages and bytes", on_the_wire, 6),
        Criterion("other requests", elsewhere, 4, hidden=True),
    ),
)
