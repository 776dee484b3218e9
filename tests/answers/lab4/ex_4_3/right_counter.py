"""One counter of applied updates."""


def staleness(trace):
    applied, noted, found = 0, {}, []
    for _, what, worker, step in trace:
        if what == "read":
            noted[worker, step] = applied
        else:
            found.append(applied - noted[worker, step])
            applied += 1
    return found


def mean_staleness(trace):
    by_worker = {}
    updates = [entry for entry in trace if entry[1] == "apply"]
    for (_, _, worker, _), value in zip(updates, staleness(trace)):
        by_worker.setdefault(worker, []).append(value)
    return {worker: sum(values) / len(values) for worker, values in by_worker.items()}
