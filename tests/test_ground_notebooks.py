"""The notebook tool: what it stores, and that every rule of its check refuses a planted fault."""

import json
import subprocess
import sys

import nbformat
import pytest

from pslab.notebooks.build import build, tidy
from pslab.notebooks.check import check
from pslab.notebooks.text import WIDGET_NOTE, read_source

TEXT = """# %% [markdown]
# # A notebook
#
# Look at the sum.

# %%
total = 2 + 3
print("total", total)

# %% tags=["nbval-ignore-output"]
import time
print(time.time())
"""


@pytest.fixture
def course(tmp_path):
    """A repository with one text and the notebook that was built of it, without a kernel: outputs put in by hand."""
    (tmp_path / "chapters" / "src").mkdir(parents=True)
    (tmp_path / "chapters" / "src" / "one.py").write_text(TEXT)
    notebook = read_source(tmp_path / "chapters" / "src" / "one.py")
    for number, (cell, text) in enumerate(zip(notebook.cells[1:], ("total 5\n", "1.5\n"), strict=True), start=1):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    notebook.metadata["pslab"]["run_s_at_most"] = 10
    save(tmp_path, notebook)
    return tmp_path


def save(root, notebook):
    nbformat.write(notebook, root / "chapters" / "one.ipynb")


def load(root):
    return nbformat.read(root / "chapters" / "one.ipynb", as_version=4)


def test_a_sound_notebook_passes(course):
    assert check(course) == []


@pytest.mark.long
def test_the_repository_passes(repo_root):
    assert check(repo_root) == []


def test_no_notebook_at_all_is_a_problem(tmp_path):
    assert "no notebook and no text" in check(tmp_path)[0]


def test_text_changed_after_the_build(course):
    source = course / "chapters" / "src" / "one.py"
    source.write_text(TEXT.replace("2 + 3", "2 + 4"))
    assert "cell 2 differs from its text" in check(course)[0]
    source.write_text(TEXT + "\n# %%\nprint('more')\n")
    assert "has 3 cells, its text 4" in check(course)[0]
    source.write_text(TEXT + "\n\n")  # the same cells, another text: the stored hash tells
    assert "another state of its text" in check(course)[0]


def test_notebook_changed_by_hand(course):
    notebook = load(course)
    notebook.cells[1].source = "total = 5\nprint('total', total)"
    save(course, notebook)
    assert "cell 2 differs from its text" in check(course)[0]


def test_a_tag_removed_from_the_notebook(course):
    notebook = load(course)
    notebook.cells[2].metadata = {}
    save(course, notebook)
    assert "cell 3 differs from its text" in check(course)[0]


def test_text_without_notebook_and_notebook_without_text(course):
    (course / "chapters" / "src" / "two.py").write_text(TEXT)
    assert check(course) == ["chapters/two: not built; run `make notebooks` and commit it"]
    (course / "chapters" / "src" / "two.py").unlink()
    (course / "chapters" / "src" / "one.py").unlink()
    assert "has no text chapters/src/one.py" in check(course)[0]


def test_no_stored_outputs_is_refused(course):
    notebook = load(course)
    for cell in notebook.cells[1:]:
        cell.outputs = []
    save(course, notebook)
    assert any("stores no output that a test compares" in problem for problem in check(course))


def test_outputs_that_nothing_compares_are_refused(course):
    notebook = load(course)
    notebook.cells[1].outputs = []  # what is left belongs to a cell whose output is ignored
    save(course, notebook)
    assert any("stores no output that a test compares" in problem for problem in check(course))


def test_a_cell_that_was_never_executed_is_refused(course):
    notebook = load(course)
    notebook.cells[1].execution_count = None
    save(course, notebook)
    assert any("cell 2: was never executed" in problem for problem in check(course))


@pytest.mark.parametrize(("lines", "refused"), [(25, False), (26, True)])
def test_the_limit_of_a_cell(course, lines, refused):
    body = "\n".join(f"x{i} = {i}" for i in range(lines))
    text = TEXT.replace('total = 2 + 3\nprint("total", total)', body)
    (course / "chapters" / "src" / "one.py").write_text(text)
    assert any(f"cell 2: {lines} lines" in problem for problem in check(course)) is False  # the stored one is short
    notebook = load(course)
    notebook.cells[1].source = body
    save(course, notebook)
    assert any(f"cell 2: {lines} lines" in problem for problem in check(course)) is refused


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[]), "stores an error, ValueError"),
        (nbformat.v4.new_output("stream", name="stderr", text="UserWarning: old\n"), "stores a warning"),
        (nbformat.v4.new_output("stream", text="<Line2D at 0x7f12ab34cd10>"), "shows a memory address"),
        (nbformat.v4.new_output("stream", text="saved /home/ann/x.png"), "shows a path of the machine"),
        (nbformat.v4.new_output("stream", text="at /tmp/ipykernel_17/3.py, line 4"), "shows a path of the machine"),
        (nbformat.v4.new_output("stream", text=".venv/lib/python3.11/site-packages/torch"), "shows a path of the"),
        (nbformat.v4.new_output("display_data", {"text/html": "<p>/Users/ann/x</p>"}), "shows a path of the machine"),
        (
            nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}),
            "stores a widget's view",
        ),
        (
            nbformat.v4.new_output("display_data", {"text/plain": "(a control: run this notebook to move it)"}),
            "tag it nbval-ignore-output",
        ),
    ],
)
def test_outputs_that_must_not_be_stored(course, output, expected):
    notebook = load(course)
    notebook.cells[1].outputs.append(output)
    save(course, notebook)
    problems = check(course)
    assert len(problems) == 1, problems
    assert problems[0].startswith("chapters/one: cell 2: ")
    assert expected in problems[0]


def test_harmless_outputs_are_not_refused(course):
    notebook = load(course)
    texts = ["bytes in /dev/shm", "3/4 of the rows", "5 samples/s", "key 0x1f", "https://example.org/home/page"]
    notebook.cells[1].outputs += [nbformat.v4.new_output("stream", text=text) for text in texts]
    notebook.cells[1].outputs.append(nbformat.v4.new_output("display_data", {"image/png": "0x7f12ab34cd10/home/x"}))
    save(course, notebook)
    assert check(course) == []


def test_a_broken_file_is_named(course):
    (course / "chapters" / "one.ipynb").write_text("{not json")
    assert "chapters/one: not a readable notebook" in check(course)[0]


def test_tidy_joins_streams_and_drops_what_varies():
    cell = nbformat.v4.new_code_cell("x", metadata={"execution": {"iopub.status.idle": "now"}, "tags": ["a"]})
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "abc"}, "text/plain": "interactive(...)"}
    cell.outputs = [
        nbformat.v4.new_output("stream", text="a"),
        nbformat.v4.new_output("stream", text="b\n"),
        nbformat.v4.new_output("display_data", view, metadata={"needs_background": "light"}),
        nbformat.v4.new_output("stream", name="stderr", text="c"),
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[cell], metadata={"widgets": {}, "language_info": {"name": "python", "version": "3.11.0"}}
    )
    tidied = tidy(notebook)
    assert tidied.metadata == {"language_info": {"name": "python"}}
    assert tidied.cells[0].metadata == {"tags": ["a"]}
    outputs = tidied.cells[0].outputs
    assert [output.get("text") for output in outputs] == ["ab\n", None, "c"]
    assert outputs[1].data == {"text/plain": "(a control: run this notebook to move it)"}
    assert outputs[1].metadata == {}


def test_tidy_keeps_what_a_picture_says_to_those_who_do_not_see_it():
    picture = nbformat.v4.new_output("display_data", {"image/png": "aGk=", "text/plain": "a twin"},
                                     metadata={"image/png": {"alt": "two bars", "width": 640}, "isolated": True})
    cell = nbformat.v4.new_code_cell("show()", outputs=[picture])
    notebook = tidy(nbformat.v4.new_notebook(cells=[cell]))
    assert notebook.cells[0].outputs[0].metadata == {"image/png": {"alt": "two bars"}}


def test_cell_ids_do_not_depend_on_their_neighbours(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("# %%\na = 1\n\n# %%\na = 1\n\n# %%\nb = 2\n")
    two.write_text("# %% [markdown]\n# New.\n\n# %%\na = 1\n\n# %%\na = 1\n\n# %%\nb = 2\n")
    first = [cell.id for cell in read_source(one).cells]
    assert len(set(first)) == 3
    assert [cell.id for cell in read_source(two).cells][1:] == first


def test_build_executes_stores_and_rebuilds_only_what_changed(tmp_path, monkeypatch):
    folder = tmp_path / "chapters"
    (folder / "src").mkdir(parents=True)
    source = folder / "src" / "real.py"
    source.write_text(
        '# %%\nimport os\nprint("sum", 2 + 3)\nprint(os.path.basename(os.getcwd()))\n'
        'print("style", os.environ.get("PSLAB_STYLE"))\n\n# %%\n7 * 6\n\n'
        '# %% tags=["nbval-ignore-output"]\nimport ipywidgets\nipywidgets.IntSlider()\n'
    )
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("PSLAB_STYLE", "stage")
    said = []
    assert build(tmp_path, report=said.append) == 0
    assert said == ["chapters/real: built"]
    first = (folder / "real.ipynb").read_bytes()
    stored = json.loads(first)
    assert stored["cells"][0]["outputs"][0]["text"] == ["sum 5\n", "chapters\n", "style None\n"], (
        "cells run where the notebook lies, in the size of a page")
    assert stored["cells"][1]["outputs"][0]["data"]["text/plain"] == ["42"]
    assert stored["cells"][2]["outputs"][0]["data"] == {"text/plain": [WIDGET_NOTE]}
    assert check(tmp_path) == []

    assert build(tmp_path, report=said.append) == 0
    assert said[-1] == "chapters/real: unchanged"
    assert build(tmp_path, force=True, report=said.append) == 0
    assert said[-1] == "chapters/real: built"
    assert (folder / "real.ipynb").read_bytes() == first, "a rebuild of the same text must give the same bytes"

    source.write_text("# %%\nprint(1 / 0)\n")
    assert build(tmp_path, report=said.append) == 1
    assert "NOT built" in said[-1]
    assert "ZeroDivisionError" in said[-1]
    assert (folder / "real.ipynb").read_bytes() == first, "a failed build leaves the notebook as it was"
    assert sorted(p.name for p in folder.iterdir()) == ["real.ipynb", "src"]


def test_a_cell_over_the_time_limit_fails_the_build(tmp_path):
    (tmp_path / "chapters" / "src").mkdir(parents=True)
    (tmp_path / "chapters" / "src" / "slow.py").write_text("# %%\nimport threading\nthreading.Event().wait(60)\n")
    said = []
    assert build(tmp_path, cell_timeout_s=1.0, report=said.append) == 1
    assert "ran longer than 1 s" in said[0]
    assert not (tmp_path / "chapters" / "slow.ipynb").exists()


def test_a_name_that_chooses_nothing_is_an_error(course):
    with pytest.raises(ValueError, match="names=.'nosuch'. choose no text"):
        build(course, ["nosuch"])


def test_the_command_line(course):
    command = [sys.executable, "-m", "pslab.notebooks", "--root", str(course)]
    good = subprocess.run([*command, "check"], capture_output=True, text=True, timeout=60)
    assert (good.returncode, good.stdout) == (0, "every notebook agrees with its text\n")
    (course / "chapters" / "src" / "one.py").write_text(TEXT.replace("2 + 3", "1 + 4"))
    bad = subprocess.run([*command, "check"], capture_output=True, text=True, timeout=60)
    assert bad.returncode == 1
    assert "cell 2 differs" in bad.stdout
    none = subprocess.run([*command, "build", "nosuch"], capture_output=True, text=True, timeout=60)
    assert none.returncode == 2
    assert "nosuch" in none.stderr
    assert "Traceback" not in none.stderr
