"""l2 is not used."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/l2-forgotten"
LONG = True


def weight(z, n, alpha, beta, l1, l2):
    return torch.where(z.abs() <= l1, 0.0, -(z - z.sign() * l1) / ((beta + n.sqrt()) / alpha))
