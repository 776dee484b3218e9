"""Worker by worker."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/by-worker"
LONG = True


def staleness(trace):
    applied, noted, found = 0, {}, {}
    for _, what, worker, step in trace:
        if what == "read":
            noted[worker, step] = applied
        else:
            found.setdefault(worker, []).append(applied - noted[worker, step])
            applied += 1
    return [value for worker in sorted(found) for value in found[worker]]
