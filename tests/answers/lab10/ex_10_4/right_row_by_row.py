"""Costs of each row, compared; hottest first."""

LONG = True


def hot_or_tail(freqs, K, n):
    hot = []
    for row in sorted(range(len(freqs)), key=lambda row: -float(freqs[row])):
        p = 1 - (1 - float(freqs[row])) ** n
        if 2 * K * p <= 2 * (K - 1):
            break
        hot.append(row)
    return hot
