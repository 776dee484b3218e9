"""Losses as sums over rows, so that parts of a batch add up to the whole."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def logistic(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum of -ln p(label), p = sigmoid(logit), in nats; logits and labels (B,)."""
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="sum")


def squared(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum of (logit - label)² / 2: its gradient is the difference itself, which integers keep exact."""
    return (logits - labels).square().sum() / 2


def linear(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum of -logit · (2 label - 1): gradients of ±1, for tests where every sum must be exact."""
    return -(logits * (2 * labels - 1)).sum()


LOSSES = {"linear": linear, "logistic": logistic, "squared": squared}
