"""A gradient of zero moves nothing."""


BASE = "right_torch"
REFUSED_BY = "rows that moved untouched"
MISCONCEPTION = "6/nothing-moves"
LONG = True


def moved_untouched(batches, R):
    seen, counts = set(), []
    for batch in batches:
        now = set(batch.tolist())
        counts.append(0)
        seen |= now
    return counts
