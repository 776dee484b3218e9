"""A whole number with a bit for each push."""

BASE = "right_mark"
REFUSED_BY = "little memory"
MISCONCEPTION = "2/remembers-everything"
LONG = True


def is_new(seen, sender, incarnation, number):
    bits = seen.get((sender, incarnation), 0)
    seen[sender, incarnation] = bits | 1 << number
    return not bits >> number & 1
