"""The largest distance of all steps."""

BASE = "right_arrays"
REFUSED_BY = "a trace by hand"
MISCONCEPTION = "all/bad-value"
LONG = True


def where_is_w(trace):
    return max(max(w) for *_, w in trace)
