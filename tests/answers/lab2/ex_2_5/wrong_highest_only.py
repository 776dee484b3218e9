"""What is not above the highest number is old."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "2/highest-number-only"


def is_new(seen, sender, incarnation, number):
    new = number > seen.get((sender, incarnation), -1)
    if new:
        seen[sender, incarnation] = number
    return new
