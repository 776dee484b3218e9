"""exp(-B·p)."""

import torch

BASE = "right_short"
REFUSED_BY = "the expectation"
MISCONCEPTION = "6/poisson"
LONG = True


def expected_touched(p, B):
    return float((1 - torch.exp(-B * p)).sum())
