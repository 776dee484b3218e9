"""How many steps the slowest one is behind."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/steps-ahead"
LONG = True


def staleness(trace):
    done, found = {worker: 0 for _, _, worker, _ in trace}, []
    for _, what, worker, step in trace:
        if what == "apply":
            found.append(abs(step - min(done.values())))
            done[worker] = step + 1
    return found
