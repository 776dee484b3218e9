"""Former lives are forgotten, and their late copies are new."""

BASE = "right_mark"
REFUSED_BY = "a worker that starts again"
MISCONCEPTION = "2/old-life-counts-again"
LONG = True


def is_new(seen, sender, incarnation, number):
    life, numbers = seen.get(sender, (0, set()))
    if incarnation < life:
        return True
    if incarnation > life:
        numbers = set()
    new = number not in numbers
    numbers.add(number)
    seen[sender] = incarnation, numbers
    return new
