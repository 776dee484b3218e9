"""text8: the first words of an English Wikipedia, lower case letters and single spaces, nothing else.

    text8/text8, or any part of it      anarchism originated as a term of abuse first used against ...

Matt Mahoney's cleaned text (mattmahoney.net/dc/textdata). The file may be cut anywhere: a last word that the cut went
through counts as a word.
"""

from __future__ import annotations

import re
from pathlib import Path

from pslab.data.folders import DataError, MissingData, places_of

TEXT8_FOLDER = "text8"
_OTHER = re.compile(rb"[^a-z \n]")


def text8_file() -> Path:
    """The first file in a folder text8/ of PSLAB_DATA or the cache; MissingData says where was looked."""
    places = places_of(TEXT8_FOLDER)
    for folder in places.values():
        files = sorted(folder.glob("text8*")) if folder.is_dir() else []
        if files:
            return files[0]
    looked = " and ".join(f"{folder} ({name})" for name, folder in places.items())
    raise MissingData(f"text8 is not on this machine: looked for a file text8* in {looked}. It is not fetched for you: "
                      f"put the unpacked text8 (or the head of it) there, or let PSLAB_DATA name the folder that holds "
                      f"{TEXT8_FOLDER}/")


def tokens(path: str | Path, most: int | None = None) -> list[bytes]:
    """The words of the file in their order, the first `most` of them (None: all).

    DataError where the file cannot be read, holds anything but a..z and spaces (with the place), or holds no word.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            text = file.read() if most is None else _head(file, most)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    bad = _OTHER.search(text)
    if bad:
        raise DataError(f"{path}, byte {bad.start()}: expected letters a..z and spaces only; got "
                        f"{bad.group().decode('latin-1')!r}. Is it the unpacked, cleaned text?")
    words = text.split()
    if not words:
        raise DataError(f"{path} holds no word")
    return words[:most]


def _head(file, most: int) -> bytes:
    """As much of the file as holds `most` words and the space behind them, or all of it."""
    text, words, block = [], 0, 1 << 16
    while words <= most and (part := file.read(block)):
        text.append(part)
        words += part.count(b" ") + part.count(b"\n")
    return b"".join(text)
