"""Takes only the number that is next."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "2/push-lost"
LONG = True


def is_new(seen, sender, incarnation, number):
    new = seen.get((sender, incarnation), 0) == number
    if new:
        seen[sender, incarnation] = number + 1
    return new
