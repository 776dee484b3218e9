"""One page for each room of the kit that has a face, made of the names that the face shows."""

from __future__ import annotations

import importlib
import importlib.util
import inspect

ROOMS = ("comm", "collectives", "ps", "embedding", "models", "examples", "train", "data", "cost", "viz", "grade",
         "exercises", "notebooks", "classroom")


def api_pages() -> dict[str, str]:
    """{file name: reStructuredText} of the index and of every room there is."""
    rooms = [room for room in ROOMS if importlib.util.find_spec(f"pslab.{room}")]
    modules = {room: importlib.import_module(f"pslab.{room}") for room in rooms}
    shown = {room: module for room, module in modules.items() if getattr(module, "__all__", None)}
    pages = {f"{room}.rst": _page(module) for room, module in shown.items()}
    rows = [f"   * - :doc:`pslab.{room} <{room}>`\n     - {_first_line(module)}" for room, module in shown.items()]
    return {"index.rst": "\n".join([
        "API reference", "=============", "",
        "What each room of the kit shows at its face. Letters of shapes: K workers, S servers, R rows, D numbers a "
        "row, B examples of a batch, L look-ups, P parameters, b bytes an element.", "",
        ".. list-table::", "   :widths: 1 3", "", *rows, "",
        ".. toctree::", "   :hidden:", "", *(f"   {room}" for room in shown), "",
    ]), **pages}


def _page(module) -> str:
    name = module.__name__
    blocks = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
    members = {member: getattr(module, member) for member in module.__all__}
    # a module that lies under a name of the face (a picture's words, a room's part) is described by its own file
    members = {member: value for member, value in members.items() if not inspect.ismodule(value)}
    kinds = {"Classes": inspect.isclass, "Functions": inspect.isroutine,
             "Constants": lambda value: not inspect.isclass(value) and not inspect.isroutine(value)}
    for title, is_kind in kinds.items():
        names = [member for member, value in members.items() if is_kind(value)]
        if not names:
            continue
        own = [member for member in names if _room(members[member], name) == name]
        blocks += [title, "-" * len(title), "", ".. autosummary::", "   :nosignatures:", ""]
        blocks += [f"   {member}" for member in own] + [""]
        for member in names:
            blocks += _entry(name, member, members[member])
    return "\n".join(blocks)


def _entry(room: str, member: str, value) -> list[str]:
    full_name, home = f"{room}.{member}", _room(value, room)
    if home != room:
        return [f"``{member}`` is that of :doc:`{home} <{home.split('.')[1]}>`, shown here as well.", ""]
    if inspect.isclass(value):
        return [f".. autoclass:: {full_name}", "   :members:", "   :member-order: bysource", ""]
    if inspect.isroutine(value):
        return [f".. autofunction:: {full_name}", ""]
    # its type's docstring says nothing about it
    return [f".. py:data:: {full_name}", f"   :type: {type(value).__name__}", ""]


def _room(value, shown_in: str) -> str:
    """The room that a name of a face comes from: some are shown at two faces, and described at one."""
    made_in = getattr(value, "__module__", None) or shown_in
    return ".".join(made_in.split(".")[:2]) if made_in.startswith("pslab.") else shown_in


def _first_line(module) -> str:
    return " ".join((module.__doc__ or "").strip().split("\n\n")[0].split()).replace("*", "\\*").replace("`", "")
