"""Every old with every new range."""


def movement_plan(old, new):
    plan = []
    for s in range(len(old) - 1):
        for t in range(len(new) - 1):
            first, end = max(old[s], new[t]), min(old[s + 1], new[t + 1])
            if s != t and first < end:
                plan.append((s, t, first, end))
    return plan
