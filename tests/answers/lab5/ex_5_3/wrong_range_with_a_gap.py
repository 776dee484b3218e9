"""Leaves out the piece behind the push."""

BASE = "right_get"
REFUSED_BY = "ranges against a clock for each key"
MISCONCEPTION = "5/ranges-do-not-meet"
LONG = True


def push_range(ranges, lo, hi, worker, clock):
    after = []
    for first, end, held in ranges:
        pieces = [(first, min(end, lo), held), (max(first, lo), min(end, hi), merge(held, {worker: clock}))]
        after += [piece for piece in pieces if piece[0] < piece[1]]
    return after
