"""The report on the screen, and as a JSON file."""

from __future__ import annotations

import json
import textwrap
import time
from dataclasses import asdict
from pathlib import Path

import pslab

from .finding import Finding, Report

SCHEMA = 1
TITLES = {"installed": "Installed", "machine": "This machine", "tried": "Tried just now"}
WIDTH = 100


def line(finding: Finding) -> str:
    """One finding: its state, its name, what was seen; below it, what to do."""
    said = f"{finding.name}: {finding.said}"
    text = textwrap.fill(said, WIDTH, initial_indent=f"  {finding.state:<8} ", subsequent_indent=" " * 11,
                         break_long_words=False, break_on_hyphens=False)
    if finding.todo and finding.state != "ok":
        text += "\n" + textwrap.fill(finding.todo, WIDTH, initial_indent=" " * 11 + "-> ", subsequent_indent=" " * 14,
                                     break_long_words=False, break_on_hyphens=False)
    return text


def summary(report: Report) -> str:
    """What of the course runs here, and the one sentence that the exit code stands for."""
    lines = ["", "What of the course runs here"]
    for ability in report.abilities:
        why = f" ({ability.why})" if ability.why else ""
        lines.append(textwrap.fill(f"{ability.name}{why}", WIDTH, initial_indent=f"  {ability.runs:<10} ",
                                   subsequent_indent=" " * 13, break_long_words=False, break_on_hyphens=False))
    if report.can_run:
        lines += ["", "The course can run on this machine."]
    else:
        first = ", ".join(finding.name for finding in report.in_the_way)
        lines += ["", f"The course cannot run here yet. First mend: {first}."]
    return "\n".join(lines)


def as_json(report: Report) -> dict:
    """The whole report as plain values; `schema` grows when a field changes its meaning."""
    return {
        "schema": SCHEMA,
        "pslab": pslab.__version__,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "can_run": report.can_run,
        "findings": [asdict(finding) for finding in report.findings],
        "course": [asdict(ability) for ability in report.abilities],
    }


def write_json(report: Report, path: Path) -> None:
    """Write the report to `path`, aside first, so that nobody reads half of it."""
    aside = path.with_name(path.name + ".tmp")
    aside.write_text(json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8")
    aside.replace(path)
