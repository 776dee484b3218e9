"""Predictions: a number that is committed to before the run shows one.

    bytes_per_step = ...                                                       your number
    predict("9.5", "bytes a step of the server", bytes_per_step, unit="B")     keeps it, with the time
    reveal("9.5", "bytes a step of the server", lambda: run_it())              runs it and shows both

A second number is kept beside the first, and said so; one that comes after the reveal is marked. `reveal` refuses to
run before `predict` was called. A prediction left as `...` or None is none: the run is shown, and said to be without.
"""

from __future__ import annotations

import hashlib
import json
import math
import numbers
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from . import progress

_NOT_SAVED = "(your progress could not be saved, and ends with this notebook: {})"
_UNSAVED: dict = {}                            # progress of this process, where there is no file to write
_SKIPPED: dict[tuple[str, str], str] = {}      # questions left open in this process, and their units


def predict(exercise: str, question: str, value=None, *, unit: str = "") -> None:
    """Commit to a number for a question of an exercise; prints what is kept. ValueError for what is no number."""
    if value is None or value is ...:
        if not _made(exercise, question):
            _SKIPPED[exercise, question] = unit
            print(f"{exercise}: no prediction yet for {question!r}. Put a number in place of `...` and run this cell "
                  "again before the next one.")
        else:
            print(f"{exercise}: your prediction for {question!r} stands: {_listed(exercise, question)}.")
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise ValueError(f"value={value!r}; a prediction is a finite number")
    value = int(value) if isinstance(value, numbers.Integral) else float(value)
    with _kept() as (data, notes):
        entry = data["predictions"].setdefault(exercise, {}).setdefault(question, {"unit": unit, "made": []})
        made, late = entry["made"], "revealed" in entry
        known = bool(made) and made[-1]["value"] == value
        if not known:
            one = {"value": value, "at": progress.now(), "after_reveal": late}
            made.append({**one, "seal": _seal(exercise, question, len(made), one)})
        count = len(made)
    for note in notes:
        print(note)
    _SKIPPED.pop((exercise, question), None)
    told = f"{exercise}: your number for {question!r}, {_with_unit(value, unit)}, is kept"
    when = "after the run had shown its number" if late else "before the run"
    if known:
        print(f"{told}.")
    elif count > 1:
        print(f"{told} beside the earlier one{'s' * (count > 2)}, as made {when}; the first one counts.")
    else:
        print(f"{told}, as made {when}." if late else f"{told}. Now the run may show.")


def reveal(exercise: str, question: str, run: Callable[[], float], *, unit: str = ""):
    """Run `run()` (a number, or (number, what to show)) and print it beside the prediction; returns what it returned.

    ValueError, and nothing runs, before `predict` was called for this question.
    """
    made = _made(exercise, question)
    if not made and (exercise, question) not in _SKIPPED:
        raise ValueError(f"{exercise}: no prediction for {question!r} yet. Run the cell with predict(...) first; "
                         "the run waits for your number")
    unit = unit or _SKIPPED.get((exercise, question), "")
    outcome = run()
    seen = outcome[0] if isinstance(outcome, tuple) else outcome
    if isinstance(seen, bool) or not isinstance(seen, numbers.Real):
        raise ValueError(f"run() gave {seen!r}; a number, or a tuple that begins with one, is needed")
    with _kept() as (data, notes):
        entry = data["predictions"].setdefault(exercise, {}).setdefault(question, {"unit": unit, "made": []})
        entry.setdefault("revealed", progress.now())
        entry["measured"] = int(seen) if isinstance(seen, numbers.Integral) else float(seen)
        unit = unit or entry.get("unit", "")
    for note in notes:
        print(note)
    print(_told(exercise, question, made, seen, unit))
    return outcome


def committed(exercise: str, question: str, where: Path | None = None) -> list[dict]:
    """The numbers committed to, the first first: value, at, after_reveal, and `genuine` (its seal fits)."""
    data = _UNSAVED or progress.read(where)[0]
    made = data["predictions"].get(exercise, {}).get(question, {}).get("made", [])
    return [{**one, "genuine": one.get("seal") == _seal(exercise, question, i, one)}
            for i, one in enumerate(made) if isinstance(one, dict) and isinstance(one.get("value"), (int, float))]


_made = committed


@contextmanager
def _kept():
    """The progress file, as `progress.changing`; where it cannot be written, this process's memory, and it says so."""
    changing = progress.changing()
    try:
        data, notes = changing.__enter__()
    except OSError as error:
        if not _UNSAVED:
            _UNSAVED.update(progress.read()[0])
        yield _UNSAVED, [_NOT_SAVED.format(error)]
        return
    data["predictions"].update(_UNSAVED.pop("predictions", {}))
    _UNSAVED.clear()
    try:
        yield data, notes
    except BaseException:
        changing.__exit__(*sys.exc_info())
        raise
    try:
        changing.__exit__(None, None, None)
    except OSError as error:
        _UNSAVED.update(data)
        print(_NOT_SAVED.format(error))


def _told(exercise: str, question: str, made: list[dict], seen, unit: str) -> str:
    shown = _with_unit(seen, unit)
    early = [one for one in made if not one.get("after_reveal")]
    if not early:
        late = " The number you kept came after the run had shown." if made else ""
        return f"{exercise}: {question}: {shown}. No prediction was made before this run.{late}"
    first = early[0]["value"]
    words = f"{exercise}: {question}: you predicted {_with_unit(first, unit)}, the run shows {shown}"
    if first == seen:
        words += ": exactly."
    elif first and seen and (first > 0) == (seen > 0):
        words += f", {seen / first:.3g} times your number."
    else:
        words += "."
    if len(made) > 1:
        words += f" Kept beside it: {', '.join(_with_unit(one['value'], unit) for one in made if one is not early[0])}."
    if not all(one["genuine"] for one in made):
        words += " A number in the progress file was changed by hand."
    return words


def _listed(exercise: str, question: str) -> str:
    return ", then ".join(_with_unit(one["value"], "") for one in _made(exercise, question))


def _with_unit(value, unit: str) -> str:
    number = f"{value:,}" if isinstance(value, numbers.Integral) else f"{value:,.6g}"
    return f"{number} {unit}".rstrip()


def _seal(exercise: str, question: str, place: int, one: dict) -> str:
    """A checksum: it shows a slip of the hand in an editor. It is no secret and keeps nobody from forging it."""
    text = json.dumps([exercise, question, place, one.get("value"), one.get("at"), one.get("after_reveal")])
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
