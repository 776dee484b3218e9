"""How good a click model is: AUC, log loss, normalised entropy, calibration. Pure NumPy.

Four rows, and the pairs of a click with a non-click that the scores put in the right order; a tie counts half:

    scores   0.9  0.8  0.8  0.3
    labels   1    1    0    0         AUC = (1 + 1 + ½ + 1) / 4 = 0.875
"""

import numpy as np


def auc(labels, scores) -> float:
    """The area under the ROC curve; labels (n,) of 0 and 1, scores (n,) of any monotone scale, logits as well.

    By ranks (Mann–Whitney): sum the ranks of the clicks, ties sharing their middle rank; subtract the smallest sum
    possible; divide by the number of pairs. Raises ValueError unless there are labels of both kinds.
    """
    labels, scores = _pair(labels, scores, "scores")
    clicks = int(labels.sum())
    if clicks in (0, len(labels)):
        raise ValueError(f"labels must hold clicks and non-clicks, got {clicks} clicks in {len(labels)} rows")
    _, which, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle_ranks = np.cumsum(counts) - (counts - 1) / 2  # ranks from 1
    rank_sum = middle_ranks[which.reshape(-1)][labels == 1].sum()
    return float((rank_sum - clicks * (clicks + 1) / 2) / (clicks * (len(labels) - clicks)))


def log_loss(labels, logits) -> float:
    """Mean of −ln p(label) in nats, where p(1) = sigmoid(logit); logits (n,), not probabilities.

    −ln p = max(z, 0) − z·y + ln(1 + e^−|z|): no logit overflows, however large.
    """
    labels, z = _pair(labels, logits, "logits")
    return float(np.mean(np.maximum(z, 0) - z * labels + np.log1p(np.exp(-np.abs(z)))))


def normalised_entropy(labels, logits) -> float:
    """Log loss divided by the entropy of the click rate: 1 for a model that always answers the rate, 0 at best.

    After He et al. 2014, "Practical lessons from predicting clicks on ads at Facebook", section 3. Raises ValueError
    unless there are labels of both kinds.
    """
    labels, z = _pair(labels, logits, "logits")
    rate = labels.mean()
    if rate in (0.0, 1.0):
        raise ValueError(f"labels must hold clicks and non-clicks, got a click rate of {rate:g} in {len(labels)} rows")
    return log_loss(labels, z) / float(-(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)))


def calibration(labels, logits) -> float:
    """Σ sigmoid(logit) / clicks: above 1 for a model that promises more clicks than came, 1 at best (He et al. 2014,
    section 3). A model may be well calibrated and rank badly, or the other way round: read it beside the AUC.

    Raises ValueError where no row was clicked.
    """
    labels, z = _pair(labels, logits, "logits")
    clicks = labels.sum()
    if not clicks:
        raise ValueError(f"labels must hold clicks, got none in {len(labels)} rows")
    small = np.exp(-np.abs(z))                       # no logit overflows
    return float(np.where(z >= 0, 1 / (1 + small), small / (1 + small)).sum() / clicks)


def click_metrics(labels, logits) -> dict[str, float]:
    """{"log_loss", "auc", "normalised_entropy", "calibration"} of one set of rows."""
    return {"log_loss": log_loss(labels, logits), "auc": auc(labels, logits),
            "normalised_entropy": normalised_entropy(labels, logits), "calibration": calibration(labels, logits)}


def _pair(labels, scores, name: str) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if labels.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(f"labels and {name} must be of one length, got shapes {labels.shape} and {scores.shape}")
    if len(labels) == 0:
        raise ValueError("labels is empty: nothing to judge")
    if not np.isin(labels, (0.0, 1.0)).all():
        odd = labels[~np.isin(labels, (0.0, 1.0))][0]
        raise ValueError(f"labels must be 0 or 1, got {odd:g}")
    if not np.isfinite(scores).all():
        where = int((~np.isfinite(scores)).argmax())
        raise ValueError(f"{name} must be finite, got {scores[where]} at position {where}")
    return labels, scores
