"""10.3 and 10.5: training as it must come out, in one process, and as it comes out with a slip.

    simulated(trial)                                losses of each worker, step by step; parameters at the end
    simulated(trial, "10/rows-averaged-twice")      the same with that slip, to tell a student which one it was

K workers' gradients are computed one after the other on whole parameters; the right combination of them is one step of
one process on the global batch, which tests hold against torch's own optimizer. The interaction is pslab.models'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pslab.models import dot_interaction

LR = 0.2


@dataclass
class Trial:
    """batches[t][r]: (features, ids, labels) of worker r in step t, as tensors."""

    label: str
    K: int
    R: int
    D: int
    sizes: dict
    dense: list
    table: torch.Tensor
    batches: list
    lr: float = LR
    layer_s: float = 0.0

    def global_size(self, t: int) -> int:
        return sum(len(labels) for _, _, labels in self.batches[t])

    @property
    def numbers(self) -> int:
        """P: of the dense part."""
        return sum(map(len, self.dense))

    def ranks(self, steps: int | None = None) -> list[tuple]:
        """Arguments of lab10_net's programs, by rank."""
        spec = {"sizes": self.sizes, "layer_s": self.layer_s}
        made = []
        for rank in range(self.K):
            given = [(dict(zip(("features", "ids", "labels"), step[rank])), max(1, self.global_size(t)))
                     for t, step in enumerate(self.batches[:steps])]
            made.append((spec, self.dense, self.table[rank::self.K].contiguous(), given, self.lr))
        return made

    def unique(self, rank: int, owner: int, t: int, each: bool = False) -> int:
        ids = self.batches[t][rank][1].reshape(-1).numpy()
        own = ids[ids % self.K == owner]
        return len(own) if each else len(np.unique(own))


def make(rng, label: str, K: int, sizes_of, steps: int, F: int = 3, D: int = 4, R: int = 40, features: int = 3,
         hidden: int = 6) -> Trial:
    """sizes_of(t) -> rows of each worker in step t. Labels follow the ids and features, so that there is something to
    learn."""
    sizes = {"bottom": [(features, hidden), (hidden, D)], "top": [(D + F * (F + 1) // 2, hidden), (hidden, 1)]}
    seed = torch.Generator().manual_seed(int(rng.integers(2**31)))
    dense = []
    for inputs, outputs in sizes["bottom"] + sizes["top"]:
        flat = torch.randn(inputs * outputs + outputs, generator=seed) / inputs ** 0.5
        flat[inputs * outputs:] = 0.1
        dense.append(flat)
    table = torch.randn(R, D, generator=seed) * 0.5
    taste, share = rng.normal(size=R), np.arange(1, R + 1) ** -1.0
    order, batches = rng.permutation(R), []
    for t in range(steps):
        step = []
        for B in sizes_of(t):
            ids = order[rng.choice(R, size=(B, F), p=share / share.sum())]
            x = rng.normal(size=(B, features))
            clicks = rng.random(B) < 1 / (1 + np.exp(-(taste[ids].sum(1) + x[:, 0])))
            step.append((torch.from_numpy(x.astype(np.float32)), torch.from_numpy(ids.astype(np.int64)),
                         torch.from_numpy(clicks.astype(np.float32))))
        batches.append(step)
    return Trial(label, K, R, D, sizes, dense, table, batches)


def logits(sizes: dict, dense: list, rows, features):
    x, at = features, 0
    for part in ("bottom", "top"):
        if part == "top":
            x = dot_interaction(x, rows)
        for number, (inputs, outputs) in enumerate(sizes[part], start=1):
            weight, bias = dense[at][:inputs * outputs].view(inputs, outputs), dense[at][inputs * outputs:]
            x, at = torch.addmm(bias, x, weight), at + 1
            if part == "bottom" or number < len(sizes[part]):
                x = torch.relu(x)
    return x.squeeze(1)


def gradients(sizes, dense, table, batch) -> tuple[float, list, torch.Tensor]:
    """Loss sum, its gradient in each layer, and in each looked-up row (B, F, D)."""
    features, ids, labels = batch
    leaves = [flat.clone().requires_grad_() for flat in dense]
    rows = table[ids].clone().requires_grad_()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits(sizes, leaves, rows, features), labels,
                                                                reduction="sum")
    *grads, of_rows = torch.autograd.grad(loss, [*leaves, rows])
    return float(loss.detach()), grads, of_rows


SLIPS = ("10/rows-averaged-twice", "10/unequal-unweighted", "10/rows-unweighted", "10/dense-not-averaged",
         "10/dense-averaged-twice", "10/not-divided", "10/means-added", "10/stale-rows", "10/dense-one-step-late",
         "10/own-rows-alone", "10/last-gradient-wins", "10/rows-stay", "10/dense-stays", "10/uphill")


def simulated(trial: Trial, how: str = "", steps: int | None = None) -> dict:
    """{"losses": (steps, K), "dense": by rank, "table": (R, D)}."""
    K, dense = trial.K, [[flat.clone() for flat in trial.dense] for _ in range(trial.K)]
    table, before, late, losses = trial.table.clone(), trial.table.clone(), None, []
    for t, step in enumerate(trial.batches[:steps]):
        G = max(1, trial.global_size(t))
        seen = before if how == "10/stale-rows" else table
        made = [gradients(trial.sizes, dense[r], seen, batch) for r, batch in enumerate(step)]
        losses.append([loss for loss, _, _ in made])
        weights = [_weights(how, len(batch[2]), G, K) for batch in step]
        own = [[weight * grad for grad in grads] for (_, grads, _), (weight, _) in zip(made, weights)]
        total = [sum(parts) for parts in zip(*own)]
        if how == "10/dense-one-step-late":
            total, late = late or [torch.zeros_like(flat) for flat in total], total
        sign = -1.0 if how == "10/uphill" else 1.0
        for r in range(K):
            for flat, grad in zip(dense[r], own[r] if how == "10/dense-not-averaged" else total):
                if how != "10/dense-stays":
                    flat -= sign * trial.lr * grad
        before = table.clone()
        if how != "10/rows-stay":
            table -= sign * trial.lr * _row_sums(trial, step, made, weights, how)
    return {"losses": np.array(losses).reshape(-1, K), "dense": dense, "table": table}


def _weights(how: str, B: int, G: int, K: int) -> tuple[float, float]:
    """Of a worker's gradients in the dense part and in the rows."""
    mean = 1 / max(B, 1)
    return {"10/rows-averaged-twice": (1 / G, 1 / G / K), "10/unequal-unweighted": (mean / K, mean / K),
            "10/rows-unweighted": (1 / G, mean / K), "10/dense-averaged-twice": (1 / G / K, 1 / G),
            "10/not-divided": (1.0, 1.0), "10/means-added": (mean, mean)}.get(how, (1 / G, 1 / G))


def _row_sums(trial, step, made, weights, how: str) -> torch.Tensor:
    total = torch.zeros_like(trial.table)
    for r, ((_, ids, _), (_, _, grad), (_, weight)) in enumerate(zip(step, made, weights)):
        ids, grad = ids.reshape(-1), weight * grad.reshape(-1, trial.D)
        if how == "10/own-rows-alone":
            mine = ids % trial.K == r
            ids, grad = ids[mine], grad[mine]
        if how == "10/last-gradient-wins":
            last = {int(i): at for at, i in enumerate(ids)}
            ids, grad = torch.tensor(list(last), dtype=torch.int64), grad[list(last.values())]
        total.index_add_(0, ids, grad)
    return total
