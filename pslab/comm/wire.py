"""The wire format: what a message looks like between two processes.

    ┌────────── 56-byte header ──────────┐┌─ descriptor ─┐┌─ payload ─┐
    magic kind flags epoch ctx tag sizes   shape, or meta    raw bytes

A reader checks magic, kind, epoch and sizes before it trusts a frame, and its memory grows with the bytes that came,
never with the length that was claimed. Results and reports are `encode`d values: msgpack with tensors inside. Nothing
here is ever unpickled.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgpack
import numpy as np
import torch

from . import arrays
from .errors import WireError

MAGIC = b"PSL1"
HEADER = struct.Struct("<4sBBxxI4xQqIIQd")      # 56 bytes, so that a payload behind it is aligned
PLACE = struct.Struct("<QQ")                    # of what is read in place: rank whose heap it is, offset there
OFFSET = struct.Struct("<Q")                    # of each tensor of a letter that is read in place: where it is
MAX_DESCRIPTOR = 64 << 20
MAX_PAYLOAD = 1 << 40
STEP = 64 << 20           # memory that a claimed length may reserve before its bytes have come

TENSOR, MAIL, CHUNK, CREDIT, ACK, NACK = 1, 2, 3, 4, 5, 6
# flags: payload follows; wants an ACK; not counted; read in place; a credit for a letter
INLINE, SYNC, CONTROL, SHARED, MAILED = 1, 2, 4, 8, 16
# What msgpack, struct and an index raise at bytes that are not what they should be.
_UNREADABLE = (msgpack.UnpackException, ValueError, TypeError, IndexError, struct.error)


class Header(NamedTuple):
    """`tag` is the tensor's tag, or an offset in shared memory; `number` identifies a message on its channel."""

    kind: int
    flags: int
    epoch: int
    ctx: int
    tag: int
    descriptor_bytes: int
    number: int
    payload_bytes: int
    stamp_s: float


def pack(kind: int, flags: int, epoch: int, ctx: int = 0, tag: int = 0, descriptor_bytes: int = 0, number: int = 0,
         payload_bytes: int = 0, stamp_s: float = 0.0) -> bytes:
    return HEADER.pack(MAGIC, kind, flags, epoch, ctx, tag, descriptor_bytes, number, payload_bytes, stamp_s)


def unpack(buffer, start: int, epoch: int) -> Header:
    """The header at `start`; WireError when it is none of ours. One of an earlier epoch is for the caller to skip."""
    fields = HEADER.unpack_from(buffer, start)
    header = Header._make(fields[1:])
    if fields[0] != MAGIC or not TENSOR <= header.kind <= NACK:
        raise WireError(f"a foreign frame: it begins with {bytes(buffer[start:start + 8]).hex(' ')}, "
                        f"a message of this kit with {MAGIC.hex(' ')}")
    if header.descriptor_bytes > MAX_DESCRIPTOR or header.payload_bytes > MAX_PAYLOAD:
        raise WireError(f"an oversized frame: descriptor of {header.descriptor_bytes:,} and payload of "
                        f"{header.payload_bytes:,} bytes; at most {MAX_DESCRIPTOR:,} and {MAX_PAYLOAD:,} are allowed")
    if header.epoch > epoch:
        raise WireError(f"a frame of run {header.epoch} arrived in run {epoch}")
    return header


# ---- descriptors ----------------------------------------------------------------------------------------------------

_CODE = {name: code for code, name in enumerate(arrays.DTYPES)}
_SHAPES: dict[tuple, bytes] = {}                # few shapes recur often: both directions are remembered
_READ: dict[bytes, tuple[tuple, str, int]] = {}
_packer = msgpack.Packer()


def describe(shape: tuple, name: str) -> bytes:
    """Dtype code, number of dimensions, dimensions."""
    key = (shape, name)
    packed = _SHAPES.get(key)
    if packed is None:
        if len(_SHAPES) > 4096:
            _SHAPES.clear()
        packed = _SHAPES[key] = struct.pack(f"<BB6x{len(shape)}q", _CODE[name], len(shape), *shape)
    return packed


def shape_of(descriptor: bytes, payload_bytes: int) -> tuple[tuple[int, ...], str]:
    """Shape and dtype name; WireError unless they account for exactly payload_bytes (-1: for any number)."""
    known = _READ.get(descriptor)
    if known is None:
        if len(descriptor) < 8 or descriptor[0] >= len(arrays.DTYPES) or len(descriptor) != 8 + 8 * descriptor[1]:
            raise WireError(f"a descriptor of {len(descriptor)} bytes that is no shape")
        name, shape = arrays.DTYPES[descriptor[0]], struct.unpack_from(f"<{descriptor[1]}q", descriptor, 8)
        if len(_READ) > 4096:
            _READ.clear()
        known = _READ[bytes(descriptor)] = shape, name, size_of(shape, name)
    shape, name, needed = known
    if 0 <= payload_bytes != needed:
        raise WireError(f"a frame claims {payload_bytes:,} bytes for {name}{list(shape)}, which needs {needed:,}")
    return shape, name


def describe_mail(kind: str, meta: dict, tensors: list[tuple[np.ndarray, str]],
                  offsets: list[int] | None = None) -> tuple[bytes, int]:
    """The packed (kind, meta, shapes), and how many of its bytes are kind and meta (the ledger's `header`).

    offsets: where each tensor lies in the sender's shared memory, when they are to be read there.
    """
    try:
        head = _packer.pack((kind, meta))
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"meta={meta!r} of mail {kind!r} cannot travel: {error}; allowed are None, bool, int, float, "
                         "str, bytes, lists and dicts of them") from None
    shapes = [describe(a.shape, name) for a, name in tensors]
    if offsets is not None:
        shapes += [OFFSET.pack(offset) for offset in offsets]
    return head + b"".join(shapes), len(head)


def read_mail(descriptor: bytes, payload_bytes: int, head_bytes: int = 0,
              shared: int = 0) -> tuple[str, dict, list[tuple[tuple, str]]]:
    """(kind, meta, shapes); shared: the last OFFSET.size bytes for each tensor say where it lies (`offsets_of`).

    head_bytes: how long kind and meta are, where that is known (0: it is found out, which takes longer).
    """
    try:
        if head_bytes:
            kind, meta = msgpack.unpackb(descriptor[:head_bytes], strict_map_key=False)
            at = head_bytes
        else:
            unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=MAX_DESCRIPTOR)
            unpacker.feed(descriptor)
            kind, meta = unpacker.unpack()
            at = unpacker.tell()
        shapes, total, end = [], 0, len(descriptor)
        while at < end:
            size = 8 + 8 * descriptor[at + 1]
            page = descriptor[at:at + size]
            shapes.append(shape_of(page, -1))
            total, at, end = total + _READ[page][2], at + size, end - bool(shared) * OFFSET.size
        if at != end:
            raise WireError(f"a letter's first page of {len(descriptor):,} bytes, whose shapes end at {at:,}")
    except WireError:
        raise
    except _UNREADABLE as error:
        raise WireError(f"a letter whose first page cannot be read: {type(error).__name__}: {error}") from None
    if total != payload_bytes or not isinstance(kind, str) or not isinstance(meta, dict):
        raise WireError(f"a letter of {payload_bytes:,} bytes whose shapes need {total:,}")
    return kind, meta, shapes


def offsets_of(descriptor: bytes, count: int) -> list[int]:
    """Where the `count` tensors of a letter lie in its sender's shared memory."""
    return [OFFSET.unpack_from(descriptor, len(descriptor) - (count - i) * OFFSET.size)[0] for i in range(count)]


def size_of(shape, name: str) -> int:
    count = 1
    for dim in shape:
        if dim < 0:
            raise WireError(f"a negative dimension in shape {shape}")
        count *= dim
    return count * arrays.numpy_dtype(name).itemsize


# ---- values ---------------------------------------------------------------------------------------------------------

_TENSOR, _ARRAY, _TUPLE = 1, 2, 3


def encode(value) -> bytes:
    """None, bool, int, float, str, bytes, list, tuple, dict, tensors and arrays, as bytes; else ValueError."""
    try:
        return msgpack.packb(value, default=_pack_other, strict_types=True)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{error}; allowed are None, bool, int (64 bit), float, str, bytes, list, tuple, dict, "
                         "torch.Tensor and NumPy arrays") from None


def decode(data: bytes):
    """What `encode` made bytes of; WireError for anything else."""
    try:
        return msgpack.unpackb(data, ext_hook=_unpack_other, strict_map_key=False)
    except WireError:
        raise
    except _UNREADABLE as error:
        raise WireError(f"bytes that are no value: {type(error).__name__}: {error}") from None


def _pack_other(value):
    if isinstance(value, tuple):
        return msgpack.ExtType(_TUPLE, msgpack.packb(list(value), default=_pack_other, strict_types=True))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (torch.Tensor, np.ndarray)):
        array, name = arrays.view(value, "a value")
        code = _TENSOR if isinstance(value, torch.Tensor) else _ARRAY
        return msgpack.ExtType(code, describe(array.shape, name) + array.tobytes())
    for base in (dict, list, str, int, float):          # subclasses travel as what they extend
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"a value of type {type(value).__name__} cannot travel between processes")


def _unpack_other(code: int, data: bytes):
    if code == _TUPLE:
        return tuple(msgpack.unpackb(data, ext_hook=_unpack_other, strict_map_key=False))
    if code not in (_TENSOR, _ARRAY):
        raise WireError(f"a value of unknown kind {code}")
    size = 8 + 8 * data[1]
    shape, name = shape_of(data[:size], len(data) - size)
    array = np.frombuffer(bytearray(data[size:]), arrays.numpy_dtype(name)).reshape(shape)
    return arrays.tensor_of(array, name) if code == _TENSOR else array
