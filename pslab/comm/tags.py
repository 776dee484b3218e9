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
# Where the tags of each collective begin; a call's own lies above.
COLLECTIVE_TAGS = {name: FIRST_CALL + (i << _COLLECTIVE_AT) for i, name in enumerate(COLLECTIVES, start=1)}
_NAMES = {head >> _COLLECTIVE_AT: name for name, head in COLLECTIVE_TAGS.items()}


def is_call(tag: int) -> bool:
    """Whether a collective made this tag."""
    return FIRST_CALL <= tag < 2 * FIRST_CALL


def label(tag: int) -> str:
    """The tag as a table shows it: its number, or the name of the collective that it belongs to."""
    return _NAMES.get(tag >> _COLLECTIVE_AT) or str(tag)
