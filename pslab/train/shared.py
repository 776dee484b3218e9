"""One vector that all ranks of a host read and write: shared memory without a name, so that nothing can be left behind.

    rank 0:  memory ── path ──> the others open it ── barrier ──> the path is closed; only mappings remain
"""

from __future__ import annotations

import mmap
import os
import secrets
import tempfile

import numpy as np
import torch

from pslab.collectives import broadcast
from pslab.comm import Comm

_TOKEN_BYTES = 16           # behind the values: shows that a path led to the same memory
_PATH_BYTES = 1024


def shared_vector(comm: Comm, values: np.ndarray) -> np.ndarray:
    """(n,) the same memory in every rank of comm, holding rank 0's `values` (n,); the others give n numbers as well.

    Nothing is locked: numbers are written and read whole (8 aligned bytes or fewer), and in no order. Collective.
    ValueError when ranks are on different hosts.
    """
    values = np.ascontiguousarray(values)
    if values.ndim != 1 or not values.size or values.dtype not in (np.float32, np.float64, np.int64):
        raise ValueError(f"values is {values.dtype}{list(values.shape)}; (n,) float32, float64 or int64, n at least 1, "
                         f"is needed")
    message, descriptor, path = torch.zeros(_TOKEN_BYTES + _PATH_BYTES, dtype=torch.uint8), None, None
    if comm.rank == 0:
        descriptor, path, token = *_memory(), secrets.token_bytes(_TOKEN_BYTES)
        os.ftruncate(descriptor, values.nbytes + _TOKEN_BYTES)
        mapped = mmap.mmap(descriptor, values.nbytes + _TOKEN_BYTES)
        mapped[:] = values.tobytes() + token
        told = token + path.encode()
        message[:len(told)] = torch.frombuffer(bytearray(told), dtype=torch.uint8)
    broadcast(comm, message)
    try:
        if comm.rank:
            told = bytes(message.tolist())
            mapped = _open(told[_TOKEN_BYTES:].rstrip(b"\0").decode(), values.nbytes, told[:_TOKEN_BYTES])
        comm.barrier()
    finally:
        if descriptor is not None:
            os.close(descriptor)
            if not path.startswith("/proc/"):
                os.unlink(path)
    return np.frombuffer(mapped, values.dtype, len(values))


def _memory() -> tuple[int, str]:
    """A descriptor of new memory, and a path by which other processes of this user and host can open it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pslab-shared", os.MFD_CLOEXEC)
        return descriptor, f"/proc/{os.getpid()}/fd/{descriptor}"
    return tempfile.mkstemp(prefix="pslab-")


def _open(path: str, values_bytes: int, token: bytes) -> mmap.mmap:
    wrong = "a shared vector needs all ranks on one host, of one user, with vectors of one length"
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        raise ValueError(f"{wrong}: {error}") from error
    try:
        size = os.fstat(descriptor).st_size
        if size != values_bytes + _TOKEN_BYTES:
            raise ValueError(f"{wrong}: here {values_bytes} bytes, at rank 0 {size - _TOKEN_BYTES}")
        mapped = mmap.mmap(descriptor, size)
    finally:
        os.close(descriptor)
    if mapped[values_bytes:] != token:
        raise ValueError(f"{wrong}: {path} is something else here")
    return mapped
