"""Gradescope's results.json: one test for each check, hidden checks shown after the grades are published.

The form: {score, max_score of each test, output, visibility}; see "Autograder Specifications" in Gradescope's help.
"""

from __future__ import annotations

VISIBLE, HIDDEN = "visible", "after_published"


def results_json(result: dict) -> dict:
    """One submission's result in Gradescope's form."""
    problem = result["submission"]["problem"]
    tests = [_test(exercise, verdict, number)
             for exercise in result["exercises"] for number, verdict in enumerate(exercise["verdicts"], 1)]
    told = f"This submission was not graded: {problem}." if problem else "\n".join(result["submission"]["notes"])
    return {"output": told, "visibility": VISIBLE, "stdout_visibility": "hidden",
            "execution_time": round(sum(e["seconds"] for e in result["exercises"])),
            "score": sum(test["score"] for test in tests), "tests": tests}


def _test(exercise: dict, verdict: dict, number: int) -> dict:
    lines = [] if verdict["passed"] else [verdict["sentence"], *(
        f"{name}: {verdict[name]}" for name in ("expected", "seen", "where") if verdict[name])]
    return {"name": f"{exercise['id']} {verdict['criterion']}", "number": f"{exercise['id']}.{number}",
            "score": verdict["points"] if verdict["passed"] else 0, "max_score": verdict["points"],
            "status": "passed" if verdict["passed"] else "failed", "output": "\n".join(lines),
            "visibility": HIDDEN if verdict["hidden"] else VISIBLE}
