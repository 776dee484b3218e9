"""NumPy's numbers in a letter's meta, which cannot travel: the error is told, and no letter that is missing."""

BASE = "right_cut"
REFUSED_BY = "within one shard"
MISCONCEPTION = "all/raised"
LONG = True


def range_pull(comm, bounds, lo, hi, dim):
    import numpy as np

    comm.post(1, "pull", {"lo": np.int64(lo), "n": np.int64(hi - lo)})
    return comm.poll().tensors[0]
