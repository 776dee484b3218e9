"""The hottest per cent."""


REFUSED_BY = "the rule"
MISCONCEPTION = "10/per-cent-of-rows"
LONG = True


def hot_or_tail(freqs, K, n):
    return freqs.argsort(descending=True, stable=True)[:max(1, len(freqs) // 100)]
