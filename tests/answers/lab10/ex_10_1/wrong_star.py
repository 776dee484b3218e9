"""Each bag with the dense vector."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/only-pairs-with-dense"
LONG = True


def dot_interaction(dense, bags):
    return torch.cat([dense, (bags @ dense.unsqueeze(2)).squeeze(2)], 1)
