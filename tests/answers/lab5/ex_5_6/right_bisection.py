"""Coarsely, then by bisection below the best."""


def choose_s(simulate, largest):
    times = {s: simulate(s)["to_target_ms"] for s in (0, 1, 2, 4, 8) if s <= largest}
    best = min(times, key=times.get)
    limit = 1.1 * times[best]
    low, high = -1, best
    while high - low > 1:
        s = (low + high) // 2
        if s not in times:
            times[s] = simulate(s)["to_target_ms"]
        low, high = (low, s) if times[s] <= limit else (s, high)
    return high
