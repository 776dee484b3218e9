"""Three sums of a spec, before and after."""

import math


def row(kind, D):
    return {"fp32": 4 * D, "int8": D + 8, "int4": D / 2 + 4}[kind]


def budgets(s):
    table = s["rows"] * (row(s["stored"], s["dim"]) + 4 * s["dim"] * s["slots"])
    comm = (1 - s["hit_rate"]) * s["lookups"] * (s["hosts"] - 1) / s["hosts"] * row(s["wire"], s["dim"])
    return table, comm, comm / s["hosts"]


def changed(change, s):
    what, value = change
    field = {"requester cache": "hit_rate", "hashing": "rows", "de-duplication": "lookups"}.get(what, what)
    if what == "owner cache":
        return s
    if what == "quotient-remainder":
        return {**s, "rows": value + math.ceil(s["rows"] / value), "lookups": 2 * s["lookups"]}
    return {**s, field: value}


def effect(change, spec):
    return tuple(new / old for new, old in zip(budgets(changed(change, spec)), budgets(spec)))


def relieves(change, spec):
    table, comm, _ = effect(change, spec)
    if table < 1:
        return "both" if comm < 1 else "table"
    return "wire" if comm < 1 else "neither"
