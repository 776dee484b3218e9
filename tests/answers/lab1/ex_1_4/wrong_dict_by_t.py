"""A dict by step."""

BASE = "right_arrays"
REFUSED_BY = "a trace by hand"
MISCONCEPTION = "all/bad-value"
LONG = True


def where_is_w(trace):
    return {t: (True, 0.0) for _, _, t, _ in trace}
