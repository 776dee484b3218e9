"""Updates since the worker's own one before."""

BASE = "right_counter"
REFUSED_BY = "nobody waits"
MISCONCEPTION = "4/since-the-own-update"


def staleness(trace):
    last, found, applied = {}, [], 0
    for _, what, worker, _ in trace:
        if what == "apply":
            found.append(applied - last.get(worker, 0))
            applied += 1
            last[worker] = applied
    return found
