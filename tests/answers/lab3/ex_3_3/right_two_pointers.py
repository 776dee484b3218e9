"""Two fingers walk along the edges; entries as an array."""

import numpy as np

LONG = True


def movement_plan(old, new):
    plan, s, t, row = [], 0, 0, 0
    while row < old[-1]:
        while old[s + 1] <= row:
            s += 1
        while new[t + 1] <= row:
            t += 1
        end = min(old[s + 1], new[t + 1])
        if s != t:
            plan.append(np.array([s, t, row, end]))
        row = end
    return plan[::-1]
