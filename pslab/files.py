"""Files that a command writes at its end: tried before it begins, and then written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def check_writable(argument: str, file: str | Path) -> None:
    """ValueError unless `file` can be written later: tried with a file beside it, which is removed at once."""
    path = Path(file)
    if path.is_dir():
        raise ValueError(f"{argument} {file}: this is a folder, the name of a file is needed")
    if not path.parent.is_dir():
        raise ValueError(f"{argument} {file}: there is no folder {path.parent}")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".pslab-"):
            pass
    except OSError as error:
        raise ValueError(f"{argument} {file}: the folder {path.parent.resolve()} cannot be written to "
                         f"({error.strerror}); name a file elsewhere with {argument} FILE") from None


def write_aside(file: str | Path, content: bytes) -> None:
    """Write a file whole or not at all: aside, synced, then renamed."""
    path = Path(file)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".pslab-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(aside, 0o666 & ~umask)
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
