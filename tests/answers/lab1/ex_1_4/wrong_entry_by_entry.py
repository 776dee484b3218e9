"""A pair for each entry."""

BASE = "right_arrays"
REFUSED_BY = "a trace by hand"
MISCONCEPTION = "1/order-is-not-t"
LONG = True


def where_is_w(trace):
    return [(True, 0.0) for _ in trace]
