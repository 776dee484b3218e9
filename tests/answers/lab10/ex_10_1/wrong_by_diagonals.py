"""Diagonal by diagonal."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/another-order"
LONG = True


def chosen(gram):
    return torch.cat([torch.diagonal(gram, offset, 1, 2) for offset in range(1, gram.shape[1])], 1)
