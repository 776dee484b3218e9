"""Counts look-ups."""


BASE = "right_torch"
REFUSED_BY = "rows that moved untouched"
MISCONCEPTION = "6/look-ups-not-rows"
LONG = True


def moved_untouched(batches, R):
    counts, so_far = [], 0
    for batch in batches:
        counts.append(so_far - len(batch))
        so_far += len(batch)
    return counts
