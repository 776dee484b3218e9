"""The file of a table: a header of one page, then one slot a row.

    byte 0     magic, version, sizes, number of the table, what first values depend on, checksum      written once
    byte 1024  steps (note 0)          written in turn, with a count and a checksum: after a kill in the middle of one
    byte 2048  steps (note 1)          the other one counts
    byte 4096  slot of row 0: | width float32 | padding to 8 bytes | checksum of the row, 8 bytes |
               slot of row 1 ...

A slot of zeros is a row that nobody wrote to: it has its first values, and takes no room on the disk (a file with
holes). The checksum of a row is never 0; it depends on the row's number, so that a row at a wrong place is found too.
"""

from __future__ import annotations

import hashlib
import struct
import zlib

import numpy as np

MAGIC, VERSION = b"PSLABROW", 1
HEADER_BYTES = 4096
_FIXED = struct.Struct("<8sII8sQQQQ32s512s")        # then a crc32 of it
_NOTE = struct.Struct("<QQ")                        # count, steps, then a crc32
NOTES_AT = (1024, 2048)
_GOLDEN = 0x9E3779B97F4A7C15


class Header:
    """What the file's header says. text: what first values depend on. table_id: drawn when the file is made."""

    def __init__(self, num_rows: int, width: int, text: str, table_id: int):
        self.num_rows, self.width, self.text, self.table_id = num_rows, width, text, table_id
        self.words = -(-width // 2) + 1                 # of 8 bytes a slot
        self.slot_bytes = 8 * self.words

    @property
    def file_bytes(self) -> int:
        return HEADER_BYTES + self.num_rows * self.slot_bytes

    def at(self, row: int) -> int:
        """The offset of a row's slot."""
        return HEADER_BYTES + row * self.slot_bytes

    def pack(self) -> bytes:
        """The page, with steps 0."""
        fixed = _FIXED.pack(MAGIC, VERSION, HEADER_BYTES, b"<f4", self.num_rows, self.width, self.slot_bytes,
                            self.table_id, hashlib.blake2b(self.text.encode(), digest_size=32).digest(),
                            self.text.encode()[:512])
        page = bytearray(HEADER_BYTES)
        page[:_FIXED.size + 4] = fixed + struct.pack("<I", zlib.crc32(fixed))
        page[NOTES_AT[0]:NOTES_AT[0] + _NOTE.size + 4] = pack_note(0, 0)
        return bytes(page)


def unpack(page: bytes, path: str) -> tuple[Header, bytes]:
    """(the header, the digest of its text); ValueError when it is no table's, another version's, or damaged."""
    fixed = page[:_FIXED.size]
    if page[:8] != MAGIC:
        raise ValueError(f"{path}: no table of pslab: it begins with {page[:8]!r} instead of {MAGIC!r}")
    _, version, header_bytes, dtype, rows, width, slot_bytes, table_id, digest, text = _FIXED.unpack(fixed)
    if version != VERSION:
        raise ValueError(f"{path}: a table file of version {version}; this pslab reads version {VERSION}")
    header = Header(rows, width, text.rstrip(b"\0").decode(errors="replace"), table_id)
    if struct.unpack("<I", page[_FIXED.size:_FIXED.size + 4])[0] != zlib.crc32(fixed) or \
            (header_bytes, dtype.rstrip(b"\0"), slot_bytes) != (HEADER_BYTES, b"<f4", header.slot_bytes):
        raise ValueError(f"{path}: the header is damaged (its checksum or sizes are wrong)")
    return header, digest


def check_alike(found: Header, digest: bytes, path: str, num_rows: int | None, width: int | None,
                text: str | None) -> None:
    """ValueError unless the file holds the table that is asked for; None: whatever it has."""
    for what, wanted in (("num_rows", num_rows), ("width", width)):
        if wanted is not None and wanted != getattr(found, what):
            raise ValueError(f"{path}: the file has {what}={getattr(found, what)}; {what}={wanted} was asked for: open "
                             f"it as it is, or name another file")
    if text is None and found.text != "zeros":
        raise ValueError(f"{path}: rows of this file begin with {found.text}; give that as `first`")
    if text is not None and hashlib.blake2b(text.encode(), digest_size=32).digest() != digest:
        raise ValueError(f"{path}: rows of this file begin with {found.text}; {text} was asked for")


def pack_note(count: int, steps: int) -> bytes:
    body = _NOTE.pack(count, steps)
    return body + struct.pack("<I", zlib.crc32(body))


def newest_note(page: bytes) -> tuple[int, int]:
    """(count, steps) of the newer of the two notes that are whole."""
    notes = []
    for at in NOTES_AT:
        body = page[at:at + _NOTE.size]
        if struct.unpack("<I", page[at + _NOTE.size:at + _NOTE.size + 4])[0] == zlib.crc32(body):
            notes.append(_NOTE.unpack(body))
    return max(notes, default=(0, 0))


class RowChecks:
    """Checksums of rows, many at a time: the sum of their 8-byte words times odd numbers, modulo 2^64.

    One changed word changes the sum for certain, as its factor has an inverse; other damage is missed with probability
    2^-64.
    """

    def __init__(self, words: int):
        draw = np.random.Generator(np.random.PCG64(2207))
        self._factors = draw.integers(0, 1 << 63, words - 1, dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def of(self, ids: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """(n,) uint64, none of them 0. ids (n,); slots (n, words) uint64, whose last column is not looked at."""
        sums = slots[:, :-1] @ self._factors
        sums += (ids.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
        sums[sums == 0] = 1
        return sums
