"""What a filter is, and which tables of a worker have which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Filter:
    """Something done to letters between worker and server, to save bytes. A choice: the two ends do its work."""


def by_table(filters: Sequence[Filter] | Mapping[str, Sequence[Filter]], names: Sequence[str]) -> dict[str, dict]:
    """{table: {kind: filter}} from one list for all tables, or a list for each table that has some."""
    given = dict(filters) if isinstance(filters, Mapping) else dict.fromkeys(names, filters)
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"filters names table {unknown[0]!r}; allowed: {', '.join(map(repr, names))}")
    chosen = {}
    for name, some in given.items():
        if not isinstance(some, (list, tuple)) or not all(isinstance(one, Filter) for one in some):
            raise ValueError(f"filters={some!r} of table {name!r}; a list of filters (KeyCaching(), ...) is needed")
        kinds = [type(one) for one in some]
        twice = [kind.__name__ for kind in kinds if kinds.count(kind) > 1]
        if twice:
            raise ValueError(f"filters of table {name!r} holds {twice[0]} twice")
        if kinds:
            chosen[name] = dict(zip(kinds, some))
    return chosen
