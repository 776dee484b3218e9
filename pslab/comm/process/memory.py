"""Shared memory without names: unlinked files passed by descriptor, so that nothing can leak.

    heap of rank r:  │ staging for peer 0 │ staging for peer 1 │ … │ tensors from comm.empty … │
                       SLOTS slots each      reused for ever         grown on demand

Every rank holds the descriptors of all heaps of its world. A rank writes only its own heap; the others read from it.
First touch of a fresh page costs more than copying it, which is why staging slots and freed tensors are reused.
"""

from __future__ import annotations

import bisect
import mmap
import os
import tempfile
import weakref

import numpy as np

from .. import arrays

SLOT_BYTES = 512 * 1024     # with four slots: best of five shapes from 1 to 64 MB, with 2 and 4 ranks on 2 cores
SLOTS = 4
_ALIGN = 4096


def anonymous_file(label: str) -> int:
    """A descriptor of a file that has no name: gone with its last descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(label, os.MFD_CLOEXEC)
    descriptor, path = tempfile.mkstemp(prefix="pslab-")
    os.unlink(path)
    return descriptor


class Heap:
    """This rank's own heap."""

    def __init__(self, descriptor: int, world_size: int):
        self.descriptor = descriptor
        self.size = world_size * SLOTS * SLOT_BYTES
        os.ftruncate(descriptor, self.size)
        self._staging = np.frombuffer(mmap.mmap(descriptor, self.size), np.uint8)
        self._free: dict[int, list[tuple[int, np.ndarray]]] = {}
        self._starts: list[int] = []                    # addresses of tensors, sorted
        self._blocks: dict[int, tuple[int, int]] = {}   # address -> (offset in the heap, size)

    def slot(self, peer: int, index: int, count: int = 1) -> tuple[int, np.ndarray]:
        """(offset, bytes) of a staging slot for messages to `peer`, or of `count` neighbours as one."""
        offset = (peer * SLOTS + index) * SLOT_BYTES
        return offset, self._staging[offset:offset + count * SLOT_BYTES]

    def empty(self, shape, name: str) -> np.ndarray:
        """An uninitialised array inside the heap; its block is reused when the array is no longer referenced.

        Blocks are powers of two, so that tensors of many sizes share few: what nobody touches takes no memory.
        """
        dtype = arrays.numpy_dtype(name)
        count = int(np.prod(shape, dtype=np.int64))
        size = max(1 << (count * dtype.itemsize - 1).bit_length(), _ALIGN)
        if self._free.get(size):
            offset, block = self._free[size].pop()
        else:
            offset, self.size = self.size, self.size + size
            os.ftruncate(self.descriptor, self.size)
            block = np.frombuffer(mmap.mmap(self.descriptor, size, offset=offset), np.uint8)
        address = block.ctypes.data
        self._blocks[address] = (offset, size)
        bisect.insort(self._starts, address)
        root = np.frombuffer(memoryview(block), np.uint8)        # every view of the array keeps this one alive
        weakref.finalize(root, self._release, offset, block)
        return root[:count * dtype.itemsize].view(dtype).reshape(shape)

    def find(self, array: np.ndarray) -> int | None:
        """The array's offset in the heap; None when it lives elsewhere."""
        if not self._starts:
            return None
        address = array.__array_interface__["data"][0]
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0:
            return None
        try:
            start = self._starts[at]
            offset, size = self._blocks[start]
        except (IndexError, KeyError):                  # a tensor of another thread's has gone this moment
            return None
        return offset + address - start if start <= address and address + array.nbytes <= start + size else None

    def _release(self, offset: int, block: np.ndarray) -> None:
        address = block.ctypes.data
        self._starts.remove(address)
        size = self._blocks.pop(address)[1]
        self._free.setdefault(size, []).append((offset, block))


class PeerHeap:
    """Another rank's heap, mapped read-only as far as it has been needed."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._bytes = np.empty(0, np.uint8)

    def view(self, offset: int, size: int) -> np.ndarray | None:
        """The bytes at [offset, offset + size); None when the heap is not that large (a frame that lies)."""
        if offset < 0 or offset + size > len(self._bytes):
            length = os.fstat(self._descriptor).st_size
            if offset < 0 or offset + size > length:
                return None
            self._bytes = np.frombuffer(mmap.mmap(self._descriptor, length, prot=mmap.PROT_READ), np.uint8)
        return self._bytes[offset:offset + size]
