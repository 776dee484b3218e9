"""Ids weigh nothing."""

REFUSED_BY = "bytes of both"
MISCONCEPTION = "7/ids-weigh-nothing"
LONG = True


def replicate_wins(spec):
    K, R, D, T, u = (spec[name] for name in ("workers", "rows", "dim", "steps", "touched"))
    row = {"fp32": 4 * D, "int8": D + 8, "int4": D // 2 + 4}[spec["format"]]
    U, changed = T // spec["update_every"], 8 + 4 * D
    sharded = (K - 1) * (T * (spec["lookups"] - spec["hits"]) * row + U * u * (changed - 8))
    changed -= 8
    replicated = (K - 1) * (R * row + U * K * u * changed)
    fits = R * (row + 4 * D * spec["slots"]) <= spec["memory_bytes"]
    return fits and replicated < sharded, sharded, replicated
