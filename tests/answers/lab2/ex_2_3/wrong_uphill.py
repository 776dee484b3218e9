"""The weight has the sign of z."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/gradient-added"
LONG = True


def weight(z, n, alpha, beta, l1, l2):
    return torch.where(z.abs() <= l1, 0.0, (z - z.sign() * l1) / ((beta + n.sqrt()) / alpha + l2))
