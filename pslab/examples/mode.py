"""Consistency models by the names people type: bsp, ssp:3, asp."""

from __future__ import annotations

import re

from pslab.ps import ASP, BSP, SSP, Consistency

_FORMS = "bsp, ssp:S with a whole number S from 0, asp"


def mode_of(text: str | Consistency) -> Consistency:
    """"bsp", "asp" or "ssp:3" as an object; an object as it is. ValueError names what is allowed."""
    if isinstance(text, Consistency):
        return text
    if text == "bsp":
        return BSP()
    if text == "asp":
        return ASP()
    found = re.fullmatch(r"ssp:(\d{1,9})", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"mode {text!r}: allowed are {_FORMS}")
    return SSP(int(found[1]))


def name_of(consistency: Consistency) -> str:
    """The other way round, for captions: "BSP", "SSP(3)", "ASP"; others as they print."""
    text = repr(consistency)
    staleness = getattr(consistency, "staleness", None)
    if isinstance(consistency, SSP):
        return f"SSP({staleness})"
    return text.removesuffix("()")
