"""What every world refuses before it starts anything, in the caller's terms."""

from __future__ import annotations

from numbers import Real


def is_number(value) -> bool:
    """A real number, of Python or NumPy; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_world_size(value, most: int | None = None, note: str = "") -> None:
    """ValueError unless it is a whole number from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
        raise ValueError(f"world_size={value!r}; {note}")


def check_start(program, args: tuple, per_rank, world_size: int, timeout_s: float, limit_s: float = 1.0) -> list[tuple]:
    """The arguments of each rank; ValueError for what cannot be run."""
    if not callable(program):
        raise ValueError(f"program={program!r}; a function of (comm, ...) is needed")
    for name, value in (("timeout_s", timeout_s), ("limit_s", limit_s)):
        if not is_number(value) or not value > 0:
            raise ValueError(f"{name}={value!r}; more than 0 seconds are needed")
    if per_rank is None:
        return [args] * world_size
    if args:
        raise ValueError("give either the same arguments to all ranks, or per_rank=, not both")
    if not isinstance(per_rank, (list, tuple)) or len(per_rank) != world_size or (
            not all(isinstance(mine, (tuple, list)) for mine in per_rank)):
        held = f"holds {len(per_rank)} entries" if isinstance(per_rank, (list, tuple)) else f"is {per_rank!r}"
        raise ValueError(f"per_rank {held}; one tuple of arguments for each of the {world_size} ranks is needed")
    return [tuple(mine) for mine in per_rank]
