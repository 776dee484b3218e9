"""Each vector with the one before it and so on round."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/wrong-products"
LONG = True


def chosen(gram):
    n = gram.shape[1]
    i, j = torch.tril_indices(n, n, -1)
    return gram[:, i, (j + 1) % n]
