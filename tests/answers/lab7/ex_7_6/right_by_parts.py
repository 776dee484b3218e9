"""A table of parts, added up."""

from math import prod

LONG = True


def replicate_wins(s):
    code = {"fp32": (32, 0), "int8": (8, 8), "int4": (4, 4)}[s["format"]]
    row = s["dim"] * code[0] // 8 + code[1]
    U, K = s["steps"] // s["update_every"], s["workers"]
    parts = {
        "ask": (s["steps"], s["lookups"] - s["hits"], 8, K - 1),
        "reply": (s["steps"], s["lookups"] - s["hits"], row, K - 1),
        "push": (U, s["touched"], 8 + 4 * s["dim"], K - 1),
        "copies": (s["rows"], row, K - 1),
        "exchange": (U, s["touched"], 8 + 4 * s["dim"], K * (K - 1)),
    }
    total = {name: prod(part) for name, part in parts.items()}
    sharded = total["ask"] + total["reply"] + total["push"]
    replicated = total["copies"] + total["exchange"]
    room = s["memory_bytes"] - s["rows"] * row - 4 * s["rows"] * s["dim"] * s["slots"]
    return [bool(room >= 0 and sharded > replicated), sharded, replicated]
