"""Counts look-ups."""


BASE = "right_short"
REFUSED_BY = "rows of each batch"
MISCONCEPTION = "6/look-ups-counted"


def touched(stream, B):
    return [B] * (len(stream) // B)
