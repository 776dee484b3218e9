"""Python and the packages: what the package itself asks for, held against what is here.

Only names and versions are looked at; nothing heavy is imported.
"""

from __future__ import annotations

import platform
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from .finding import Finding

PART = "installed"
INSTALL_EXTRA = "pip install -c constraints.txt -e '.[{}]'"
INSTALL = f"run `make setup` in the course's folder, or: {INSTALL_EXTRA.format('dev')}"
# What each extra is for, in the order of the report; an extra that is not named here is reported by its name.
EXTRAS = {
    "notebooks": "chapters and labs in JupyterLab",
    "site": "`make site`, the web pages",
    "dev": "`make test`",  # what `make setup` brings: all three
}
OLDEST_PYTHON = (3, 11)


def installed(requires: Iterable[str] | None = None, version_of: Callable[[str], str] = metadata.version,
              python: tuple = sys.version_info) -> list[Finding]:
    """Findings on Python, the packages that everything needs (one each where it fails), and one for each extra.

    requires: requirement strings ("torch>=2.6,<3", 'jupyterlab>=4; extra == "notebooks"'); default: the package's own.
    """
    found = [_python(python)]
    try:
        lines = asked_for() if requires is None else list(requires)
        said = f"pslab {version_of('pslab')}"
    except metadata.PackageNotFoundError:
        said = "pslab itself is not installed in this Python"
        return [*found, Finding(PART, "pslab", "missing", said, INSTALL, True)]
    found.append(Finding(PART, "pslab", "ok", said, needed=True))
    groups: dict[str, list[str]] = {"": []}
    for line in lines:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        groups.setdefault(extra[1] if extra else "", []).append(requirement.strip())
    found += _needed(groups.pop(""), version_of)
    for extra in sorted(groups, key=lambda name: (list(EXTRAS).index(name) if name in EXTRAS else 99, name)):
        found.append(_extra(extra, groups[extra], version_of))
    return found


def asked_for(root: Path | None = None) -> list[str]:
    """The package's requirements: those of the checkout that it lies in, else those it was installed with.

    An installation may be older than its checkout; what the checkout asks for is what the course needs.
    """
    file = (root or Path(__file__).resolve().parents[2]) / "pyproject.toml"
    if not file.is_file():
        return list(metadata.requires("pslab") or ())
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    return [*project["dependencies"],
            *(f'{requirement}; extra == "{extra}"' for extra, lines in extras.items() for requirement in lines)]


def _python(python: tuple) -> Finding:
    said = ".".join(map(str, python[:3])) + f" ({platform.python_implementation()})"
    if tuple(python[:2]) < OLDEST_PYTHON:
        return Finding(PART, "Python", "broken", f"{said}; 3.11 or newer is needed",
                       "install a newer Python, then: make PYTHON=/path/to/python3 setup", True)
    return Finding(PART, "Python", "ok", said, needed=True)


def _needed(requirements: list[str], version_of) -> list[Finding]:
    """One finding for all that are well, and one for each that is not."""
    fine, found = [], []
    for requirement in requirements:
        name, problem, version = _look(requirement, version_of)
        if problem:
            found.append(Finding(PART, name, "broken" if version else "missing", problem, INSTALL, True))
        else:
            fine.append(f"{name} {version}")
    return [Finding(PART, "packages", "ok", ", ".join(fine), needed=True)] * bool(fine) + found


def _extra(extra: str, requirements: list[str], version_of) -> Finding:
    purpose = EXTRAS.get(extra, f"what the extra {extra!r} brings")
    problems = [problem for requirement in requirements if not re.match(r"pslab\b", requirement)
                if (problem := _look(requirement, version_of)[1])]
    name = f"for {purpose}"
    if problems:
        way = INSTALL if extra in EXTRAS else f"in the course's folder: {INSTALL_EXTRA.format(extra)}"
        return Finding(PART, name, "missing", "; ".join(problems), way, value={"extra": extra})
    return Finding(PART, name, "ok", f"all packages of the extra {extra!r}", value={"extra": extra})


def _look(requirement: str, version_of) -> tuple[str, str, str]:
    """(name, what is wrong or "", version or "")."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
    try:
        version = version_of(name)
    except metadata.PackageNotFoundError:
        return name, f"{name} is not installed", ""
    wanted = requirement[len(name):].strip()
    if _outside(version, wanted):
        return name, f"{name} {version} is here, {wanted} is needed", version
    return name, "", version


def _outside(version: str, wanted: str) -> bool:
    """Whether `version` breaks one of the bounds in `wanted` (">=2.6,<3"): only >=, >, <=, <, == of plain numbers."""
    have = _numbers(version)
    for sign, bound in re.findall(r"(>=|<=|==|>|<)\s*([0-9][0-9.]*)", wanted):
        need = _numbers(bound)
        size = max(len(have), len(need))
        a, b = (numbers + (0,) * (size - len(numbers)) for numbers in (have, need))
        if not {">=": a >= b, "<=": a <= b, "==": a == b, ">": a > b, "<": a < b}[sign]:
            return True
    return False


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(piece) for piece in re.match(r"[0-9.]*", version)[0].strip(".").split("."))
