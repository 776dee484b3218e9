"""A lab of two toy exercises and notebooks that answer them, well and badly, for tests of the batch."""

import json
import zipfile

from pslab.grade import Criterion, Exercise, Misconception, Verdict

ADDED = Misconception("99/adds", "You add where the difference is asked for.")
CLOSE = Misconception("99/constant", "You return a constant that fits the public case only.")
SHIFTED = Misconception("99/shift", "Each rank returns what its left neighbour had.")
GOOD = "def difference(a, b):\n    return a - b\n"
RING = """def shift(comm, x):
    work = comm.isend(x, (comm.rank + 1) % comm.world_size)
    y = comm.recv((comm.rank - 1) % comm.world_size)
    work.wait()
    return y
"""


def differs(misconception):
    def judge(answers, case):
        a, b = (int(n) for n in case.rng.integers(1000, size=2))
        seen = answers.call("difference", a, b)
        right = seen == a - b
        return Verdict(right, str(a - b), repr(seen), f"a={a}, b={b}",
                       misconception=None if right else misconception.id)
    return judge


def shifts(answers, case):
    run = answers.run("shift", 3, per_rank=[(_row(r),) for r in range(3)])
    right = [int(y[0]) for y in run.results] == [2, 0, 1]
    return Verdict(right, "each its left neighbour's", "other rows", "K=3", None if right else SHIFTED.id, run)


def _row(rank):
    import torch
    return torch.full((2,), float(rank))


def exercise(number, names, criteria, misconceptions):
    return Exercise(f"99.{number}", "99", f"toy {number}", names, "def f(): ...", sum(c.points for c in criteria), 5, 1,
                    True, (), "goal", "example", ("a hint",), misconceptions, criteria)


LAB = (exercise(1, ("difference",), (Criterion("value", differs(ADDED), 3),
                                     Criterion("other values", differs(CLOSE), 2, hidden=True)), (ADDED, CLOSE)),
       exercise(2, ("shift",), (Criterion("rows", shifts, 4),), (SHIFTED,)))


def notebook(*cells, student=None, outputs=()):
    """The text of a notebook; a cell is its text, or (text, exercise it answers)."""
    made = []
    for cell in cells:
        text, answers = cell if isinstance(cell, tuple) else (cell, None)
        made.append({"cell_type": "code", "id": f"c{len(made)}", "execution_count": None, "outputs": list(outputs),
                     "metadata": {"pslab": {"answer": answers}} if answers else {}, "source": text})
    metadata = {} if student is None else {"pslab": {"student": student}}
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def right(**settings):
    return notebook("import torch", (GOOD, "99.1"), (RING, "99.2"), **settings)


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


# file name: (content, what is said, score of 9 or None where it is not graded)
CLASS = {
    "anna": (right(), "", 9),
    "adds": (notebook((GOOD.replace("-", "+"), "99.1"), (RING, "99.2")), "", 4),
    "constant": (notebook(("def difference(a, b):\n    return C\n", "99.1"), "C = 'no'", (RING, "99.2")), "", 4),
    "stub": (notebook(("def difference(a, b):\n    raise NotImplementedError('99.1')", "99.1"), (RING, "99.2")), "", 4),
    "one_only": (notebook((GOOD, "99.1")), "", 5),
    "no_marks": (notebook("import torch", GOOD, "1/0", RING), "", 9),
    "broken_cell": (notebook("x = 1/0", "raise SystemExit", (GOOD, "99.1"), "def other(:", (RING, "99.2")), "", 9),
    "syntax": (notebook(("def difference(a, b):\n    return a - \n", "99.1"), (RING, "99.2")), "", 4),
    "exits": (notebook(("import os\ndef difference(a, b):\n    os._exit(0)\n", "99.1"), (RING, "99.2")), "", 4),
    "reads": (notebook(("def difference(a, b):\n    import pslab.exercises\n", "99.1"), (RING, "99.2")), "", 4),
    "fat": (right(outputs=[stream("x" * (9 << 20))]), "", 9),
    "hacks": (notebook(("def difference(a, b):\n    return '<script>alert(1)</script>'\n", "99.1"), (RING, "99.2")), "",
              4),
    "nothing": (notebook("print(1)"), "holds no answer of any lab", None),
    "empty": ("", "the file is empty", None),
    "page": ("<!doctype html><html></html>", "a web page", None),
    "json": ('{"cells": 3}', "no list of cells", None),
    "half": (right()[:200], "not JSON", None),
    "binary": (b"\x00\xff\xfe" * 50, "not JSON", None),
    "pdf": (b"%PDF-1.4 ...", "a PDF", None),
    "deep": ("[" * 100_000, "no notebook", None),
    "old": (right().replace('"nbformat": 4', '"nbformat": 3'), "format 4 is needed", None),
    "other": (right(student="anna"), "the notebook says it is 'anna''s", None),
    "=SUM(A1)": (right(), "", 9),
}

def write_class(folder):
    """All of CLASS as files, and what can only be made on a disk."""
    folder.mkdir()
    for name, (content, *_) in CLASS.items():
        (folder / f"{name}.ipynb").write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "gone.ipynb").symlink_to(folder / "nowhere")
    (folder / "folder.ipynb").mkdir()
    with zipfile.ZipFile(folder / "zipped.ipynb", "w") as archive:
        archive.writestr("a", "b")
    (folder / "notes.txt").write_text("not a notebook")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "anna.ipynb").write_text(right())
