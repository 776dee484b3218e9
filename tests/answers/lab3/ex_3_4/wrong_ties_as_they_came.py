"""Counter.most_common: of two equal ones the one that came first."""

from collections import Counter

BASE = "right_in_turn"
REFUSED_BY = "the most read keys"
MISCONCEPTION = "3/ties-by-chance"
LONG = True


def hottest(reads, h):
    return [key for key, _ in Counter(reads.tolist()).most_common(h)]
