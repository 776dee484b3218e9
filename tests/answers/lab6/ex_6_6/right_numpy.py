"""In NumPy, with the spread of a population."""

import numpy as np

LONG = True


def touched(stream, B):
    stream = stream.numpy()
    return np.array([np.unique(part).size for part in stream[:len(stream) // B * B].reshape(-1, B)])


def expected_touched(p, B):
    return len(p) - np.power(1 - p.numpy(), B).sum()


def sigmas(counts, expected):
    counts = np.asarray(counts, float)
    return (counts.mean() - expected) / (counts.std() / np.sqrt(counts.size))
