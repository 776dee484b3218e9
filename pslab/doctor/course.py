"""What of the course runs here: each part of it, and the findings it hangs on.

    findings ──> "programs in the simulated world: yes"
                 "`pslab demo`: partly, on the synthetic click log"
                 "the web pages: no, sphinx is not installed"
"""

from __future__ import annotations

from .finding import Ability, Finding, Report

GROUND = ("Python", "pslab", "system", "memory", "torch")


def abilities(report: Report) -> tuple[Ability, ...]:
    """One line for each part of the course, from what was found."""
    processes = (*GROUND, "two processes")
    found = [
        _needs(report, "programs in the simulated world", (*GROUND, "simulated world")),
        _needs(report, "programs in real processes", processes),
        _needs(report, "chapters and labs in JupyterLab",
               (*processes, "for chapters and labs in JupyterLab", "notebook kernel", "notebooks")),
        _demo(report, processes),
        _needs(report, "torch.distributed beside the kit (last part of 11.9)", (*processes, "Gloo")),
        _needs(report, "programs under torchrun", (*GROUND, "torchrun")),
        _tests(report),
        _needs(report, "`make site`", (*GROUND, "for `make site`, the web pages", "notebooks")),
    ]
    return tuple(found)


def _needs(report: Report, what: str, names: tuple[str, ...]) -> Ability:
    """yes, no with the first reason, or "not tried" where a probe was left out."""
    for finding in filter(None, map(report.get, names)):
        if finding.bad:
            return Ability(what, "no", f"{finding.name}: {finding.said}")
    packages = [finding for finding in report.in_the_way if finding.part == "installed"]
    if packages:
        return Ability(what, "no", f"{packages[0].name}: {packages[0].said}")
    left_out = [name for name in names if report.get(name) is None]
    if left_out:
        return Ability(what, "not tried", f"left out: {', '.join(left_out)}")
    return Ability(what, "yes")


def _demo(report: Report, names: tuple[str, ...]) -> Ability:
    ability = _needs(report, "`pslab demo`", names)
    if ability.runs == "yes" and not report.fine("MovieLens-100K"):
        return Ability(ability.name, "partly", "on the synthetic click log, without MovieLens-100K")
    return ability


def _tests(report: Report) -> Ability:
    ability = _needs(report, "`make test`", (*GROUND, "two processes", "for `make test`", "notebooks"))
    if ability.runs == "yes" and not report.fine("chromium"):
        return Ability(ability.name, "partly", "without the tests in a browser")
    return ability


def mended(findings: tuple[Finding, ...]) -> Report:
    """The report of these findings, with what of the course runs."""
    bare = Report(findings)
    return Report(findings, abilities(bare))
