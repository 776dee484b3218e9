"""The programs around the answers of 10.1 and 10.2: copied into the student's process, so no reference stands here.

    interacted    10.1: values, gradients of both arguments, how much torch was asked to do
    looked_up     10.2: K ranks with a part of the table each: rows, and what backward leaves at each owner
"""

from __future__ import annotations

import torch
from torch.overrides import TorchFunctionMode


class Operations(TorchFunctionMode):
    """Counts what torch is asked to do."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def interacted(function, comm, problems: list) -> list:
    """problems: [(dense, bags, weights or None)]. The gradient is that of the sum of weights times values."""
    done = []
    for dense, bags, weights in problems:
        leaves = [dense.clone().requires_grad_(), bags.clone().requires_grad_()]
        given, operations = [leaf.view_as(leaf) for leaf in leaves], Operations()
        with operations:
            value = function(*given)
        told = {"value": plain(value), "operations": operations.count, "grads": "",
                "changed": not (torch.equal(leaves[0], dense) and torch.equal(leaves[1], bags))}
        if weights is not None and isinstance(value, torch.Tensor) and value.shape == weights.shape:
            if value.requires_grad:
                (value * weights).sum().backward()
            told["grads"] = [plain(leaf.grad) for leaf in leaves]
        done.append(told)
    return done


def plain(value):
    if isinstance(value, torch.Tensor):
        value = value.detach()
        return value.to_dense() if value.is_sparse else value.contiguous()
    return f"{type(value).__name__} {value!r}"[:120]


def looked_up(sharded_lookup, comm, table, batches: list, weights: list, at_once: bool) -> dict:
    """Rows of each batch; with weights, one for each batch, the gradient of their sum of products in the own part.

    at_once: all look-ups come first, on one table, then one backward for all of them.
    """
    rows, grads, leaf, losses = [], [], None, []
    for place, ids in enumerate(batches):
        if leaf is None or not at_once:
            leaf = table.clone().requires_grad_()
        given = ids.clone()
        found = sharded_lookup(comm, leaf, given)
        rows.append(plain(found))
        if not torch.equal(given, ids) or not torch.equal(leaf.detach(), table):
            return {"rows": rows, "grads": grads, "changed": True}
        if weights:
            if not isinstance(found, torch.Tensor) or not found.requires_grad or found.shape != weights[place].shape:
                grads.append("rows that carry no gradient")
                continue
            losses.append((found * weights[place]).sum())
            if not at_once:
                losses.pop().backward()
                grads.append(plain(leaf.grad))
    if losses:
        sum(losses).backward()
        grads.append(plain(leaf.grad))
    return {"rows": rows, "grads": grads, "changed": False}
