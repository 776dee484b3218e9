"""The lab's own solution, graded as a student's notebook would be, has every point; the student's copy has none."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("folder", "share"), [("solutions", 1), ("labs", 0)])
def test_a_lab_is_graded_for_what_it_is(repo_root, tmp_path, folder, share):
    command = [sys.executable, "-m", "pslab", "grade", f"{folder}/lab_09_verdict.ipynb", "--lab", "9", "--seed",
               "a word", "--json", str(tmp_path / "r.json")]
    subprocess.run(command, cwd=repo_root, check=True, timeout=300)
    results = json.loads((tmp_path / "r.json").read_text())
    exercises = (results[0] if isinstance(results, list) else results.get("results", [results])[0])["exercises"]
    assert len(exercises) >= 6
    assert [e["score"] for e in exercises] == [share * e["points"] for e in exercises]


def test_collectives_do_not_bring_the_closed_forms_along():
    """A notebook imports collectives in its first cell; exercises that ask for a formula forbid pslab.cost."""
    program = "import sys, pslab.collectives; print([m for m in sys.modules if m.startswith('pslab.cost')])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "[]\n"
