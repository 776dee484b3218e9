"""Rows one way."""

BASE = "right_two_halves"
REFUSED_BY = "bytes by formula"
MISCONCEPTION = "10/one-way-only"
LONG = True


def right(spec):
    K, S, P, R, D, u = (spec[name] for name in ("K", "S", "P", "R", "D", "u"))
    ring = 2 * (K - 1) / K * 4
    return {"all-reduce": ring * (P + R * D), "server": max(K / S, 1) * (4 * P + u * (4 * D + 16)),
            "hybrid": ring * P + u * (K - 1) / K * (8 + 8 * D)}


def port_bytes(s):
    far = (s["K"] - 1) / s["K"]
    return {**right(s), "hybrid": 8 * far * s["P"] + s["u"] * far * (8 + 4 * s["D"])}
