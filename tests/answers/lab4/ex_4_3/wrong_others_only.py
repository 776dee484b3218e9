"""Counts updates of others."""

BASE = "right_counter"
REFUSED_BY = "rests, reads ahead, bounds"
MISCONCEPTION = "4/own-update-left-out"


def staleness(trace):
    found, read = [], {}
    for place, (_, what, worker, step) in enumerate(trace):
        if what == "read":
            read[worker, step] = place
        else:
            between = trace[read[worker, step]:place]
            found.append(sum(kind == "apply" and other != worker for _, kind, other, _ in between))
    return found
