"""Takes off one, and not below 0."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/first-not-counted"
LONG = True


def staleness(trace):
    applied, noted, found = 0, {}, []
    for _, what, worker, step in trace:
        if what == "read":
            noted[worker, step] = applied
        else:
            found.append(max(applied - noted[worker, step] - 1, 0))
            applied += 1
    return found
