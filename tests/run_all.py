"""Every stage of `make test`, one after the other, and one line at the end that says what happened.

    lint        ruff, import rules (lint-imports), spelling (codespell)
    notebooks   text and stored notebooks agree (python -m pslab.notebooks check)
    unit        tests/, two at a time, without those marked `serial` or `long`
    serial      tests marked `serial`, one at a time: timings
    browser     tests/browser, two at a time: chapters and labs opened in a real browser
    nbval       every notebook executed again and compared with its stored outputs
    long        tests marked `long` (only with --long, and then alone)

A stage that fails does not stop the others; the exit status is 0 only when all of them passed.
A test stage that runs no test has failed: an empty result is not a good one.

Tests of real processes share the machine with another test and with whatever else runs there. A test that fails is
therefore run once more, alone; if it passes then, it is named at the end and does not fail the stage. More than
SECOND_CHANCES failures in a stage are not an accident, and nothing is run again.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SECOND_CHANCES = 5
NOTEBOOK_FOLDERS = ("chapters", "labs", "solutions")
# One thread a process: two test processes with up to four ranks each share a small machine.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


@dataclass(frozen=True)
class Stage:
    name: str
    commands: tuple[tuple[str, ...], ...]
    limit_s: float
    is_pytest: bool = False


@dataclass
class Outcome:
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skips: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)  # tests that failed beside others and passed alone
    ran: set[str] = field(default_factory=set)
    bad_tests: dict[str, str] = field(default_factory=dict)  # name of each test that failed: its file
    problems: list[str] = field(default_factory=list)  # what went wrong besides single tests, each counted as an error

    @property
    def bad(self) -> bool:
        return bool(self.failed or self.errors or self.problems)


def stages(long: bool) -> list[Stage]:
    """The stages of `make test`, or the one of `make test-long`."""
    python = sys.executable
    pytest = (python, "-m", "pytest", "-q", "-rs")
    alone = ("-p", "no:xdist")
    if long:
        return [Stage("long", ((*pytest, *alone, "-m", "long", "--timeout=1800", "tests"),), 7200, True)]
    nbval = ("--nbval", "--nbval-current-env", "--nbval-cell-timeout=60", "--nbval-sanitize-with",
             "tests/nbval_sanitize.cfg", "-n2", "--dist", "loadfile")  # fmt: skip
    return [
        Stage("lint", ((python, "-m", "ruff", "check", "--quiet", "."), (str(BIN / "lint-imports"), "--no-logo"),
                       (str(BIN / "codespell"),)), 120),
        Stage("notebooks", ((python, "-m", "pslab.notebooks", "check"),), 60),
        Stage("unit", ((*pytest, "-n2", "--dist", "loadfile", "-m", "not serial and not long", "tests"),), 900, True),
        Stage("serial", ((*pytest, *alone, "-m", "serial and not long", "--ignore=tests/browser", "tests"),), 600,
              True),
        Stage("browser", ((*pytest, "-n2", "--dist", "load", "-m", "not long", "tests/browser"),), 600, True),
        Stage("nbval", ((*pytest, *nbval, *notebooks()),), 900, True),
    ]  # fmt: skip


def notebooks() -> list[str]:
    """The stored notebooks; the front page and every chapter, lab and solution."""
    found = sorted(p for folder in NOTEBOOK_FOLDERS for p in (ROOT / folder).glob("*.ipynb"))
    return [str(p.relative_to(ROOT)) for p in found]


def run_stage(stage: Stage) -> Outcome:
    """Run one stage with its output going straight to the screen; never longer than stage.limit_s."""
    outcome, deadline = Outcome(), time.monotonic() + stage.limit_s
    for command in stage.commands:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "junit.xml"
            extra = (f"--junitxml={report}", "-o", "junit_family=xunit1") if stage.is_pytest else ()
            status = run_limited([*command, *extra], max(1.0, deadline - time.monotonic()))
            if stage.is_pytest:
                read_report(report, outcome)
            if status == 1 and 0 < len(outcome.bad_tests) <= SECOND_CHANCES:
                status = run_again(command, outcome, max(1.0, deadline - time.monotonic()))
        if status is None:
            outcome.problems.append(f"{name_of(command)} stopped after {stage.limit_s:.0f} s")
        elif status != 0 and not (outcome.failed or outcome.errors):
            empty = stage.is_pytest and status == 5
            outcome.problems.append("no test ran" if empty else f"{name_of(command)}: exit status {status}")
        elif status == 0 and not stage.is_pytest:
            outcome.passed += 1
    return outcome


def run_again(command: tuple[str, ...], outcome: Outcome, limit_s: float) -> int | None:
    """Run the tests that failed once more, alone, and note in `outcome` which of them pass; the new exit status."""
    names = list(outcome.bad_tests)
    print(f"\n{f' again, alone: {counts([outcome])} ':-^100}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "junit.xml"
        status = run_limited([*alone(command, outcome), f"--junitxml={report}", "-o", "junit_family=xunit1"], limit_s)
        second = Outcome()
        read_report(report, second)
    still = [name for name in names if name in second.bad_tests or name not in second.ran]
    outcome.second = [name for name in names if name not in still]
    outcome.passed += len(outcome.second)
    outcome.errors = min(second.errors, len(still))
    outcome.failed = len(still) - outcome.errors
    return status


def alone(command: tuple[str, ...], outcome: Outcome) -> list[str]:
    """The command for the tests that failed: pytest remembers them; of a notebook, all cells run again."""
    kept = [part for part in command if part not in ("-n2", "--dist", "load", "loadfile")]
    if "--nbval" not in command:
        return [*kept, "--last-failed", "--last-failed-no-failures=none"]
    return [*(part for part in kept if not part.endswith(".ipynb")), *sorted(set(outcome.bad_tests.values()))]


def name_of(command: tuple[str, ...]) -> str:
    """The program a person knows: `ruff` of `python -m ruff check`, `codespell` of a path to it."""
    return command[2] if command[1:2] == ("-m",) else Path(command[0]).name


def run_limited(command: list[str], limit_s: float) -> int | None:
    """Exit status of `command` run in ROOT, or None when the limit passed and its process group was killed."""
    with tempfile.TemporaryDirectory() as home:  # a progress file of the stage's own: nobody's predictions are touched
        env = {**os.environ, **ENVIRONMENT, "PSLAB_HOME": home}
        process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
        try:
            return process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return None
        finally:  # also on Ctrl-C: what the stage started ends with it
            if process.poll() is None:
                stop(process)


def stop(process: subprocess.Popen, grace_s: float = 20.0) -> None:
    """Interrupt first: pytest then closes its fixtures, a browser and JupyterLab among them. Then kill."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_report(report: Path, outcome: Outcome) -> None:
    """Add pytest's own counts from its JUnit file, skipped tests with their reasons."""
    if not report.exists():
        outcome.problems.append("pytest wrote no report")
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds, name = {child.tag for child in case}, f"{case.get('classname')}.{case.get('name')}"
        outcome.ran.add(name)
        if kinds & {"error", "failure"}:
            outcome.bad_tests[name] = case.get("file", "")
        if "error" in kinds:
            outcome.errors += 1
        elif "failure" in kinds:
            outcome.failed += 1
        elif "skipped" in kinds:
            reason = case.find("skipped").get("message", "no reason given")
            outcome.skips.append(f"{name}: {reason}")
        else:
            outcome.passed += 1


def summarise(outcomes: dict[str, tuple[Outcome, float]], seconds: float) -> int:
    """Print what each stage did, what did not run, and the one line; return the exit status."""
    print(f"\n{' stages ':=^100}")
    for name, (outcome, stage_s) in outcomes.items():
        word = "FAILED" if outcome.bad else "ok"
        why = f"  ({'; '.join(outcome.problems)})" if outcome.problems else ""
        print(f"{name:<10} {word:<7} {counts([outcome]):<40} {stage_s:6.1f} s{why}")
    skips = [line for outcome, _ in outcomes.values() for line in outcome.skips]
    if skips:
        print("\nDid not run:")
        for line in skips:
            print(f"  {line}")
    second = [line for outcome, _ in outcomes.values() for line in outcome.second]
    if second:
        print("\nFailed beside other tests, passed alone:")
        for line in second:
            print(f"  {line}")
    everything = [outcome for outcome, _ in outcomes.values()]
    print(f"{f' {counts(everything)} in {seconds:.2f}s ':=^100}")
    return int(any(o.bad for o in everything) or not any(o.passed for o in everything))


def counts(outcomes: list[Outcome]) -> str:
    numbers = {
        "failed": sum(o.failed for o in outcomes),
        "passed": sum(o.passed for o in outcomes),
        "skipped": sum(len(o.skips) for o in outcomes),
        "errors": sum(o.errors + len(o.problems) for o in outcomes),
    }
    return ", ".join(f"{n} {word}" for word, n in numbers.items() if n) or "nothing ran"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests/run_all.py", description=__doc__.split("\n")[0])
    parser.add_argument("--long", action="store_true", help="the long tests, and nothing else")
    parser.add_argument("--stage", action="append", help="only this stage; may be given more than once")
    options = parser.parse_args(arguments)
    known = {stage.name: stage for stage in stages(options.long)}
    for name in options.stage or ():
        if name not in known:
            parser.error(f"--stage is {name!r}; it must be one of {', '.join(known)}")
    outcomes, start = {}, time.monotonic()
    for name in [n for n in known if not options.stage or n in options.stage]:
        print(f"\n{f' {name} ':=^100}", flush=True)
        stage_start = time.monotonic()
        outcomes[name] = (run_stage(known[name]), time.monotonic() - stage_start)
    return summarise(outcomes, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
