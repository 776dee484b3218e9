"""What a batch leaves behind: a result per student, all in one JSON, a CSV for the grade book, a report on the class.

    OUT/results/STUDENT.json     as they come, each whole or not at all; --resume reads them
    OUT/feedback/STUDENT.html
    OUT/class_report.md          scores by exercise, and the misconceptions that most students ran into
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections import Counter, defaultdict
from pathlib import Path

from .feedback_page import points, score
from .report import read_result

COLUMNS = ("student", "score", "points")
LISTED = 12                           # misconceptions in the report
NOTHING = ("all/not-yet", "all/missing")


def file_name(student: str) -> str:
    """A student's id as a file name: as it is where that is safe, else made safe and kept apart from all others."""
    safe = re.sub(r"[^A-Za-z0-9._@+-]", "_", student).lstrip(".") or "_"
    if safe == student and len(safe) <= 100:
        return safe
    return f"{safe[:80]}-{hashlib.blake2b(student.encode(), digest_size=4).hexdigest()}"


def write(path: Path, text: str) -> None:
    """Whole or not at all, also when the machine stops in the middle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(aside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(aside, path)


def as_json(data) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_done(path: Path, sha256: str, way: str) -> dict | None:
    """An earlier result of the same file graded in the same way; None where there is none, or it is damaged."""
    try:
        data = read_result(json.loads(path.read_text(encoding="utf-8")))
        same = data["submission"]["sha256"] == sha256 != "" and data["submission"]["way"] == way
        return data if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def all_in_one(results: list[dict]) -> dict:
    """The batch as one object: what all have in common once, then the students in order."""
    return {"schema": 1, "kind": "batch", "students": len(results),
            "problems": [{"student": r["student"], **r["submission"]} for r in results if r["submission"]["problem"]],
            "results": results}


def as_csv(results: list[dict]) -> str:
    """One line a student: id, score, points, a column of points for each exercise, and what went wrong."""
    ids = exercise_ids(results)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *ids, "problem"])
    for r in results:
        by_id = {exercise["id"]: exercise["score"] for exercise in r["exercises"]}
        writer.writerow([_no_formula(str(r["student"])), score(r), points(r), *(by_id.get(i, "") for i in ids),
                         _no_formula(r["submission"]["problem"])])
    return out.getvalue()


def class_report(results: list[dict]) -> str:
    """Markdown: how each exercise went, what was most often misunderstood, and what could not be graded."""
    graded = [r for r in results if not r["submission"]["problem"]]
    lines = ["# The class", "", f"{len(graded)} of {len(results)} submissions graded.", ""]
    if graded:
        lines += ["| exercise | full points | not yet | missing | mean | of |",
                  "| --- | --- | --- | --- | --- | --- |"]
        for exercise_id in exercise_ids(graded):
            of_all = [e for r in graded for e in r["exercises"] if e["id"] == exercise_id]
            full = sum(e["score"] == e["points"] for e in of_all)
            stubs, missing = (sum(any(v["misconception"] == name for v in e["verdicts"]) for e in of_all)
                              for name in NOTHING)
            mean = sum(e["score"] for e in of_all) / len(of_all)
            lines.append(f"| {exercise_id} | {full} | {stubs} | {missing} | {mean:.1f} | {of_all[0]['points']} |")
        lines += ["", "## Most frequent misconceptions", ""]
        found = misconceptions(graded)
        lines += [f"- {len(students)} of {len(graded)} students: {sentence} (`{name}`, {', '.join(sorted(exercises))})"
                  for name, sentence, students, exercises in found[:LISTED]] or ["None."]
    problems = [r for r in results if r["submission"]["problem"]]
    if problems:
        lines += ["", "## Not graded", ""]
        lines += [f"- {r['student']} ({r['submission']['file']}): {r['submission']['problem']}" for r in problems]
    return "\n".join(lines) + "\n"


def misconceptions(results: list[dict]) -> list[tuple[str, str, set, set]]:
    """[(id, sentence, students, exercises)], the ones of most students first. No answer is none."""
    students, exercises, sentences = defaultdict(set), defaultdict(set), {}
    for r in results:
        for e in r["exercises"]:
            for v in e["verdicts"]:
                name = v["misconception"]
                if name and not v["passed"] and name not in NOTHING:
                    students[name].add(r["student"])
                    exercises[name].add(e["id"])
                    sentences[name] = v["sentence"]
    order = sorted(students, key=lambda name: (-len(students[name]), name))
    return [(name, sentences[name], students[name], exercises[name]) for name in order]


def exercise_ids(results: list[dict]) -> list[str]:
    """Every exercise that somebody was graded on, in the order of the course."""
    found = Counter(e["id"] for r in results for e in r["exercises"])
    return sorted(found, key=lambda i: [int(n) if n.isdigit() else n for n in re.findall(r"\d+|\D+", i)])


def _no_formula(text: str) -> str:
    """A spreadsheet must not take a student's id for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
