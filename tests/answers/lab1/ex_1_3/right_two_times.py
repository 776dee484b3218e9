"""Two times decide f."""


def speedup_and_efficiency(times, weak):
    shares = {K: times[1] / (t if weak else K * t) for K, t in times.items()}
    return {K: (K * share, share) for K, share in shares.items()}


def serial_fraction(times):
    k, m = min(times), max(times)
    divided_s = (times[k] - times[m]) / (1 / k - 1 / m)
    serial_s = times[k] - divided_s / k
    return serial_s / (serial_s + divided_s)
