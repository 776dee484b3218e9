"""A lab's notebook as it came: from the package, from the checkout, or from the checkout's last commit.

    installed package     pslab/original_labs/NAME        packed with it
    a copy elsewhere      labs/NAME of the checkout
    in the checkout       git show HEAD:labs/NAME         the file itself is what the student has been editing
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
TIMEOUT_S = 20


def original_of(path: Path) -> tuple[bytes, str]:
    """(bytes of the original of a lab's notebook, where it is from). ValueError, with what to do, without one."""
    checkout = PACKAGE.parent / "labs" / path.name
    for place in (PACKAGE / "original_labs" / path.name, checkout):
        if place.is_file() and not place.samefile(path):
            return _notebook(place.read_bytes(), str(place)), str(place)
    if checkout.is_file():
        committed = _committed(checkout)
        if committed is not None:
            return _notebook(committed, f"the last commit's {path.name}"), "the checkout's last commit"
    raise ValueError(f"there is no original of {path.name} here: neither in the installed package, nor in a checkout, "
                     "nor in its last commit. Get the notebook again from where you had it")


def _committed(path: Path) -> bytes | None:
    command = ["git", "-C", str(path.parent), "show", f"HEAD:./{path.name}"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _notebook(data: bytes, where: str) -> bytes:
    """`data`, if it is a notebook: a reset never puts something broken in the place of somebody's work."""
    try:
        cells = json.loads(data)["cells"]
    except (ValueError, KeyError, TypeError):
        cells = None
    if not isinstance(cells, list):
        raise ValueError(f"{where} is no notebook; nothing was changed")
    return data
