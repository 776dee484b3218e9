"""Lets the kit cut."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "all/forbidden"
LONG = True


def pieces(bounds, lo, hi):
    from pslab.ps.partition import RangePartition
    return RangePartition()
