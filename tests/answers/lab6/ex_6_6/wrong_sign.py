"""Expected minus mean."""

import torch

BASE = "right_short"
REFUSED_BY = "how far from it"
MISCONCEPTION = "6/sign-turned"
LONG = True


def sigmas(counts, expected):
    counts = torch.as_tensor(counts, dtype=torch.float64)
    return float((expected - counts.mean()) / (counts.std() / len(counts) ** 0.5))
