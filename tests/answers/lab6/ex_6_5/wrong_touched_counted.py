"""Counts the rows of the batch as well."""


BASE = "right_torch"
REFUSED_BY = "rows that moved untouched"
MISCONCEPTION = "6/touched-rows-counted"
LONG = True


def moved_untouched(batches, R):
    seen, counts = set(), []
    for batch in batches:
        now = set(batch.tolist())
        counts.append(len(seen | now))
        seen |= now
    return counts
