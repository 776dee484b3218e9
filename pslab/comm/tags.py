"""Tags that are not the user's: each call of a collective has its own, far above what programs use.

    2⁵⁹ + | which collective (4 bits) | what was asked for (31 bits) | the how many-th call of this group (24 bits)

Every rank works its tag out alone, from its own call (see `calls`). So the messages of equal calls meet, and those of
calls that differ (in the op, the root, the dtype, the length, …) never do.
"""

from __future__ import annotations

COLLECTIVES = ("broadcast", "reduce_scatter", "all_gather", "all_reduce", "all_to_all", "reduce", "scatter", "gather",
               "barrier", "split")
FIRST_CALL = 1 << 59                    # two digits of a Python integer, as 2 billion: no slower in a table of messages
_COLLECTIVE_AT, ASKED_AT = 55, 24
ASKED, COUNT = (1 << 31) - 1, (1 << ASKED_AT) - 1
HEADS = {name: FIRST_CALL + (i << _COLLECTIVE_AT) for i, name in enumerate(COLLECTIVES, start=1)}
COLLECTIVE_TAGS = HEADS
_NAMES = {head >> _COLLECTIVE_AT: name for name, head in HEADS.items()}


def is_call(tag: int) -> bool:
    """Whether a collective made this tag."""
    return FIRST_CALL <= tag < 2 * FIRST_CALL


def number_of(tag: int) -> int:
    """Which call of its group a collective's tag belongs to: 1 for the first."""
    return tag & COUNT


def label(tag: int) -> str:
    """The tag as a table shows it: its number, or the name of the collective that it belongs to."""
    return _NAMES.get(tag >> _COLLECTIVE_AT) or str(tag)
