"""The last four numbers, whatever the window."""

BASE = "right_mark"
REFUSED_BY = "little memory"
MISCONCEPTION = "2/push-lost"
LONG = True


def is_new(seen, sender, incarnation, number):
    highest, last = seen.get((sender, incarnation), (-1, ()))
    new = number > highest or (number > highest - 4 and number not in last)
    if new:
        highest = max(highest, number)
        last = tuple(n for n in (*last, number) if n > highest - 4)
    seen[sender, incarnation] = highest, last
    return new
