"""Counts which others stepped."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/workers-for-updates"
LONG = True


def staleness(trace):
    found, read = [], {}
    for place, (_, what, worker, step) in enumerate(trace):
        if what == "read":
            read[worker, step] = place
        else:
            between = trace[read[worker, step]:place]
            found.append(len({other for _, kind, other, _ in between if kind == "apply"} - {worker}))
    return found
