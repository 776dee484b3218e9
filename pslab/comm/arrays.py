"""Tensors and arrays, seen alike: what travels is a contiguous NumPy view and a dtype name.

    torch.Tensor ──┐ shares memory            ┌── bytes on a link
                   ├──> (ndarray, dtype name) ─┤
    np.ndarray  ───┘                           └── reduced in place into `out`

Inside the kit everything works on NumPy views, because slicing an array is several times cheaper than slicing a
tensor. bfloat16, which NumPy lacks, is viewed as uint16 and reduced through torch.
"""

from __future__ import annotations

import numpy as np
import torch

_TORCH = {
    "float32": torch.float32, "float64": torch.float64, "float16": torch.float16, "bfloat16": torch.bfloat16,
    "int8": torch.int8, "int16": torch.int16, "int32": torch.int32, "int64": torch.int64, "uint8": torch.uint8,
    "bool": torch.bool, "uint16": torch.uint16, "uint32": torch.uint32, "uint64": torch.uint64,
    "complex64": torch.complex64, "complex128": torch.complex128,
}
_NAME_OF_TORCH = {dtype: name for name, dtype in _TORCH.items()}
_NUMPY = {name: np.dtype("uint16" if name == "bfloat16" else name) for name in _TORCH}
_NAME_OF_NUMPY = {np.dtype(name): name for name in _TORCH if name != "bfloat16"}
_UFUNC = {"sum": np.add, "max": np.maximum, "min": np.minimum, "prod": np.multiply}
_TORCH_OP = {"sum": torch.add, "max": torch.maximum, "min": torch.minimum, "prod": torch.mul}

DTYPES = tuple(_TORCH)          # position in this tuple is the dtype's code on the wire
OPS = (None, "sum", "max", "min", "prod")


def view(tensor, argument: str = "tensor") -> tuple[np.ndarray, str]:
    """A contiguous NumPy view (a copy only when the tensor is not contiguous) and the dtype's name."""
    if type(tensor) is np.ndarray:
        name = _NAME_OF_NUMPY.get(tensor.dtype)
        if name is None:
            raise ValueError(f"{argument} has dtype {tensor.dtype}; allowed: {', '.join(DTYPES)}")
        return (tensor if tensor.flags.c_contiguous else np.ascontiguousarray(tensor)), name
    if isinstance(tensor, torch.Tensor):
        name = _NAME_OF_TORCH.get(tensor.dtype)
        if name is None or tensor.layout is not torch.strided:
            raise ValueError(f"{argument} is a {tensor.layout} tensor of {tensor.dtype}; dense tensors of "
                             f"{', '.join(DTYPES)} can travel")
        if tensor.device.type != "cpu":
            raise ValueError(f"{argument} is on {tensor.device}; this world moves CPU tensors, use tensor.cpu()")
        flat = tensor.detach()
        if not flat.is_contiguous():
            flat = flat.contiguous()
        return (flat.view(torch.uint16) if name == "bfloat16" else flat).numpy(), name
    if isinstance(tensor, (np.ndarray, np.generic)):
        return view(np.asarray(tensor), argument)
    raise ValueError(f"{argument} is a {type(tensor).__name__}; a torch.Tensor or a NumPy array is needed")


def out_view(out, argument: str = "out") -> tuple[np.ndarray, str]:
    """As `view`, but refuses what could only be written through a copy."""
    contiguous = out.flags.c_contiguous if isinstance(out, np.ndarray) else (
        not isinstance(out, torch.Tensor) or out.is_contiguous())
    if not contiguous:
        raise ValueError(f"{argument} is not contiguous; pass {argument}.contiguous() and copy back yourself")
    array, name = view(out, argument)
    if not array.flags.writeable:
        raise ValueError(f"{argument} is read-only")
    return array, name


def tensor_of(array: np.ndarray, name: str) -> torch.Tensor:
    """The torch tensor over the same memory."""
    tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if name == "bfloat16" else tensor


def empty(shape, name: str) -> np.ndarray:
    return np.empty(shape, _NUMPY[name])


def numpy_dtype(name: str) -> np.dtype:
    """How the dtype is held in NumPy (bfloat16 as uint16)."""
    return _NUMPY[name]


def dtype_name(dtype) -> str:
    """Name of a torch or NumPy dtype, or of its name."""
    if isinstance(dtype, str) and dtype in _TORCH:
        return dtype
    name = _NAME_OF_TORCH.get(dtype) if isinstance(dtype, torch.dtype) else _NAME_OF_NUMPY.get(np.dtype(dtype))
    if name is None:
        raise ValueError(f"dtype={dtype!r}; allowed: {', '.join(DTYPES)}")
    return name


def check_alike(plus, out) -> np.ndarray:
    """The view of `plus`, which must have the shape and dtype of `out`."""
    first, name = view(plus, "plus")
    array, out_name = out_view(out)
    if name != out_name or first.shape != array.shape:
        raise ValueError(f"plus is {name}{list(first.shape)} and out {out_name}{list(array.shape)}; dtype and shape "
                         f"must be equal")
    return first


def check_op(op) -> None:
    if op not in OPS:
        raise ValueError(f"op={op!r}; allowed: None (copy), 'sum', 'max', 'min', 'prod'")


def land(out: np.ndarray, piece: np.ndarray, op: str | None, name: str, plus: np.ndarray | None = None) -> None:
    """Write `piece` into `out` (op None), or plus (op) piece; without `plus`, out (op) piece. Same shape and dtype."""
    if op is None:
        out[...] = piece
        return
    first = out if plus is None else plus
    if name == "bfloat16":
        _TORCH_OP[op](tensor_of(_lent(first), name), tensor_of(_lent(piece), name), out=tensor_of(out, name))
    else:
        _UFUNC[op](first, piece, out=out)


class _Lent:
    """The memory of an array, without the mark that it is read-only: PyTorch knows no such mark, and would warn."""

    def __init__(self, array: np.ndarray):
        told = array.__array_interface__
        self.array, self.__array_interface__ = array, {**told, "data": (told["data"][0], False)}


def _lent(array: np.ndarray) -> np.ndarray:
    """The same memory, for a tensor that is only read; another rank's memory may be marked read-only here."""
    return array if array.flags.writeable else np.asarray(_Lent(array))


def check_fits(out: np.ndarray, out_name: str, shape: tuple, name: str, src: int, rank: int) -> None:
    """Raise the error both sides read when what was sent is not what the receiver expects."""
    if out_name != name or out.shape != tuple(shape):
        raise ValueError(f"rank {src} sent {name}{list(shape)}, but rank {rank} receives into "
                         f"{out_name}{list(out.shape)}; dtype and shape must be equal on both sides")
