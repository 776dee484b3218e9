"""l1 decides and takes nothing off."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/l1-only-a-gate"
LONG = True


def weight(z, n, alpha, beta, l1, l2):
    return torch.where(z.abs() <= l1, 0.0, -z / ((beta + n.sqrt()) / alpha + l2))
