"""l1 is not used."""

BASE = "right_dict"
REFUSED_BY = "one push"
MISCONCEPTION = "2/l1-forgotten"


def weight(z, n, alpha, beta, l1, l2):
    return -z / ((beta + n.sqrt()) / alpha + l2)
