"""Sorted keys, looked up all at once."""

import torch


def look_up(state, unique):
    """(rows, place, known) of distinct keys."""
    place = torch.searchsorted(state.keys, unique)
    known = torch.zeros(len(unique), dtype=torch.bool)
    inside = place < len(state.keys)
    known[inside] = state.keys[place[inside]] == unique[inside]
    rows = torch.empty(len(unique), state.dim)
    if known.any():
        rows[known] = state.rows[place[known]]
    if (~known).any():
        rows[~known] = state.initial(unique[~known])
    return rows, place, known


def refuse_bad(state, request):
    keys, vals = request["keys"], request["vals"]
    if request["kind"] not in ("push", "pull"):
        raise ValueError("unknown kind")
    if (keys < 0).any():
        raise ValueError("negative key")
    if request["kind"] == "push" and (vals.shape != (len(keys), state.dim) or not torch.isfinite(vals).all()):
        raise ValueError("bad values")


def put(state, unique, rows, place, known):
    state.rows[place[known]] = rows[known]
    keys, rows = torch.cat([state.keys, unique[~known]]), torch.cat([state.rows, rows[~known]])
    order = torch.argsort(keys)
    state.keys, state.rows = keys[order], rows[order]


def server_handle(state, request):
    refuse_bad(state, request)
    unique, inverse = torch.unique(request["keys"], return_inverse=True)
    rows, place, known = look_up(state, unique)
    if request["kind"] == "pull":
        return rows[inverse]
    sums = torch.zeros(len(unique), state.dim).index_add_(0, inverse, request["vals"])
    put(state, unique, state.update(rows, sums), place, known)
