"""The programs around the answers of 2.1 to 2.3: copied into the student's process, so no reference stands here.

    handled     a server's state and a list of requests: after each one the reply, the table and what was called
    stepped     a table, a rule and a list of pushes: the rows at the end, and the rule's own state
    fed         letters in the order in which they arrive, for apply_once
    numbers_in  how many numbers a thing holds, whatever it is made of
"""

from __future__ import annotations

from types import CellType

import torch

_REFUSALS = (ValueError, TypeError, LookupError, RuntimeError)


class State:
    """One server's shard. keys (R,) int64 ascending, rows (R, D) float32."""

    def __init__(self, dim: int, seed: int, calls: dict | None = None):
        calls = {} if calls is None else calls               # no attribute: it is not for answers to set

        def initial(keys):
            calls["initial"] = calls.get("initial", 0) + 1
            first = (torch.as_tensor(keys) % 1_000_003 * 7_919 + seed) % 97
            return (first[:, None] + torch.arange(dim)).float()

        def update(rows, sums):
            calls["update"] = calls.get("update", 0) + 1
            return rows * 0.5 + sums * sums.abs()

        self.keys, self.rows = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dim)
        self.dim, self.initial, self.update = dim, initial, update


def handled(server_handle, comm, dim: int, seed: int, requests: list) -> dict:
    """requests: dicts with kind, keys, vals. Steps: reply, keys, rows, update and initial calls, refused as what."""
    calls: dict[str, int] = {}
    state, steps, replies = State(dim, seed, calls), [], []
    for request in requests:
        given = {name: value.clone() if isinstance(value, torch.Tensor) else value for name, value in request.items()}
        calls.clear()
        reply, refused = None, None
        try:
            reply = server_handle(state, given)
        except NotImplementedError:
            raise
        except _REFUSALS as error:
            if not isinstance(error, ValueError) and request["good"]:
                raise
            refused = f"{type(error).__name__}: {error}"[:200]
        changed = [name for name in ("keys", "vals") if isinstance(request.get(name), torch.Tensor)
                   and not _same(given.get(name), request[name])]
        if isinstance(reply, torch.Tensor):
            replies.append((len(steps), reply))
            reply = reply.clone()
        steps.append({"reply": reply, "keys": state.keys.clone(), "rows": state.rows.clone(), "refused": refused,
                      "updates": calls.get("update", 0), "initials": calls.get("initial", 0), "changed": changed})
    later = [at for at, reply in replies if not _same(reply, steps[at]["reply"])]
    return {"steps": steps, "replies_changed_later": later}


def _same(one, other) -> bool:
    return isinstance(one, torch.Tensor) and one.shape == other.shape and torch.equal(
        torch.nan_to_num(one.double(), nan=0.5), torch.nan_to_num(other.double(), nan=0.5))


def stepped(rule, comm, table, state: dict, pushes: list, settings: dict) -> dict:
    """pushes: [(keys, grads)]. rows (R, D) at the end, the state, its bytes, and which push's arguments changed."""
    rows, changed = table.clone(), None
    for at, (keys, grads) in enumerate(pushes):
        given = keys.clone(), grads.clone()
        rule(rows, state, *given, **settings)
        if changed is None and not (torch.equal(given[0], keys) and torch.equal(given[1], grads)):
            changed = at
    return {"rows": rows, "state": state, "bytes": bytes_in(state), "changed": changed}


def fed(apply_once, comm, size: int, window: int, streams: list) -> list:
    """For each stream of letters: rows (size,), acknowledgements, and how many numbers `seen` holds at most."""
    results, at_first = [], numbers_in(_beside(apply_once))
    for letters in streams:
        rows, seen, acks, most = torch.zeros(size), {}, [], 0
        for at, (sender, incarnation, number, key, val) in enumerate(letters):
            letter = {"sender": sender, "incarnation": incarnation, "number": number,
                      "keys": torch.tensor([key]), "vals": torch.tensor([float(val)])}
            ack = apply_once(rows, seen, letter, window)
            acks.append(list(ack) if isinstance(ack, (tuple, list)) else ack)
            if at % 3_000 == 2_999 or at == len(letters) - 1:
                most = max(most, numbers_in(seen) + numbers_in(_beside(apply_once)) - at_first)
        results.append({"rows": rows, "acks": acks, "numbers": most})
    return results


def _beside(function) -> list:
    """What a function may remember things in beside its arguments: names, functions and classes that it mentions."""
    known, ahead, places = set(), [function], []
    while ahead:
        value = ahead.pop()
        if id(value) in known or type(value).__name__ == "module":
            continue
        known.add(id(value))
        if not callable(value):
            places.append(value)
        elif getattr(value, "__module__", None) == function.__module__:
            cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or () if cell != CellType()]
            ahead += [*getattr(value, "__dict__", {}).values(), getattr(value, "__defaults__", None), *cells]
            names = _names(getattr(value, "__code__", None))
            ahead += [function.__globals__[name] for name in names if name in function.__globals__]
    return places


def _names(code) -> set:
    """The names in a function's code and in the functions within it."""
    inner = [part for part in getattr(code, "co_consts", ()) if hasattr(part, "co_names")]
    return set(getattr(code, "co_names", ())).union(*map(_names, inner))


def bytes_in(thing) -> int:
    """Bytes of memory of all tensors, 8 for each number, of a structure of dicts, lists, tensors and objects."""
    return _count(thing, lambda t: t.untyped_storage().nbytes() if isinstance(t, torch.Tensor) else t.nbytes, 8, set())


def numbers_in(thing) -> int:
    """How many numbers a structure holds; a whole number of many bits counts as many."""
    return _count(thing, lambda t: t.numel() if isinstance(t, torch.Tensor) else t.size, 1, set())


def _count(thing, of_tensor, one: int, known: set) -> int:
    if isinstance(thing, bool) or thing is None or callable(thing):
        return 0
    if isinstance(thing, int):
        return one * max(1, -(-thing.bit_length() // 64))
    if isinstance(thing, float):
        return one
    if isinstance(thing, (str, bytes)):
        return one * max(1, len(thing) // 8)
    if id(thing) in known:
        return 0
    known.add(id(thing))
    if hasattr(thing, "untyped_storage") or hasattr(thing, "nbytes"):
        return of_tensor(thing)
    if isinstance(thing, dict):
        return sum(_count(part, of_tensor, one, known) for pair in thing.items() for part in pair)
    if hasattr(thing, "__next__"):
        return 0                                             # an iterator may have no end
    if hasattr(thing, "__iter__"):
        return sum(_count(part, of_tensor, one, known) for part in thing)
    slots = [getattr(thing, name, None) for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    return _count([*slots, getattr(thing, "__dict__", {})], of_tensor, one, known)
