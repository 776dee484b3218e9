"""What the benchmarks share: sizes as people write them, the machine they ran on, tables, and files written whole."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path

from pslab.files import check_writable, write_aside  # noqa: F401 - for the benchmarks

UNITS = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def size_bytes(text: str) -> int:
    """'4K', '64KB', '1M', '512' in bytes; binary units. Raises argparse's error, so that it can be a `type=`."""
    body = text.strip().upper()
    body = body[:-1] if body.endswith("B") and body != "B" else body
    number, unit = (body[:-1], body[-1]) if body and body[-1] in UNITS else (body, "")
    if not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; write it like 4K, 64K, 16M")
    size = int(number) * UNITS[unit]
    if size < 4 or size % 4:
        raise argparse.ArgumentTypeError(f"{text!r}: float32 tensors need a multiple of 4 bytes, at least 4")
    return size


def size_text(size: int) -> str:
    for unit in ("M", "K"):
        if size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]} {unit}B"
    return f"{size} B"


def list_of(item):
    """A `type=` for comma-separated values, each read by `item`."""
    def parse(text: str) -> list:
        values = [item(part) for part in text.split(",") if part.strip()]
        if not values:
            raise argparse.ArgumentTypeError(f"{text!r}: at least one value is needed")
        return values
    return parse


def at_least(least: int):
    """A `type=` for whole numbers from `least`."""
    def parse(text: str) -> int:
        if not text.strip().isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number, {least} or more, is needed")
        return int(text)
    return parse


def machine() -> dict:
    """Where this ran: nothing that names a person or a host."""
    import numpy
    import torch

    import pslab
    return {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "processor": _processor(), "system": platform.system(), "python": platform.python_version(),
            "torch": torch.__version__, "numpy": numpy.__version__, "pslab": pslab.__version__}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor()
    return platform.processor()


def summary(samples: list[float]) -> dict:
    """Median, least and all samples of a timing, in seconds."""
    return {"median_s": statistics.median(samples), "min_s": min(samples), "samples_s": samples}


def write_json(path: Path, figures: dict) -> None:
    """A reader sees the old file or the new one, never half of one."""
    write_aside(path, (json.dumps(figures, indent=1) + "\n").encode())


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]], file=None) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, tuple("-" * width for width in widths), *rows]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths)), file=file or sys.stdout)


def time_text(seconds: float) -> str:
    for unit, factor in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"
    return ""
