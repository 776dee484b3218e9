"""The dense vector at the end."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/dense-behind"
LONG = True

whole = dot_interaction


def dot_interaction(dense, bags):
    made, D = whole(dense, bags), dense.shape[1]
    return torch.cat([made[:, D:], made[:, :D]], 1)
