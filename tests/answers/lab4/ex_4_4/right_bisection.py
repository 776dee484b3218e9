"""Halves an interval by running descent."""

LONG = True


def rests(rate, tau, steps=3_000):
    w = [1.0] * (tau + 1)
    for _ in range(steps):
        w.append(w[-1] - rate * w[-1 - tau])
        if abs(w[-1]) > 1e9:
            return False
    part = steps // 3
    last, before = (max(map(abs, w[-(k + 1) * part:len(w) - k * part])) for k in (0, 1))
    return last < before or last < 1e-12


def stable_rate(tau, curvature):
    low, high = 0.01, 2.5
    while high - low > 0.002 * low:
        middle = (low + high) / 2
        low, high = (middle, high) if rests(middle, tau) else (low, middle)
    return (low + high) / 2 / curvature
