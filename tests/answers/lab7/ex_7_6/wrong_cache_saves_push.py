"""Hits are not pushed."""

REFUSED_BY = "bytes of both"
MISCONCEPTION = "7/cache-saves-the-push"


def replicate_wins(spec):
    K, R, D, T, u = (spec[name] for name in ("workers", "rows", "dim", "steps", "touched"))
    row = {"fp32": 4 * D, "int8": D + 8, "int4": D // 2 + 4}[spec["format"]]
    U, changed = T // spec["update_every"], 8 + 4 * D
    pushed = u * (spec["lookups"] - spec["hits"]) // spec["lookups"]
    sharded = (K - 1) * (T * (spec["lookups"] - spec["hits"]) * (8 + row) + U * pushed * changed)
    replicated = (K - 1) * (R * row + U * K * u * changed)
    fits = R * (row + 4 * D * spec["slots"]) <= spec["memory_bytes"]
    return fits and replicated < sharded, sharded, replicated
