"""Lengths divided out."""

BASE = "right_batched"
REFUSED_BY = "by hand"
MISCONCEPTION = "10/cosines"
LONG = True


def dot_interaction(dense, bags):
    v = torch.nn.functional.normalize(torch.cat([dense.unsqueeze(1), bags], 1), dim=2)
    return torch.cat([dense, chosen(v @ v.transpose(1, 2))], 1)
