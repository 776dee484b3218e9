"""Put together along the wrong dimension."""

BASE = "right_batched"
REFUSED_BY = "values"
MISCONCEPTION = "10/samples-mixed"
LONG = True


def dot_interaction(dense, bags):
    B, F, D = bags.shape
    v = torch.cat([dense.reshape(-1), bags.reshape(-1)]).view(B, F + 1, D)
    return torch.cat([dense, chosen(v @ v.transpose(1, 2))], 1)
