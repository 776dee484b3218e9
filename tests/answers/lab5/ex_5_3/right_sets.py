"""A clock as the set of updates that it stands for; ranges cut at all ends, and equal neighbours joined."""

LONG = True


def updates(clock):
    return {(worker, number) for worker, last in clock.items() for number in range(1, last + 1)}


def as_clock(held):
    clock = {}
    for worker, number in held:
        clock[worker] = max(clock.get(worker, 0), number)
    return clock


def merge(a, b):
    return as_clock(updates(a) | updates(b))


def holds(a, b):
    return updates(b) <= updates(a)


def concurrent(a, b):
    return bool(updates(a) - updates(b)) and bool(updates(b) - updates(a))


def push_range(ranges, lo, hi, worker, clock):
    at = sorted({lo, hi, *(first for first, _, _ in ranges), *(end for _, end, _ in ranges)})
    joined = []
    for first, end in zip(at, at[1:]):
        held = next(held for start, stop, held in ranges if start <= first < stop)
        if lo <= first < hi:
            held = merge(held, {worker: clock})
        if joined and joined[-1][2] == held:
            joined[-1] = (joined[-1][0], end, held)
        else:
            joined.append((first, end, held))
    return joined
