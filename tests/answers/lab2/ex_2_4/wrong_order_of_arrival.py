"""Puts pieces together as they come."""

BASE = "right_cut"
REFUSED_BY = "across shards"
MISCONCEPTION = "2/order-of-arrival"
LONG = True


def range_pull(comm, bounds, lo, hi, dim):
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "pull", {"lo": first, "n": n})
    return torch.cat([comm.poll().tensors[0] for _ in cut]) if cut else torch.zeros(0, dim)
