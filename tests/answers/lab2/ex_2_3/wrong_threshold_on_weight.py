"""Shrinks the weight by l1."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/threshold-on-the-weight"


def weight(z, n, alpha, beta, l1, l2):
    stepped = -z / ((beta + n.sqrt()) / alpha + l2)
    return stepped.sign() * (stepped.abs() - l1).clamp(min=0)
