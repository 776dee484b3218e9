"""Numbers of eight bytes."""

BASE = "right_two_halves"
REFUSED_BY = "bytes by formula"
MISCONCEPTION = "10/miscounted"
LONG = True


def right(spec):
    K, S, P, R, D, u = (spec[name] for name in ("K", "S", "P", "R", "D", "u"))
    ring = 2 * (K - 1) / K * 4
    return {"all-reduce": ring * (P + R * D), "server": max(K / S, 1) * (4 * P + u * (4 * D + 16)),
            "hybrid": ring * P + u * (K - 1) / K * (8 + 8 * D)}


def port_bytes(s):
    return {name: 2 * value for name, value in right(s).items()}
