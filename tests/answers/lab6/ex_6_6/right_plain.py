"""Plain Python."""

LONG = True


def touched(stream, B):
    ids, counts = stream.tolist(), []
    while len(ids) >= B:
        counts.append(len(set(ids[:B])))
        ids = ids[B:]
    return counts


def expected_touched(p, B):
    return sum(1 - (1 - one) ** B for one in p.tolist())


def sigmas(counts, expected):
    n, counts = len(counts), [float(c) for c in counts]
    mean = sum(counts) / n
    variance = sum((c - mean) ** 2 for c in counts) / (n - 1)
    return (mean - expected) / (variance / n) ** 0.5
