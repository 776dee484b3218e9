"""How far a student is, in a file that a person can read: progress.json.

    beside the labs       the folder that holds lab_*.ipynb, when one runs there or one level above
    $PSLAB_HOME           a folder that you name; first
    elsewhere             the user's data folder

    {"about": ..., "version": 1,
     "exercises":   {"9.3": {"state": "passes", "points": "6 of 10", "tries": 4, "hints": 1, "first_pass": "..."}},
     "predictions": {"9.5": {"bytes a step": {"unit": "B", "made": [{"value": 3, "at": "...", "seal": "..."}],
                                              "revealed": ..., "measured": ...}}}}

The file is written aside and renamed, under a lock, so that two notebooks at once lose nothing. A file that cannot be
read is kept aside under a number, with a sentence, and a new one is begun.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

ABOUT = "What you did in the labs, written by pslab. Yours to read; pslab hint, check and predict add to it."
VERSION = 1
NAME = "progress.json"


def folder() -> Path:
    """Where the file lies; see the top of this module."""
    named = os.environ.get("PSLAB_HOME")
    if named:
        return Path(named).expanduser()
    here = Path.cwd()
    for place in (here, here / "labs"):
        if next(place.glob("lab_*.ipynb"), None) is not None:
            return place
    import platformdirs

    return Path(platformdirs.user_data_dir("pslab"))


def read(where: Path | None = None) -> tuple[dict, str]:
    """(progress, a sentence about a damaged file or ''). Reading never fails on what the file holds."""
    path = (where or folder()) / NAME
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return _empty(), ""
    problem = _problem(raw)
    if problem is None:
        return json.loads(raw), ""
    return _empty(), _keep_aside(path, problem)


@contextmanager
def changing(where: Path | None = None):
    """`with changing() as (data, notes):` holds the lock; what `data` is at the end is written. OSError if it cannot.

    notes: a list with a sentence if the old file was damaged.
    """
    home = where or folder()
    home.mkdir(parents=True, exist_ok=True)
    with open(home / f".{NAME}.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        data, note = read(home)
        yield data, [note] if note else []
        _write(home / NAME, data)


def record(exercise_id: str, state: str, score: int, points: int, where: Path | None = None) -> str:
    """Note a check's outcome (a Report's state); returns a sentence for the student, or ''."""
    with changing(where) as (data, notes):
        entry = data["exercises"].setdefault(exercise_id, {"state": state, "tries": 0, "hints": 0})
        if state in ("passes", "fails"):
            entry["tries"] = entry.get("tries", 0) + 1
        entry["state"], entry["points"] = state, f"{score} of {points}"
        if state == "passes":
            entry.setdefault("first_pass", now())
    return " ".join(notes)


def hints_shown(exercise_id: str, where: Path | None = None) -> int:
    count = read(where)[0]["exercises"].get(exercise_id, {}).get("hints", 0)
    return count if isinstance(count, int) else 0


def now() -> str:
    """The time, to the second, with its zone."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _empty() -> dict:
    return {"about": ABOUT, "version": VERSION, "exercises": {}, "predictions": {}}


def _problem(raw: bytes) -> str | None:
    """What is wrong with a file's bytes; None when it can be used."""
    try:
        data = json.loads(raw)
    except ValueError as error:
        return f"it is not JSON: {error}"
    if not isinstance(data, dict):
        return "it holds no object"
    if data.get("version") != VERSION:
        return f"its version is {data.get('version')!r}; this pslab reads version {VERSION}"
    for part in ("exercises", "predictions"):
        entries = data.get(part)
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            return f"its part {part!r} is not of the form that pslab writes"
    for exercise, questions in data["predictions"].items():
        for question, entry in questions.items():
            if not isinstance(entry, dict) or not isinstance(entry.get("made", []), list):
                return f"its prediction {question!r} of {exercise} is not of the form that pslab writes"
    return None


def _keep_aside(path: Path, problem: str) -> str:
    number = 1
    while (kept := path.with_name(f"progress.damaged-{number}.json")).exists():
        number += 1
    try:
        os.replace(path, kept)
    except OSError as error:
        return f"{path} cannot be used ({problem}) nor moved aside ({error.strerror}); a new one is begun over it."
    return f"{path} could not be used: {problem}. It is kept as {kept.name}, and a new one is begun."


def _write(path: Path, data: dict) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{NAME}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(data, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
