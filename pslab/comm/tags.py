"""Tags that are not the user's: each collective has one, far above what programs use, so that messages never meet.

A group that disagrees on which collective it is in stalls, and the table of waits says who is in which.
"""

from __future__ import annotations

COLLECTIVE_TAGS = {name: 2_000_000_000 + i for i, name in enumerate(
    ("broadcast", "reduce_scatter", "all_gather", "all_reduce", "all_to_all", "reduce", "scatter", "gather"), start=1)}
_NAMES = {tag: name for name, tag in COLLECTIVE_TAGS.items()}


def label(tag: int) -> str:
    """The tag as a table shows it: its number, or the name of the collective that it belongs to."""
    return _NAMES.get(tag) or str(tag)
