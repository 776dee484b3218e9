"""What travels."""

BASE = "right_dicts"
REFUSED_BY = "the saving, told before"
MISCONCEPTION = "7/saving-miscounted"
LONG = True

told = rows_saved


def rows_saved(batches):
    saved, reads = told(batches)
    return reads - saved, reads
