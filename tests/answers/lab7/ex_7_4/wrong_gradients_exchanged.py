"""Quotients' first."""

BASE = "right_numpy"
REFUSED_BY = "gradients of both"
MISCONCEPTION = "7/gradients-exchanged"
LONG = True

forwards = qr_backward


def qr_backward(ids, grad, remainders, quotients):
    return forwards(ids, grad, remainders, quotients)[::-1]
