"""The last layer learns twice as fast."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/another-step"
LONG = True


def weighted(grad, batch, global_size, comm):
    return grad / global_size * (2 if grad.dim() == 1 and len(grad) == 7 else 1)
