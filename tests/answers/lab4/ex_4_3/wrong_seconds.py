"""Seconds between read and application."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/staleness-in-seconds"


def staleness(trace):
    applied, noted, found = 0, {}, []
    for when, what, worker, step in trace:
        if what == "read":
            noted[worker, step] = when
        else:
            found.append(when - noted[worker, step])
            applied += 1
    return found
