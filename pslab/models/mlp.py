"""A small network with hidden layers, its weights as rows of tables: one table a layer, one row a unit.

    layer 0   (32, 65)      row j: [ bias | 64 weights ] of hidden unit j          pixels ─> 32 ─ ReLU ─┐
    layer 1   (10, 33)      row j: [ bias | 32 weights ] of class j                                     └─> 10 scores

    loss      −ln softmax(scores)[label], summed over the examples; the gradient is of the sum times `scale`
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def layer_shapes(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """(rows, width) of every layer's table: sizes 64, 32, 10 give (32, 65), (10, 33)."""
    sizes = list(sizes)
    if len(sizes) < 2 or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sizes):
        raise ValueError(f"sizes={sizes}; two or more whole numbers from 1 are needed: inputs, hidden units, outputs")
    return [(out, 1 + size) for size, out in zip(sizes, sizes[1:])]


def first_layers(sizes: Sequence[int], seed: int = 0) -> list[np.ndarray]:
    """First values: biases 0, weights normal with deviation √(2 / inputs) (He et al. 2015); float32."""
    rng, layers = np.random.default_rng([seed, 2015]), []
    for rows, width in layer_shapes(sizes):
        layer = rng.normal(0, np.sqrt(2 / (width - 1)), (rows, width)).astype(np.float32)
        layer[:, 0] = 0
        layers.append(layer)
    return layers


def mlp_scores(layers: Sequence[np.ndarray], inputs: np.ndarray) -> np.ndarray:
    """Scores (n, classes) for inputs (n, features)."""
    return _forward(layers, inputs)[-1]


def mlp_step(layers: Sequence[np.ndarray], inputs: np.ndarray, labels: np.ndarray,
             scale: float = 1.0) -> tuple[float, list[np.ndarray]]:
    """(sum of the losses in nats, one gradient a layer, of its shape, float32).

    The gradients are those of the sum times `scale`: 1 / B for a worker's part of a batch of B.
    """
    outputs = _forward(layers, inputs)
    scores = outputs[-1].astype(np.float64)
    scores -= scores.max(1, keepdims=True)
    logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    loss = -float(logs[np.arange(len(labels)), labels].sum())
    back = np.exp(logs)
    back[np.arange(len(labels)), labels] -= 1
    back, grads = (back * scale).astype(np.float32), []
    for layer, below in zip(reversed(layers), reversed([inputs, *outputs[:-1]])):
        grads.append(np.concatenate([back.sum(0)[:, None], back.T @ below], axis=1))
        if len(grads) < len(layers):
            back = (back @ layer[:, 1:]) * (below > 0)          # through the ReLU of the layer below
    return loss, grads[::-1]


def _forward(layers: Sequence[np.ndarray], inputs: np.ndarray) -> list[np.ndarray]:
    """What each layer gives: ReLU after all but the last."""
    outputs, x = [], inputs
    for number, layer in enumerate(layers, start=1):
        x = x @ layer[:, 1:].T + layer[:, 0]
        if number < len(layers):
            x = np.maximum(x, 0)
        outputs.append(x)
    return outputs
