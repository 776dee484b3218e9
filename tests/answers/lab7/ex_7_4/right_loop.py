"""One id after the other."""

import numpy as np

LONG = True


def qr_shapes(R, m):
    quotients = R // m
    if quotients * m < R:
        quotients += 1
    return (m, quotients)


def qr_lookup(ids, remainders, quotients):
    rows = []
    for id in ids.tolist():
        quotient, remainder = divmod(id, len(remainders))
        rows.append([a * b for a, b in zip(remainders[remainder].tolist(), quotients[quotient].tolist())])
    return np.array(rows, np.float32).reshape(len(ids), remainders.shape[1])


def qr_backward(ids, grad, remainders, quotients):
    out = [np.zeros(remainders.shape), np.zeros(quotients.shape)]
    for id, row in zip(ids.tolist(), grad):
        quotient, remainder = divmod(id, len(remainders))
        out[0][remainder] += row * quotients[quotient]
        out[1][quotient] += row * remainders[remainder]
    return out


def qr_wire_bytes(n, D):
    return sum(4 * D for _ in ("remainder", "quotient")) * n
