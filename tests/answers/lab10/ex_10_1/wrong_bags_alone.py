"""Pairs of bags only."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/dense-has-no-pairs"
LONG = True


def dot_interaction(dense, bags):
    return torch.cat([dense, chosen(bags @ bags.transpose(1, 2))], 1)
