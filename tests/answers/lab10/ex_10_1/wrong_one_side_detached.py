"""One side of each product is a constant."""

BASE = "right_batched"
REFUSED_BY = "gradients"
MISCONCEPTION = "10/wrong-gradient"


def dot_interaction(dense, bags):
    v = torch.cat([dense.unsqueeze(1), bags], 1)
    return torch.cat([dense, chosen(v @ v.detach().transpose(1, 2))], 1)
