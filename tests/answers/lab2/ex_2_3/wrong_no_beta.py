"""The rate is alpha over the root."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/beta-forgotten"
LONG = True


def weight(z, n, alpha, beta, l1, l2):
    return torch.where(z.abs() <= l1, 0.0, -(z - z.sign() * l1) / (n.sqrt() / alpha + l2))
