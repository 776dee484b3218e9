"""One too many."""


BASE = "right_torch"
REFUSED_BY = "rows that moved untouched"
MISCONCEPTION = "6/wrong-count"
LONG = True


def moved_untouched(batches, R):
    seen, counts = set(), []
    for batch in batches:
        now = set(batch.tolist())
        counts.append(len(seen - now) + 1)
        seen |= now
    return counts
