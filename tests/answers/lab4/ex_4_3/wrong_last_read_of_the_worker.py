"""The worker's last read, of whatever step."""

BASE = "right_counter"
REFUSED_BY = "rests, reads ahead, bounds"
MISCONCEPTION = "4/staleness-miscounted"
LONG = True


def staleness(trace):
    applied, noted, found = 0, {}, []
    for _, what, worker, _ in trace:
        if what == "read":
            noted[worker] = applied
        else:
            found.append(applied - noted[worker])
            applied += 1
    return found
