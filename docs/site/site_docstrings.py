"""Docstrings of the kit, written for people who read code, as reStructuredText.

    prose with `names`            ->  prose with ``names``, stars and underscores escaped
    anything drawn or aligned     ->  a literal block, as it stands: indentation, runs of blanks, ASCII pictures
    >>> examples                  ->  examples
    - lists                       ->  lists
"""

from __future__ import annotations

import inspect
import re
import textwrap

_NAME = re.compile(r"(`+)(.+?)\1")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,2})(?=[^\s*])([^*]+?)(?<=[^\s*])\1(?![\w*])")
_DRAWN = re.compile(r"\S {3,}\S|[─│┌┐└┘├┤┬┴┼═╡▶◀▲▼]")


def as_rst(docstring: str) -> str:
    """The docstring as reStructuredText that Sphinx reads without a warning."""
    first, _, rest = docstring.partition("\n")
    paragraphs = re.split(r"\n[ \t]*\n", f"{first.strip()}\n{textwrap.dedent(rest)}".strip("\n"))
    written: list[str] = []
    in_literal = False
    for paragraph in filter(str.strip, paragraphs):
        for kind, text in _parts(paragraph.strip("\n")):
            if kind == "literal":
                written += ([] if in_literal else ["::"]) + [textwrap.indent(text, "    ")]
            else:
                # an empty comment ends a literal block, so that a list or example after it is not taken for its part
                written.append(text)
            in_literal = kind == "literal"
    return "\n\n".join(written) + "\n"


def setup(app) -> dict:
    def processed(app, what, name, obj, options, lines: list[str]) -> None:
        text = "\n".join(lines)
        lines[:] = [] if _of_its_type(obj, text) else as_rst(text).split("\n")

    app.connect("autodoc-process-docstring", processed)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _of_its_type(value, docstring: str) -> bool:
    """Whether a docstring is that of a plain value's type: `True` would be described as what bool() does."""
    if isinstance(value, type | property) or callable(value):
        return False
    return (inspect.getdoc(type(value)) or "").split() == docstring.split()


def _parts(paragraph: str) -> list[tuple[str, str]]:
    """One paragraph as pieces of one kind each: an example may follow its sentence without a blank line."""
    lines = paragraph.split("\n")
    example = next((i for i, line in enumerate(lines) if line.lstrip().startswith(">>>")), None)
    if example is not None:
        before = _parts("\n".join(lines[:example])) if example else []
        return [*before, ("example", textwrap.dedent("\n".join(lines[example:])))]
    if lines[0].startswith("- ") and all(line.startswith(("- ", "  ")) for line in lines):
        return [("list", "\n".join(map(_prose, lines)))]
    if any(line.startswith(" ") for line in lines) or _DRAWN.search(paragraph):
        return [("literal", paragraph)]
    return [("prose", _prose(paragraph))]


def _prose(text: str) -> str:
    kept: list[str] = []

    def keep(piece: str) -> str:
        kept.append(piece)
        return f"\0{len(kept) - 1}\0"

    text = _NAME.sub(lambda m: keep(f"``{m[2].strip()}``") if m[2].strip() else m[0], text)
    text = _EMPHASIS.sub(lambda m: keep(m[0]), text)
    text = re.sub(r"([\\*|`])", r"\\\1", text)
    text = re.sub(r"_(?=\W|$)", r"\_", text)  # a word that ends in _ would be a link
    # a name beside a letter ("`x`s") needs an invisible end
    text = re.sub(r"\0(\d+)\0(?=\w)", lambda m: f"\0{m[1]}\0\\ ", text)
    text = re.sub(r"(?<=\w)\0(\d+)\0", lambda m: f"\\ \0{m[1]}\0", text)
    return re.sub(r"\0(\d+)\0", lambda m: kept[int(m[1])], text)
