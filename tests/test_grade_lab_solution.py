"""The lab's own solution, graded as a student's notebook would be, has every point; the student's copy has none."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pslab import exercises

ROOT = Path(__file__).resolve().parent.parent
LABS = {re.match(r"lab_0*([0-9]+[ab]?)_", path.name)[1].upper(): path.name
        for path in sorted((ROOT / "solutions").glob("lab_*.ipynb"))}


def test_every_lab_has_its_notebook():
    assert sorted(LABS) == sorted(exercises.labs())


# Two solutions and one untouched lab every time, all of them with the long tests.
SHORT = (("0A", "solutions"), ("9", "solutions"), ("0A", "labs"))
GRADED = [pytest.param(lab, folder, share, marks=() if (lab, folder) in SHORT else pytest.mark.long)
          for folder, share in (("solutions", 1), ("labs", 0)) for lab in LABS]


@pytest.mark.parametrize(("lab", "folder", "share"), GRADED)
def test_a_lab_is_graded_for_what_it_is(repo_root, tmp_path, lab, folder, share):
    command = [sys.executable, "-m", "pslab", "grade", f"{folder}/{LABS[lab]}", "--lab", lab, "--seed",
               "a word", "--json", str(tmp_path / "r.json")]
    subprocess.run(command, cwd=repo_root, check=True, timeout=300)
    results = json.loads((tmp_path / "r.json").read_text())
    graded = (results[0] if isinstance(results, list) else results.get("results", [results])[0])["exercises"]
    assert [e["id"] for e in graded] == [e.id for e in exercises.lab(lab)]
    assert [e["score"] for e in graded] == [share * e["points"] for e in graded]
    assert all(share or not v["passed"] for e in graded for v in e["verdicts"])


def test_collectives_do_not_bring_the_closed_forms_along():
    """A notebook imports collectives in its first cell; exercises that ask for a formula forbid pslab.cost."""
    program = "import sys, pslab.collectives; print([m for m in sys.modules if m.startswith('pslab.cost')])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout == "[]\n"
