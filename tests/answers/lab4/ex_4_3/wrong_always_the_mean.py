"""K - 1 for every update."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/always-k-minus-1"
LONG = True


def staleness(trace):
    K = len({worker for _, _, worker, _ in trace})
    return [K - 1 for _, what, _, _ in trace if what == "apply"]
