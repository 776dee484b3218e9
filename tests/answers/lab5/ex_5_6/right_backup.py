"""Two runs say whether the straggler stays; then backwards from the best."""

LONG = True


def choose_s(simulate, largest):
    times = {0: simulate(0)["to_target_ms"], 4: simulate(4)["to_target_ms"]}
    if times[4] > 0.95 * times[0]:
        return "backup"
    for s in (8, 2, 1):
        times[s] = simulate(s)["to_target_ms"]
    best = min(times, key=times.get)
    s = best
    while s > 0:
        if s - 1 not in times:
            times[s - 1] = simulate(s - 1)["to_target_ms"]
        if times[s - 1] > 1.1 * times[best]:
            break
        s -= 1
    return s
