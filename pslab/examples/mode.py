"""Consistency models by the names people type: bsp, ssp:3, delay:2, asp."""

from __future__ import annotations

import re

from pslab.ps import ASP, BSP, SSP, BoundedDelay, Consistency

_FORMS = "bsp, ssp:S (S rounds ahead), delay:T (T iterations under way), asp"


def mode_of(text: str | Consistency) -> Consistency:
    """"bsp", "asp", "ssp:3" or "delay:2" as an object; an object as it is. ValueError names what is allowed."""
    if isinstance(text, Consistency):
        return text
    if text in ("bsp", "asp"):
        return BSP() if text == "bsp" else ASP()
    found = re.fullmatch(r"(ssp|delay):(\d{1,9})", text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"mode {text!r}: allowed are {_FORMS}")
    return (SSP if found[1] == "ssp" else BoundedDelay)(int(found[2]))


def name_of(consistency: Consistency) -> str:
    """The other way round, for captions: "BSP", "SSP(3)", "ASP"; others as they print."""
    if consistency == BSP():
        return "BSP"
    return f"SSP({consistency.staleness})" if type(consistency) is SSP else repr(consistency).removesuffix("()")
