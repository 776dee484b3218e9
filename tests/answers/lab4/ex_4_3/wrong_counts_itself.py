"""Counts the update before it notes it."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/itself-counted"
LONG = True


def staleness(trace):
    applied, noted, found = 0, {}, []
    for _, what, worker, step in trace:
        if what == "read":
            noted[worker, step] = applied
        else:
            found.append(applied + 1 - noted[worker, step])
            applied += 1
    return found
