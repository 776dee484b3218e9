"""Which files of a folder are Criteo's, and in which order.

    criteo/  day_0.gz  day_1  day_10.gz  day_2  README
             all: day_0.gz day_1 day_2 day_10.gz            days 1, 2: day_1 day_2
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pslab.data.folders import CRITEO_FILES, DataError


def files_of(path: Path) -> list[Path]:
    """The file itself, or the folder's day_N, *.tsv and *.txt (each also .gz) by name and number."""
    if path.is_dir():
        found = [file for file in path.iterdir() if file.is_file() and CRITEO_FILES.fullmatch(file.name)]
        if not found:
            raise DataError(f"{path} holds no file named day_N, *.tsv or *.txt (or these with .gz)")
        by_name = {}
        for file in found:
            other = by_name.setdefault(file.name.removesuffix(".gz"), file)
            if other is not file:
                raise DataError(f"{path} holds {min(other.name, file.name)} and {max(other.name, file.name)}: the same "
                                f"rows twice? Keep one of them")
        return sorted(found, key=lambda file: [(int(part), "") if part.isdigit() else (-1, part)
                                               for part in re.split(r"(\d+)", file.name)])
    if not path.is_file():
        raise DataError(f"{path} is missing: a file of Criteo's format, or a folder of them, is needed")
    return [path]


def day_files(path: Path, days: Iterable[int]) -> list[Path]:
    """day_N or day_N.gz of the folder for each N of `days`, in their order; DataError for the first missing one."""
    days = list(days)
    for day in days:
        if isinstance(day, bool) or not isinstance(day, int) or day < 0:
            raise ValueError(f"days={days}; whole numbers from 0 are needed")
    if not days or len(set(days)) < len(days):
        raise ValueError(f"days={days}; at least one day, each once, is needed")
    if not path.is_dir():
        raise DataError(f"{path} is no folder: days={days} are looked for in one, as files day_N or day_N.gz")
    found = {}
    for file in files_of(path):
        if named := re.fullmatch(r"day_(\d+)(\.gz)?", file.name):
            found[int(named[1])] = file
    for day in days:
        if day not in found:
            there = ", ".join(found[have].name for have in sorted(found)) or "no day at all"
            raise DataError(f"{path} lacks day_{day} (day_{day}.gz would do); it holds {there}")
    return [found[day] for day in days]
