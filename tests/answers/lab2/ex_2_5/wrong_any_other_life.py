"""Another incarnation, of whatever number, begins anew."""

BASE = "right_mark"
REFUSED_BY = "a worker that starts again"
MISCONCEPTION = "2/any-other-life-is-new"
LONG = True


def is_new(seen, sender, incarnation, number):
    life, numbers = seen.get(sender, (incarnation, set()))
    if life != incarnation:
        numbers = set()
    new = number not in numbers
    numbers.add(number)
    seen[sender] = incarnation, numbers
    return new
