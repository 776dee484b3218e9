"""As attention has it."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/scaled"
LONG = True

whole = dot_interaction


def dot_interaction(dense, bags):
    made, D = whole(dense, bags), dense.shape[1]
    return torch.cat([dense, made[:, D:] / D ** 0.5], 1)
