"""The tables of docs/terms.md as a glossary: one entry for each term, found by the search and linked by {term}.

    | term | here |                       ```{glossary}
    | --- | --- |              ->         push
    | push, pull | gradients … |          pull
                                            gradients …
                                          ```
"""

from __future__ import annotations

import re

_ROW = re.compile(r"^\|(.+)\|\s*$")
_COMMA = re.compile(r",\s+(?![^(]*\))")


def as_glossary(text: str) -> str:
    """`text` with each Markdown table whose first column is headed "term" or "letter" made a glossary."""
    written, table = [], []
    for line in [*text.splitlines(), ""]:
        if _ROW.match(line):
            table.append(line)
            continue
        if table:
            written += _entries(table)
            table = []
        written.append(line)
    return "\n".join(written).rstrip() + "\n"


def _entries(table: list[str]) -> list[str]:
    head, _, *rows = table
    if _cells(head)[0] not in ("term", "letter"):
        return table
    written = ["```{glossary}"]
    for row in rows:
        names, meaning = _cells(row)
        pairs = list(zip(_names(names), _COMMA.split(meaning)))
        if _cells(head)[0] == "letter" and len(pairs) == len(_names(names)) == len(_COMMA.split(meaning)):
            for name, its in pairs:  # "K, S | workers, servers" are two terms, each with its own meaning
                written += [name, f"  {its}", ""]
        else:
            written += [*_names(names), f"  {meaning}", ""]
    return [*written, "```"]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def _names(cell: str) -> list[str]:
    return [name.strip().strip("*`") for name in _COMMA.split(cell)]
