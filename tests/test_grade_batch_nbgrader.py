"""nbgrader itself on our notebooks: generate_assignment takes the answers out, autograde gives the points.

Needs the extra `nbgrader` (pip install -e '.[nbgrader]'), which is no part of `dev`: it switches extensions of
JupyterLab on. PSLAB_NBGRADER names another Python that has it.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

import nbformat
import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PYTHON = os.environ.get("PSLAB_NBGRADER") or (sys.executable if find_spec("nbgrader") else None)
pytestmark = [pytest.mark.long, pytest.mark.timeout(600),
              pytest.mark.skipif(PYTHON is None, reason="nbgrader is not installed: pip install -e '.[nbgrader]'")]

CONFIG = """c = get_config()
c.CourseDirectory.course_id = "course"
c.CourseDirectory.root = {root!r}
c.ExecutePreprocessor.timeout = 120
c.Execute.timeout = 120
"""
SCORES = """
import json
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    print(json.dumps([[s.student.id, g.cell.name, g.score, g.max_score]
                      for s in book.assignment_submissions("lab") for n in s.notebooks for g in n.grades]))
"""


@pytest.fixture
def course(tmp_path, repo_root):
    """A course with one assignment: the part of a lab's solution that is about one exercise."""
    solution = nbformat.read(repo_root / "solutions/lab_09_verdict.ipynb", 4)
    (tmp_path / "nbgrader_config.py").write_text(CONFIG.format(root=str(tmp_path)))
    source = tmp_path / "source" / "lab"
    source.mkdir(parents=True)
    part = nbformat.from_dict({**solution, "cells": [cell for cell in solution.cells if _is_about(cell, "9.1")]})
    nbformat.write(part, source / "lab_09.ipynb")
    return tmp_path, part


def _is_about(cell, exercise):
    role = cell.metadata.get("pslab", {})
    return exercise in (role.get("answer"), role.get("check")) or (
        not role and cell.cell_type == "code" and cell.source.lstrip().startswith(("import", "from")))


def nbgrader(folder, *words):
    environment = {name: value for name, value in os.environ.items() if name != "NBGRADER_EXECUTION"}
    environment["JUPYTER_PATH"] = os.path.join(sys.prefix, "share", "jupyter")
    environment["JUPYTER_CONFIG_DIR"] = environment["JUPYTER_DATA_DIR"] = str(folder / "jupyter")
    environment["PYTHONPATH"] = ROOT
    environment["PATH"] = os.pathsep.join([os.path.dirname(PYTHON), environment["PATH"]])      # it calls `alembic`
    ran = subprocess.run([PYTHON, "-m", "nbgrader", *words], cwd=folder, env=environment, capture_output=True,
                         text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def test_generate_and_autograde(course):
    folder, solution = course
    nbgrader(folder, "generate_assignment", "lab", "--create")
    released = nbformat.read(folder / "release/lab/lab_09.ipynb", 4)
    answers = [cell for cell in released.cells if "answer" in cell.metadata.get("pslab", {})]
    assert answers
    assert all("raise NotImplementedError" in cell.source and "SOLUTION" not in cell.source for cell in answers)
    for student, notebook in (("anna", solution), ("ben", released)):
        (folder / "submitted" / student / "lab").mkdir(parents=True)
        nbformat.write(notebook, folder / "submitted" / student / "lab" / "lab_09.ipynb")
    nbgrader(folder, "autograde", "lab", "--create")
    path = os.pathsep.join([os.path.dirname(PYTHON), os.environ["PATH"]])
    scores = subprocess.run([PYTHON, "-c", SCORES], cwd=folder, capture_output=True, text=True, check=True,
                            env={**os.environ, "PATH": path}).stdout
    by_student = {}
    for student, cell, score, most in json.loads(scores):
        assert cell.startswith("check-9-1")
        by_student[student] = (score, most)
    assert by_student["anna"][0] == by_student["anna"][1] > 0
    assert by_student["ben"][0] == 0
    shutil.rmtree(folder / "autograded")
