"""dict.get with 0 for who is absent."""


def merge(a, b):
    return {worker: max(a.get(worker, 0), b.get(worker, 0)) for worker in set(a) | set(b)}


def holds(a, b):
    return all(a.get(worker, 0) >= clock for worker, clock in b.items())


def concurrent(a, b):
    return not holds(a, b) and not holds(b, a)


def push_range(ranges, lo, hi, worker, clock):
    after = []
    for first, end, held in ranges:
        inside = max(first, lo), min(end, hi)
        if inside[0] >= inside[1]:
            after.append((first, end, held))
            continue
        if first < lo:
            after.append((first, lo, held))
        after.append((*inside, merge(held, {worker: clock})))
        if hi < end:
            after.append((hi, end, held))
    return after
