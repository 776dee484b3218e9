"""Seeds: one that everybody sees, and one for each student that nobody sees before the grade.

    public   blake2b('pslab public', exercise)              the same for all, on every machine
    hidden   blake2b(secret, student, exercise)             needs the course's secret

Each part is preceded by its length, so that ('ab', 'c') and ('a', 'bc') differ.
"""

from __future__ import annotations

import hashlib

from .exercise import Case


def public_seed(exercise_id: str) -> int:
    """The seed of the checks that students run themselves: 0 .. 2**64 - 1."""
    return _number("pslab public", exercise_id)


def hidden_seed(secret: str, student: str, exercise_id: str) -> int:
    """The seed of one student's hidden checks. ValueError without a secret or a student."""
    if not secret or not secret.strip():
        raise ValueError("secret is empty; hidden checks need the course's secret")
    if not student or not student.strip():
        raise ValueError("student is empty; hidden checks need a student id")
    return _number("pslab hidden", secret, student, exercise_id)


def cases(exercise_id: str, student: str | None = None, secret: str | None = None) -> tuple[Case, Case | None]:
    """(public case, hidden case) of one exercise; without a secret there is no hidden one."""
    public = Case(public_seed(exercise_id), True, student)
    if secret is None:
        return public, None
    return public, Case(hidden_seed(secret, student or "", exercise_id), False, student)


def seed_id(secret: str | None) -> str:
    """A name for the secret that can stand in a result file: it tells two secrets apart and gives neither away."""
    return "public" if secret is None else "hidden-" + _digest("pslab seed id", secret).hex()[:12]


def _number(*parts: str) -> int:
    return int.from_bytes(_digest(*parts)[:8], "little")


def _digest(*parts: str) -> bytes:
    out = hashlib.blake2b(digest_size=32)
    for part in parts:
        data = part.encode("utf-8")
        out.update(len(data).to_bytes(8, "little") + data)
    return out.digest()
