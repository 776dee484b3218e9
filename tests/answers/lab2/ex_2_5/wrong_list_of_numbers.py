"""A list for each sender and life."""

BASE = "right_mark"
REFUSED_BY = "little memory"
MISCONCEPTION = "2/remembers-everything"
LONG = True


def is_new(seen, sender, incarnation, number):
    numbers = seen.setdefault((sender, incarnation), [])
    new = number not in numbers
    if new:
        numbers.append(number)
    return new
