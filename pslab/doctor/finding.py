"""What a probe says, and what all of them mean together.

    probe(machine) ──> Finding(name, state, said, todo)
                                     │
              ok        as it should be
              note      works, with less than it could
              missing   not there
              broken    there, and does not work
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

STATES = ("ok", "note", "missing", "broken")


@dataclass(frozen=True)
class Finding:
    """One line of the report. `needed`: the course cannot run unless this is ok or a note."""

    part: str                   # installed | machine | tried
    name: str
    state: str
    said: str                   # what was seen
    todo: str = ""              # what to do about it; needed unless the state is ok
    needed: bool = False
    value: dict = field(default_factory=dict)  # numbers for the JSON file, names with units

    def __post_init__(self):
        if self.state not in STATES:
            raise ValueError(f"state={self.state!r}; allowed: {', '.join(STATES)}")
        if self.bad and not self.todo:
            raise ValueError(f"finding {self.name!r} is {self.state} and says nothing to do; todo is needed")

    @property
    def bad(self) -> bool:
        return self.state in ("missing", "broken")


@dataclass(frozen=True)
class Ability:
    """A part of the course, and whether this machine runs it: yes | partly | no, and why."""

    name: str
    runs: str
    why: str = ""


@dataclass(frozen=True)
class Report:
    """All findings, and what of the course runs."""

    findings: tuple[Finding, ...]
    abilities: tuple[Ability, ...] = ()

    @property
    def in_the_way(self) -> tuple[Finding, ...]:
        """The findings that keep the course from running, in the order in which to mend them."""
        return tuple(finding for finding in self.findings if finding.needed and finding.bad)

    @property
    def can_run(self) -> bool:
        return not self.in_the_way

    def get(self, name: str) -> Finding | None:
        """The finding of this name, or None where nobody looked."""
        return next((finding for finding in self.findings if finding.name == name), None)

    def fine(self, *names: str) -> bool:
        """Whether all of these were looked at and none is missing or broken."""
        found = [self.get(name) for name in names]
        return all(finding is not None and not finding.bad for finding in found)


def ask(part: str, name: str, probe: Callable[[], Finding], needed: bool = False) -> Finding:
    """Run a probe. One that fails itself is a finding too: a doctor reports, and goes on to the next."""
    try:
        return probe()
    except Exception as error:  # noqa: BLE001 - whatever a machine can do wrong must end up in the report
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        return Finding(part, name, "broken", f"looking at it failed: {said}",
                       "the words above are those of Python or the system; they usually name what to change", needed)
