"""The model and the programs around the answers of 10.3 and 10.5: copied into the student's process, so no reference
stands here.

    Net      a small DLRM: forward(dense, rows, batch) -> loss sum; backward() yields gradients as they are computed
    Timed    the same face with gradients of given sizes and seconds, for the clock
    stepped  10.3: some steps of one rank        trained  10.5: the whole training of one rank

    backward:   top, last layer first ──> rows (B, F, D) ──> bottom, last layer first
"""

from __future__ import annotations

import torch


class Net:
    """sizes: {"bottom": [(inputs, outputs), …], "top": [...]}; layer i is the flat tensor dense[i]: weights, then bias.

    Gradients are those of the *sum* of this worker's losses. Each layer takes layer_s seconds of computing backward,
    half of that forward.
    """

    def __init__(self, comm, sizes: dict, layer_s: float = 0.0):
        self.comm, self.layer_s = comm, layer_s
        self.bottom, self.top = [tuple(s) for s in sizes["bottom"]], [tuple(s) for s in sizes["top"]]

    def forward(self, dense, rows, batch) -> float:
        self.comm.compute(self.layer_s * len(dense) / 2)
        self.leaves = [flat.detach().clone().requires_grad_() for flat in dense]
        self.rows = rows.detach().clone().requires_grad_()
        logits = self.logits(self.leaves, self.rows, batch["features"])
        self.loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch["labels"], reduction="sum")
        return float(self.loss.detach())

    def logits(self, dense, rows, features):
        x, layers = features, iter(dense)
        for inputs, outputs in self.bottom:
            x = torch.relu(linear(x, next(layers), inputs, outputs))
        v = torch.cat([x[:, None], rows], 1)
        i, j = torch.tril_indices(v.shape[1], v.shape[1], -1)
        x = torch.cat([x, (v @ v.transpose(1, 2))[:, i, j]], 1)
        for at, (inputs, outputs) in enumerate(self.top, start=1):
            x = linear(x, next(layers), inputs, outputs)
            x = torch.relu(x) if at < len(self.top) else x
        return x[:, 0]

    def backward(self):
        """Yields (i, gradient like dense[i]) and once ("rows", gradient like rows), each when it is computed."""
        *dense, rows = torch.autograd.grad(self.loss, [*self.leaves, self.rows])
        first = len(self.bottom)
        for name in [*reversed(range(first, len(dense))), "rows", *reversed(range(first))]:
            if name != "rows":
                self.comm.compute(self.layer_s)
            yield name, rows if name == "rows" else dense[name]


def linear(x, flat, inputs: int, outputs: int):
    return x @ flat[:inputs * outputs].view(inputs, outputs) + flat[inputs * outputs:]


class Timed:
    """Layers of (seconds, numbers): the gradient of layer i is i + 1 + rank, everywhere."""

    def __init__(self, comm, layers: list, forward_s: float):
        self.comm, self.layers, self.forward_s = comm, layers, forward_s

    def forward(self, dense, rows, batch) -> float:
        self.comm.compute(self.forward_s)
        self.shape = rows.shape
        return float(self.comm.rank)

    def backward(self):
        half = len(self.layers) // 2
        for i in reversed(range(len(self.layers))):
            seconds, numbers = self.layers[i]
            self.comm.compute(seconds)
            yield i, torch.full((numbers,), float(i + 1 + self.comm.rank))
            if i == half:
                yield "rows", torch.ones(self.shape)


def net_of(comm, spec: dict):
    if "layers" in spec:
        return Timed(comm, spec["layers"], spec["forward_s"])
    return Net(comm, spec["sizes"], spec.get("layer_s", 0.0))


def stepped(hybrid_step, comm, spec: dict, dense: list, table, batches: list, lr: float) -> dict:
    """batches: [({"features", "ids", "labels"}, rows of the global batch)]. What the steps returned and left behind."""
    net, losses, changed = net_of(comm, spec), [], False
    dense, table = [flat.clone() for flat in dense], table.clone()
    for batch, global_size in batches:
        given = {name: value.clone() for name, value in batch.items()}
        losses.append(number(hybrid_step(comm, net, dense, table, given, global_size, lr)))
        changed = changed or not all(torch.equal(given[name], value) for name, value in batch.items())
    return {"losses": losses, "dense": [plain(flat) for flat in dense], "table": plain(table), "changed": changed}


def trained(train_hybrid, comm, spec: dict, dense: list, table, batches: list, lr: float) -> dict:
    dense, table = [flat.clone() for flat in dense], table.clone()
    losses = train_hybrid(comm, net_of(comm, spec), dense, table, batches, lr)
    losses = [number(loss) for loss in losses] if isinstance(losses, (list, tuple)) else f"{losses!r}"[:120]
    return {"losses": losses, "dense": [plain(flat) for flat in dense], "table": plain(table)}


def number(value):
    if isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    return float(value) if isinstance(value, (int, float)) else f"{type(value).__name__} {value!r}"[:120]


def plain(value):
    return value.detach().contiguous() if isinstance(value, torch.Tensor) else f"{type(value).__name__}"
