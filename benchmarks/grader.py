"""The kill matrix: every shipped answer of the labs against every criterion, in the box that grades students.

    exercise 9.3                            by hand   shared   repeated   bytes   ...
      right_ring                               ·         ·         ·        ·             · passed
      wrong_duplicates_lost                    ·         ·         K        ·             K refuses it, as declared
      wrong_no_division                        K         x         x        ·             x refuses it too
      stub                                     o         o         o        o             o not yet

A wrong answer declares which criterion a student meets first (REFUSED_BY) and which sentence it reads there
(MISCONCEPTION); BASE names an answer that it is written on top of. LONG = True leaves an answer to `make test-long`:
here all are judged. Exit code 1 when one survives or is refused otherwise, when a right answer is refused, a stub
passes, or an exercise has too few answers or hints.

    pslab bench grader --lab 9          or          python benchmarks/grader.py --exercise 9.3
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import check_writable, machine, write_json

from pslab import exercises
from pslab.grade import Exercise, Verdict, cases

ANSWERS = Path(__file__).resolve().parent.parent / "tests" / "answers"
LEAST_WRONG, LEAST_RIGHT, LEAST_HINTS = 5, 2, 2
SECRET, STUDENT = "kill matrix", "student-1"


@dataclass(frozen=True)
class Answer:
    """One file under tests/answers/labN/ex_N_M/. `refused_by` and `misconception` are None for right ones."""

    exercise: str
    name: str
    text: str
    right: bool
    refused_by: str | None = None
    misconception: str | None = None
    long: bool = False


@dataclass
class Row:
    """What became of one answer: verdicts by criterion, what is wrong with that, and the seconds it took."""

    answer: Answer
    verdicts: list[tuple[str, Verdict]]
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lab", help="only this lab, such as 9 (default: all labs)")
    parser.add_argument("--exercise", help="only this exercise, such as 9.3")
    parser.add_argument("--answer", default="", help="only answers whose file name contains this")
    parser.add_argument("--first", action="store_true", help="stop each answer at the first criterion that refuses it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all verdicts to FILE")


def main(args: argparse.Namespace) -> int:
    if args.json:
        check_writable("--json", args.json)
    started_s, rows, problems = time.perf_counter(), [], []
    for exercise in chosen(args.lab, args.exercise):
        answers = [answer for answer in answers_of(exercise.id) if args.answer in answer.name]
        if not args.answer:
            problems += too_few(exercise, answers)
        mine = [judged(answer, exercise, args.first) for answer in [*answers, stub(exercise)]]
        print_matrix(exercise, mine)
        rows += mine
        problems += [f"{row.answer.exercise} {row.answer.name}: {problem}" for row in mine for problem in row.problems]
    if not any(row.verdicts for row in rows):
        problems.append("nothing was judged: no exercise, or no answers")
    for problem in problems:
        print("PROBLEM", problem)
    wrong = [row for row in rows if not row.answer.right]
    print(f"{len(rows) - len(wrong)} right answers and {len(wrong)} wrong ones (stubs among them) in "
          f"{time.perf_counter() - started_s:.0f} s; {len(problems)} problem{'s' * (len(problems) != 1)}")
    if args.json:
        write_json(args.json, {"machine": machine(), "problems": problems, "answers": [as_dict(row) for row in rows]})
    return 1 if problems else 0


# ---- which answers there are ----------------------------------------------------------------------------------------


def chosen(lab: str | None = None, exercise: str | None = None) -> list[Exercise]:
    """The coding exercises asked for; ValueError for one that is not there."""
    if exercise:
        return [exercises.get(exercise)]
    return [e for name in ([lab] if lab else exercises.labs()) for e in exercises.lab(name) if e.kind == "code"]


def folder_of(exercise_id: str) -> Path:
    lab = exercise_id.partition(".")[0].lower()
    return ANSWERS / f"lab{lab}" / f"ex_{exercise_id.lower().replace('.', '_')}"


def answers_of(exercise_id: str) -> list[Answer]:
    """The answers shipped for an exercise, right ones first."""
    return [read_answer(path, exercise_id) for path in sorted(folder_of(exercise_id).glob("*.py"))]


def read_answer(path: Path, exercise_id: str) -> Answer:
    """ValueError, naming the file, for one that is neither right_ nor wrong_, or wrong and says not how it ends."""
    text = path.read_text(encoding="utf-8")
    told = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            told.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
    kind = path.stem.partition("_")[0]
    if kind not in ("right", "wrong"):
        raise ValueError(f"{path}: an answer's name begins with right_ or wrong_")
    if kind == "wrong" and not (told.get("REFUSED_BY") and told.get("MISCONCEPTION")):
        raise ValueError(f"{path}: a wrong answer declares REFUSED_BY and MISCONCEPTION")
    if "BASE" in told:
        text = path.with_name(told["BASE"] + ".py").read_text(encoding="utf-8") + "\n\n" + text
    return Answer(exercise_id, path.stem, text, kind == "right", told.get("REFUSED_BY"), told.get("MISCONCEPTION"),
                  bool(told.get("LONG")))


def stub(exercise: Exercise) -> Answer:
    """What a student starts from."""
    text = "\n".join(f"def {name}(*args, **kwargs):\n    raise NotImplementedError({exercise.id!r})\n"
                     for name in exercise.names)
    return Answer(exercise.id, "stub", text, False, exercise.criteria[0].name, "all/not-yet")


def too_few(exercise: Exercise, answers: list[Answer]) -> list[str]:
    """What an exercise lacks: hints, or answers of a kind; declared criteria and sentences that do not exist."""
    right, wrong = [a for a in answers if a.right], [a for a in answers if not a.right]
    lacks = []
    if len(wrong) < LEAST_WRONG:
        lacks.append(f"{exercise.id}: {len(wrong)} wrong answers; {LEAST_WRONG} or more are needed")
    if len(right) < LEAST_RIGHT:
        lacks.append(f"{exercise.id}: {len(right)} right answers; {LEAST_RIGHT} or more are needed")
    if len(exercise.hints) < LEAST_HINTS:
        lacks.append(f"{exercise.id}: {len(exercise.hints)} hints; {LEAST_HINTS} or more, in stages, are needed")
    if len({a.text for a in right}) < len(right):
        lacks.append(f"{exercise.id}: two right answers are the same")
    never = sorted({m.id for m in exercise.misconceptions} - {answer.misconception for answer in wrong})
    if never and wrong:
        lacks.append(f"{exercise.id}: no wrong answer is told {', '.join(never)}")
    for answer in wrong:
        if answer.refused_by not in {c.name for c in exercise.criteria}:
            lacks.append(f"{exercise.id} {answer.name}: there is no criterion {answer.refused_by!r}")
        if not exercise.sentence(answer.misconception):
            lacks.append(f"{exercise.id} {answer.name}: no sentence for {answer.misconception!r}")
    return lacks


# ---- judging --------------------------------------------------------------------------------------------------------


def judged(answer: Answer, exercise: Exercise, first: bool = False) -> Row:
    """The answer in a box of its own, against all criteria; with `first` up to the one that refuses it."""
    from pslab.grade.box import Box, Source
    from pslab.grade.judging import verdict_of

    public, hidden = cases(exercise.id, STUDENT, SECRET)
    row, started_s = Row(answer, []), time.perf_counter()
    with Box(Source.of_text(answer.text), forbidden=exercise.forbidden, preload=exercise.preload) as box:
        for criterion in exercise.criteria:
            case = hidden if criterion.hidden else public
            verdict = verdict_of(criterion, exercise, box, case, strict=True)
            row.verdicts.append((criterion.name, verdict))
            if first and not verdict.passed:
                break
    row.seconds = time.perf_counter() - started_s
    row.problems = problems_of(answer, row.verdicts)
    return row


def problems_of(answer: Answer, verdicts: list[tuple[str, Verdict]]) -> list[str]:
    """Why this is not what the answer declared; empty when it is."""
    refused = [(name, verdict) for name, verdict in verdicts if not verdict.passed]
    if not verdicts:
        return ["no criterion judged it"]
    if answer.right:
        return [f"is right and refused by {name!r} ({verdict.misconception}): expected {verdict.expected}, seen "
                f"{verdict.seen}" for name, verdict in refused]
    if not refused:
        return ["is wrong and survives every criterion"]
    name, verdict = refused[0]
    if (name, verdict.misconception) != (answer.refused_by, answer.misconception):
        return [f"dies for another reason: by {name!r} as {verdict.misconception} (seen {verdict.seen}), declared "
                f"{answer.refused_by!r} as {answer.misconception}"]
    return []


# ---- showing --------------------------------------------------------------------------------------------------------


def print_matrix(exercise: Exercise, rows: list[Row]) -> None:
    """Answers down, criteria across; numbers above stand for the criteria listed first."""
    print(f"\n{exercise.id} {exercise.title}")
    for number, criterion in enumerate(exercise.criteria, start=1):
        print(f"  {number}  {criterion.name}{' (hidden)' if criterion.hidden else ''}")
    wide = max(len(row.answer.name) for row in rows)
    print(" " * (wide + 4) + "  ".join(str(i) for i in range(1, len(exercise.criteria) + 1)) + "     s  first read")
    for row in rows:
        marks = "  ".join(marks_of(row, len(exercise.criteria)))
        why = row.answer.misconception or ""
        print(f"  {row.answer.name:{wide}}  {marks}  {row.seconds:4.1f}  {'!! ' if row.problems else ''}{why}")


def marks_of(row: Row, criteria: int) -> list[str]:
    """One letter a criterion: · passed, K refused first, x refused too, o not yet, blank where it did not run."""
    marks, killed = [], False
    for _, verdict in row.verdicts:
        if verdict.passed:
            marks.append("·")
        elif verdict.misconception == "all/not-yet":
            marks.append("o")
        else:
            marks.append("x" if killed else "K")
            killed = True
    return marks + [" "] * (criteria - len(marks))


def as_dict(row: Row) -> dict:
    return {"exercise": row.answer.exercise, "answer": row.answer.name, "right": row.answer.right,
            "seconds": round(row.seconds, 3), "problems": row.problems,
            "verdicts": [{"criterion": name, "passed": v.passed, "seen": v.seen, "misconception": v.misconception}
                         for name, v in row.verdicts]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
