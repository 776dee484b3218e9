"""`pslab doctor`: what is installed, what is missing, what to do; and what of the course runs on this machine.

    installed ──> machine ──> tried ──> of the course           each line a Finding: ok | note | missing | broken
    (packages)    (memory, …) (2 ranks)  (which parts run)      the exit code is 1 when a needed one is not ok

    finding.py    Finding, Report: what a probe says, and what all of them mean
    installed.py  Python and packages, held against what the package itself asks for
    machine.py    system, cores, memory, folders, browser, GPU, data
    tried.py      what is really done: a simulated ring, an all-reduce in two processes, Gloo, torchrun, a kernel
    probes.py     all probes in order
    course.py     from findings to the parts of the course that run
    words.py      the report on the screen and as JSON

`pslab doctor --class 11.9` is `pslab.classroom.rehearse`: every demonstration of a chapter, once, on this machine.
"""

from __future__ import annotations

from .finding import Ability, Finding, Report
from .probes import examine

__all__ = ["Ability", "Finding", "Report", "add_arguments", "examine", "main"]


def add_arguments(parser) -> None:
    """The options of `pslab doctor`."""
    parser.add_argument("--json", metavar="FILE", help="also write the report to FILE")
    parser.add_argument("--quick", action="store_true", help="leave out torchrun and the notebook kernel (seconds)")
    parser.add_argument("--class", dest="chapter", metavar="CHAPTER",
                        help="rehearse a chapter's demonstrations in place of looking at the machine: --class 11.9")
    parser.add_argument("--stage", action="store_true",
                        help="with --class: pictures for a projector, large type, 1280 x 720")
    parser.add_argument("--record", metavar="FILE",
                        help="with --class: write the notebook with the outputs of this rehearsal to FILE (.ipynb)")


def main(options) -> int:
    """Run `pslab doctor`; exit code 0 when the course (or the class) can run, else 1."""
    if options.chapter:
        if options.quick:
            raise ValueError("--quick has no meaning with --class: a rehearsal runs the chapter's cells")
        try:
            from pslab import classroom
        except ModuleNotFoundError as error:
            raise ValueError(f"the package {error.name!r} is missing; `pslab doctor`, without --class, says what to do"
                             ) from None
        return classroom.main_rehearse(options.chapter, stage=options.stage, json_file=options.json,
                                       record=options.record)
    for name in ("stage", "record"):
        if getattr(options, name):
            raise ValueError(f"--{name} needs --class CHAPTER, for example --class 11.9")
    return _examine(options)


def _examine(options) -> int:
    from pathlib import Path

    from .words import TITLES, line, summary, write_json

    parts: list[str] = []

    def told(finding: Finding) -> None:
        if finding.part not in parts:
            parts.append(finding.part)
            print(("\n" if parts[1:] else "") + TITLES[finding.part])
        print(line(finding), flush=True)

    report = examine(options.quick, told)
    print(summary(report))
    if options.json:
        write_json(report, Path(options.json))
    return 0 if report.can_run else 1
