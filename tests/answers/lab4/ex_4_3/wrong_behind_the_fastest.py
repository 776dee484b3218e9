"""How many steps the fastest one is ahead."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/steps-behind"
LONG = True


def staleness(trace):
    done, found = {worker: 0 for _, _, worker, _ in trace}, []
    for _, what, worker, step in trace:
        if what == "apply":
            found.append(abs(max(done.values()) - step))
            done[worker] = step + 1
    return found
