"""What the collectives share: flat views, K pieces, and the checks of their arguments.

    tensor (any shape)  ──flat──>  0 1 2 3 4 5 6 7         one dimension, the same memory
                        ──Pieces>  0 1 2 | 3 4 5 | 6 7     K = 3 pieces, sizes as torch.tensor_split: the first
                                                           P mod K pieces are one element longer

The pieces are NumPy views, because a ring touches each of them in its inner loop and NumPy's slices are several times
cheaper than a tensor's. bfloat16, which NumPy lacks, stays a tensor.
"""

from __future__ import annotations

import numpy as np
import torch

OPS = ("sum", "max", "min", "prod", "mean")

Flat = np.ndarray | torch.Tensor

_NUMPY_DTYPES = {np.dtype(name) for name in (
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
    "complex64", "complex128")}


def flat(tensor, argument: str = "tensor") -> Flat:
    """One-dimensional view of the tensor's memory, or a copy where its elements do not lie in one row."""
    if isinstance(tensor, np.ndarray):
        if tensor.dtype not in _NUMPY_DTYPES:
            raise ValueError(f"{argument} has dtype {tensor.dtype}; allowed: "
                             f"{', '.join(sorted(map(str, _NUMPY_DTYPES)))}")
        return np.ascontiguousarray(tensor).reshape(-1)
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{argument} is a {type(tensor).__name__}; a torch.Tensor or a NumPy array is needed")
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
        raise ValueError(f"{argument} is a {tensor.layout} tensor of {tensor.dtype} on {tensor.device}; a dense CPU "
                         f"tensor is needed")
    row = tensor.detach().resolve_conj().resolve_neg().contiguous().view(-1)
    return row if row.dtype is torch.bfloat16 else row.numpy()


def flat_inout(tensor, argument: str = "tensor") -> Flat:
    """As `flat`, of a tensor that the collective writes: refuses what cannot be written. Finish with `copy_back`."""
    row = flat(tensor, argument)
    if isinstance(tensor, np.ndarray):
        if not tensor.flags.writeable:
            raise ValueError(f"{argument} is read-only, and this collective works in place; pass {argument}.copy()")
    elif any(step == 0 and size > 1 for step, size in zip(tensor.stride(), tensor.shape)):
        raise ValueError(f"{argument} is expanded: several of its elements share one place in memory; pass "
                         f"{argument}.contiguous()")
    return row


def copy_back(row: Flat, tensor) -> None:
    """Write `row` into `tensor` where `flat` had to copy; nothing to do where they share memory."""
    if isinstance(tensor, np.ndarray):
        if not np.may_share_memory(row, tensor):
            tensor[...] = row.reshape(tensor.shape)
        return
    row = as_tensor(row)
    if row.data_ptr() != tensor.data_ptr():
        with torch.no_grad():
            tensor.copy_(row.view(tensor.shape))


class Pieces:
    """K views that cover the row in order; sizes differ by one at most, the longer ones first.

    Piece i is made when it is asked for, and not kept: over a thousand ranks, lists of a thousand views each would be a
    million objects, and a ring that walks through them waits for memory (measured: a tenth of its time).
    """

    def __init__(self, row: Flat, K: int):
        self.row = row
        self.short, self.longer = divmod(len(row), K)

    def __getitem__(self, i: int) -> Flat:
        if i < self.longer:
            start = i * (self.short + 1)
            return self.row[start:start + self.short + 1]
        start = i * self.short + self.longer
        return self.row[start:start + self.short]

    def span(self, first: int, end: int) -> Flat:
        """Pieces first, first + 1, … end − 1, which lie side by side, as one."""
        return self.row[first * self.short + min(first, self.longer):end * self.short + min(end, self.longer)]


class Strips:
    """The same K pieces, `length` elements of each at a time: each element keeps its owner and its order of summing.

        pieces  0 1 2 3 | 4 5 6 | 7 8 9      strips of 2:  0 1 | 4 5 | 7 8      2 3 | 6 | 9
    """

    def __init__(self, pieces: Pieces, length: int):
        self.pieces, self.length = pieces, length

    def __iter__(self):
        for start in range(0, len(self.pieces[0]), self.length):
            yield Strip(self.pieces, slice(start, start + self.length))


class Strip:
    """One of them; asked for its pieces as they are."""

    def __init__(self, pieces: Pieces, part: slice):
        self.pieces, self.part = pieces, part

    def __getitem__(self, i: int) -> Flat:
        return self.pieces[i][self.part]


def kit_pieces(comm, pieces: Pieces) -> list[Flat] | None:
    """Two pieces in memory that is sent from without staging; None where that would save nothing.

    With K = 2 nothing is passed on, and copying once, through cached staging slots, is as good.
    """
    if comm.world_size < 3 or not comm.shares_memory or not comm.stages(pieces[0]):
        return None
    pair = [comm.empty(pieces[0].shape, pieces[0].dtype) for _ in range(2)]
    return [tensor.numpy() for tensor in pair] if isinstance(pieces[0], np.ndarray) else pair


def plain_pieces(pieces: Pieces) -> list[Flat]:
    """Two pieces in memory of one's own."""
    make = np.empty_like if isinstance(pieces[0], np.ndarray) else torch.empty_like
    return [make(pieces[0]) for _ in range(2)]


def as_tensor(array: Flat) -> torch.Tensor:
    """The tensor over the same memory."""
    return torch.from_numpy(array) if isinstance(array, np.ndarray) else array


def combine(row: Flat, more: Flat, op: str) -> None:
    """row = row (op) more, in place: what a receive with `op` does, here with what comes as the first of the two."""
    if isinstance(row, np.ndarray):
        {"sum": np.add, "max": np.maximum, "min": np.minimum, "prod": np.multiply}[op](row, more, out=row)
    else:
        {"sum": torch.add, "max": torch.maximum, "min": torch.minimum, "prod": torch.mul}[op](row, more, out=row)


def as_mean(row: Flat, ranks: int) -> None:
    """Divide a sum over `ranks` ranks, in place; ranks 1: leave it, as for every op but 'mean'."""
    if ranks != 1:
        row /= ranks


def owned(tensor) -> torch.Tensor:
    """A contiguous tensor of its own memory, of the same shape, from a tensor or an array."""
    if isinstance(tensor, np.ndarray):
        return torch.from_numpy(np.array(tensor, order="C"))
    return tensor.detach().resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)


def check_op(op: str, row: Flat) -> str:
    """The reduction that travels ('mean' travels as 'sum'), or ValueError when `op` means nothing for this dtype."""
    if op not in OPS:
        raise ValueError(f"op={op!r}; allowed: {', '.join(OPS)}")
    kind = row.dtype.kind if isinstance(row, np.ndarray) else "f"
    if op in ("max", "min") and kind == "c":
        raise ValueError(f"op={op!r} on {row.dtype}: complex numbers have no order; allowed: sum, prod, mean")
    if op == "mean" and kind not in "fc":
        raise ValueError(f"op='mean' on {row.dtype}: a mean of whole numbers is not whole; use op='sum' and divide, or "
                         f"convert to a floating dtype first")
    return "sum" if op == "mean" else op


def check_rank(argument: str, value, size: int) -> int:
    """The rank of this group that the argument names."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < size:
        raise ValueError(f"{argument}={value!r}; this group has ranks 0..{size - 1}")
    return int(value)


def check_list(tensors, size: int) -> None:
    """One tensor for each rank, all of one dtype."""
    if not hasattr(tensors, "__len__") or not hasattr(tensors, "__getitem__"):
        raise ValueError(f"tensors is a {type(tensors).__name__}; a list of {size} tensors, one for each rank, is "
                         f"needed")
    if len(tensors) != size:
        raise ValueError(f"tensors has {len(tensors)} entries; one for each of the {size} ranks is needed")
    dtypes = [flat(tensor, f"tensors[{q}]").dtype for q, tensor in enumerate(tensors)]
    for q in range(1, size):
        if dtypes[q] != dtypes[0]:
            raise ValueError(f"tensors[{q}] is {dtypes[q]} and tensors[0] is {dtypes[0]}; one dtype a call is allowed")


def check_shapes(tensors) -> None:
    """All of one shape: then several travel as one."""
    for q, tensor in enumerate(tensors):
        if tuple(tensor.shape) != tuple(tensors[0].shape):
            raise ValueError(f"tensors[{q}] has the shape {list(tensor.shape)} and tensors[0] "
                             f"{list(tensors[0].shape)}; algorithm='binomial' needs one shape, 'direct' takes any")


def check_algorithm(algorithm: str, known: tuple[str, ...]) -> None:
    if algorithm != "auto" and algorithm not in known:
        raise ValueError(f"algorithm={algorithm!r}; allowed: auto, {', '.join(known)}")
