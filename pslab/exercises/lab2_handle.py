"""2.1: one request to a server, from letter to changed rows.

    keys   [7  2  7  9]        sum equal keys      [2   7     9]       rows of known keys, first values of unknown ones
    vals   [a  b  c  d]            ───────>        [b  a+c    d]  ──>  update(rows, sums), once  ──>  stored

The reference keeps rows in a dict and knows nothing of sorted keys; `slip` makes it err in one of the usual ways.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from .lab2_common import FORBIDDEN, explained, told
from .lab2_programs import handled
from .lab2_requests import anything, pull, push, refusals, with_repeats, with_unknown, without_repeats

NAME, LARGE = "server_handle", 200_000


# ---- the reference --------------------------------------------------------------------------------------------------


def initial(key: int, dim: int, seed: int) -> np.ndarray:
    return ((key % 1_000_003 * 7_919 + seed) % 97 + np.arange(dim)).astype(np.float64)


def served(requests: list[dict], dim: int, seed: int, slip: str = "") -> dict:
    """{'replies': [...], 'table': {key: row}} after the requests, all of them good."""
    table: dict[int, np.ndarray] = {}
    replies = []

    def row_of(key: int, place: int) -> np.ndarray:
        if key in table:
            return table[key]
        if slip == "2/unknown-rows-are-zero":
            return np.zeros(dim)
        return initial(place if slip == "2/initial-by-place" else key, dim, seed)

    def update(row, total):
        if slip == "2/push-overwrites":
            return total
        return row + total if slip == "2/update-forgotten" else row * 0.5 + total * np.abs(total)

    for request in requests:
        keys = [int(key) for key in request["keys"]]
        unknown = sorted({key for key in keys if key not in table})
        if request["kind"] == "pull":
            order = sorted(keys) if slip == "2/reply-in-key-order" else keys
            if slip == "2/reply-without-repeats" and len(set(keys)) < len(keys):
                order = sorted(set(keys))
            reply = [row_of(key, unknown.index(key) if key in unknown else 0) for key in order]
            replies.append(np.array(reply).reshape(len(order), dim))
            if slip == "2/pull-adds-keys":
                table.update(zip(keys, [row_of(key, 0) for key in keys]))
            continue
        replies.append(None)
        parts: dict[int, list] = {}
        for key, val in zip(keys, np.asarray(request["vals"], np.float64)):
            parts.setdefault(key, []).append(val)
        if slip == "2/duplicates-one-by-one":
            steps = [(key, val) for key, vals in parts.items() for val in vals]
        elif slip == "2/last-duplicate-wins":
            steps = [(key, vals[-1]) for key, vals in parts.items()]
        else:
            steps = [(key, sum(vals)) for key, vals in parts.items()]
        for key, total in steps:
            table[key] = update(row_of(key, unknown.index(key) if key in unknown else 0), total)
        if slip == "2/untouched-row-moved":
            for key in table.keys() - parts.keys():
                table[key] = update(table[key], np.zeros(dim))
    return {"replies": replies, "table": dict(sorted(table.items()))}


SLIPS = ("2/push-overwrites", "2/update-forgotten", "2/duplicates-one-by-one", "2/last-duplicate-wins",
         "2/reply-in-key-order", "2/reply-without-repeats", "2/unknown-rows-are-zero", "2/initial-by-place",
         "2/untouched-row-moved", "2/pull-adds-keys")


# ---- judging --------------------------------------------------------------------------------------------------------


def rows_right(requests_of, servers=(1,), dims=(3, 1)):
    """A judge of replies and tables. servers: S; of S servers each has the keys with its k mod S."""
    def judge(answers, case: Case) -> Verdict:
        for dim in dims:
            seed, requests = int(case.rng.integers(90)), requests_of(case.rng, dim)
            for S in servers:
                for server in range(S):
                    mine = [_part(request, S, server) for request in requests]
                    run = answers.run(NAME, 1, dim, seed, mine, within=handled)
                    bad = _wrong(run.results[0], mine, dim, seed)
                    if bad is not None:
                        where = f"{len(mine)} requests, D={dim}" + (f", server {server} of {S}" if S > 1 else "")
                        expected, seen, why = bad
                        return Verdict(False, expected, seen, where, why)
        told_S = f", the same rows from {' and '.join(map(str, servers))} servers" if len(servers) > 1 else ""
        return Verdict(True, "replies and rows as asked", f"{len(requests)} requests right{told_S}")
    return judge


def _part(request: dict, S: int, server: int) -> dict:
    if S == 1:
        return request
    mine = request["keys"] % S == server
    return {**request, "keys": request["keys"][mine],
            "vals": None if request["vals"] is None else request["vals"][mine]}


def _wrong(result: dict, requests, dim, seed) -> tuple[str, str, str] | None:
    right, steps = served(requests, dim, seed), result["steps"]
    at = next((i for i, step in enumerate(steps) if step["refused"]), None)
    if at is not None:
        return "a good request is served", f"request {at + 1} was refused: {steps[at]['refused']}", "2/good-refused"
    for i, step in enumerate(steps):
        if step["changed"]:
            return "arguments as they were", f"request {i + 1}: {step['changed'][0]} changed", "2/arguments-changed"
    keys = steps[-1]["keys"]
    if not isinstance(keys, torch.Tensor) or keys.dim() != 1 or (keys.diff() <= 0).any():
        return "state.keys ascending, each once", contracts.short(keys), "2/keys-out-of-order"
    words = _difference(steps, right, dim)
    if words is None:
        if result["replies_changed_later"]:
            return ("a reply stays as it was sent",
                    f"the reply to request {result['replies_changed_later'][0] + 1} changed with a later push",
                    "2/reply-is-the-table")
        return None
    why = explained(lambda believed: _difference(steps, believed, dim) is None,
                    {slip: lambda slip=slip: served(requests, dim, seed, slip) for slip in SLIPS}, right,
                    "2/wrong-rows")
    return "replies and rows as asked", words, why


def _difference(steps, wanted: dict, dim: int) -> str | None:
    for i, (step, reply) in enumerate(zip(steps, wanted["replies"]), start=1):
        words = contracts.difference(step["reply"], reply)
        if words is not None:
            return f"reply {i}: {words}"
    words = contracts.difference(steps[-1]["keys"], np.array(list(wanted["table"]), np.int64))
    if words is not None:
        return f"state.keys: {words}"
    rows = np.array(list(wanted["table"].values())).reshape(len(wanted["table"]), dim)
    words = contracts.difference(steps[-1]["rows"], rows)
    return None if words is None else f"state.rows: {words}"


def refused(answers, case: Case) -> Verdict:
    """Bad requests, one after the other, between good ones: ValueError, and nothing has changed."""
    dim, seed = 2, int(case.rng.integers(90))
    bad = refusals(case.rng, dim)
    requests = [push(case.rng, [3, 9, 5], dim), *(request for _, request in bad), pull([3, 5, 9])]
    steps = answers.run(NAME, 1, dim, seed, requests, within=handled).results[0]["steps"]
    for (what, _), step, before in zip(bad, steps[1:], steps):
        if step["refused"] is None or not step["refused"].startswith("ValueError"):
            seen = step["refused"] or "it was served"
            return Verdict(False, "ValueError", seen, what, "2/bad-request-served")
        same = (torch.equal(step["keys"], before["keys"]) and step["rows"].shape == before["rows"].shape
                and torch.equal(step["rows"], before["rows"]))
        if not same:
            return Verdict(False, "the state as it was", "state.keys or state.rows changed", what,
                           "2/refused-half-way")
    return Verdict(True, "ValueError, and nothing changed", f"{len(bad)} bad requests refused")


def vectorised(answers, case: Case) -> Verdict:
    """One call of update and at most one of initial for a request, and 200,000 keys at once."""
    dim, seed = 2, 5
    few = [push(case.rng, [4, 9, 4, 2, 30], dim), push(case.rng, [9, 50, 2, 2], dim), pull([2, 77, 9])]
    for request, step in zip(few, answers.run(NAME, 1, dim, seed, few, within=handled).results[0]["steps"]):
        allowed = 1 if request["kind"] == "push" else 0
        if step["updates"] > allowed or step["initials"] > 1:
            seen = f"{step['updates']} calls of update, {step['initials']} of initial"
            why = "2/a-loop-over-keys" if request["kind"] == "push" else "2/pull-updates"
            return Verdict(False, f"{allowed} call of update and at most 1 of initial", seen,
                           f"a {request['kind']} of {len(request['keys'])} keys", why)
    keys = case.rng.integers(0, 150_000, LARGE)
    many = {"kind": "push", "keys": torch.from_numpy(keys), "vals": torch.ones(LARGE, 1), "good": True}
    step = answers.run(NAME, 1, 1, seed, [many], within=handled).results[0]["steps"][0]
    unique, counts = np.unique(keys, return_counts=True)
    rows = (unique % 1_000_003 * 7_919 + seed) % 97 * 0.5 + counts**2
    words = contracts.difference(step["keys"], unique) or contracts.difference(step["rows"], rows[:, None])
    if words:
        return Verdict(False, f"{len(unique):,} rows", words, f"a push of {LARGE:,} keys", "2/wrong-rows")
    return Verdict(True, "one update for a push", f"{LARGE:,} keys in one update")


MISCONCEPTIONS = (
    Misconception("2/push-overwrites", "A push replaced what was in the row; it brings a gradient, and the update "
                  "function says what becomes of the row."),
    Misconception("2/update-forgotten", "The gradient was added as it is; what happens to a row is for state.update to "
                  "say, or the server knows only one rule."),
    Misconception("2/reply-in-key-order", "The rows came back in the order of the keys; row i of a reply belongs to "
                  "place i of the request, in whatever order that was."),
    Misconception("2/reply-without-repeats", "Keys that were asked for twice came back once; a reply has a row for "
                  "every place of the request."),
    Misconception("2/unknown-rows-are-zero", "A row that nobody has pushed came as zeros; it begins as "
                  "state.initial(keys) says."),
    Misconception("2/initial-by-place", "First values followed from a place in a list; they follow from the key alone, "
                  "so that a row begins alike on however many servers."),
    Misconception("2/pull-adds-keys", "A pull made keys known; reading changes nothing, or readers fill the server's "
                  "memory."),
    Misconception("2/keys-out-of-order", "state.keys is not ascending with each key once; sorted keys are what lets a "
                  "whole request be looked up at once."),
    Misconception("2/reply-is-the-table", "A reply changed after it had been given; it was a view of the table, and "
                  "its letter may leave later than the next push comes."),
    Misconception("2/good-refused", "A good request was refused; empty requests and keys of 64 bits are good ones."),
    Misconception("2/bad-request-served", "A bad request was not refused with ValueError; a NaN or a width that does "
                  "not fit spoils a table for everybody who reads it."),
    Misconception("2/refused-half-way", "The request was refused after something had been changed; look at all of it "
                  "first and change the state last."),
    Misconception("2/a-loop-over-keys", "update or initial was called key by key; one call for all rows of a request "
                  "is a hundred times faster, and says the same."),
    Misconception("2/pull-updates", "A pull called state.update; nobody pushed anything."),
    Misconception("2/wrong-rows", "Rows or replies are not those of the requests; follow one key on paper through two "
                  "pushes."),
    *told("2/duplicates-one-by-one", "2/last-duplicate-wins", "2/arguments-changed", "2/untouched-row-moved"),
)

HANDLE = Exercise(
    id="2.1", lab="2", title="A server's handler", names=(NAME,),
    signature="def server_handle(state, request: dict) -> Tensor | None\n"
              "    # state.keys (R,) int64 ascending, state.rows (R, D), state.dim\n"
              "    # state.initial(keys) -> (n, D), state.update(rows, sums) -> (n, D)\n"
              "    # request: kind 'push' or 'pull', keys (n,) int64 >= 0, vals (n, D) of a push",
    points=20, minutes=20, difficulty=2, core=True, prerequisites=("0A.0",), forbidden=FORBIDDEN,
    goal="Serve one request. A push: sum the values of equal keys, take the rows (an unknown key's from "
         "state.initial), call state.update once, store. A pull: the rows, in the order asked for; it changes nothing. "
         "A bad request: ValueError, and the state is as it was.",
    example="keys 5 and 3 unknown, initial zeros, update = rows - sums: push keys [5, 3, 5], vals [[1], [2], [3]] -> "
            "state.keys [3, 5], state.rows [[-2], [-4]]; pull [5, 3, 5] -> [[-4], [-2], [-4]]",
    hints=(
        "Three questions one after the other: is the request good? which distinct keys does it name, and what is the "
        "sum for each? which of them does the state know? Nothing is changed before all three are answered.",
        "torch.unique(keys, return_inverse=True) gives distinct keys, ascending, and for each place which of them it "
        "is; zeros(...).index_add_(0, inverse, vals) sums. torch.searchsorted(state.keys, unique) finds places; a key "
        "is known where state.keys at that place equals it (beware of the place behind the last).",
        "Push: rows = initial(unique); rows[known] = state.rows[place[known]]; rows = update(rows, sums). Then join: "
        "keys = cat([state.keys, unique[~known]]), rows likewise, order = argsort(keys); assign both at the end. For a "
        "pull the same look-up, then rows[inverse].",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("push, then pull", rows_right(without_repeats), 4),
        Criterion("equal keys are summed", rows_right(with_repeats), 4),
        Criterion("unknown keys, on any number of servers", rows_right(with_unknown, (1, 3)), 3),
        Criterion("refused requests", refused, 3),
        Criterion("one operation for all keys", vectorised, 3),
        Criterion("other requests", rows_right(anything, (1, 2), (4, 2, 1)), 3, hidden=True),
    ),
)
