"""Returns a dict."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "all/bad-value"
LONG = True


def staleness(trace):
    applied, noted, found = 0, {}, {}
    for _, what, worker, step in trace:
        if what == "read":
            noted[worker, step] = applied
        else:
            found[worker, step] = applied - noted[worker, step]
            applied += 1
    return found
