"""Only rows of the batch before."""


BASE = "right_torch"
REFUSED_BY = "rows that moved untouched"
MISCONCEPTION = "6/one-step-back"
LONG = True


def moved_untouched(batches, R):
    seen, counts = set(), []
    for batch in batches:
        now = set(batch.tolist())
        counts.append(len(seen - now))
        seen = now
    return counts
