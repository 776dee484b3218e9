"""The shape of a chapter: the template has it, the chapters have it, and each missing part is named."""

import nbformat
import pytest

from pslab.notebooks.build import build
from pslab.notebooks.check import check
from pslab.notebooks.shape import shape
from pslab.notebooks.text import CHAPTERS, find_pairs

NAME = "11_99_template"


@pytest.fixture(scope="module")
def course(tmp_path_factory, repo_root):
    """A course of the two templates, built."""
    root = tmp_path_factory.mktemp("course")
    for text, place in (("chapter.py", f"chapters/src/{NAME}.py"), ("lab.py", "solutions/src/lab_99_template.py")):
        (root / place).parent.mkdir(parents=True)
        (root / place).write_text((repo_root / "docs" / "templates" / text).read_text().replace("`[Lab", "[Lab")
                                  .replace(".ipynb)`, written as a link", ".ipynb)"))
    said = []
    assert build(root, report=said.append) == 0, said
    return root


@pytest.fixture
def chapter(course):
    return nbformat.read(course / CHAPTERS / f"{NAME}.ipynb", as_version=4)


def replaced(notebook, old, new):
    """The notebook with `old` in one cell's source replaced; the cell must exist."""
    cell, = (cell for cell in notebook.cells if old in cell.source)
    cell.source = cell.source.replace(old, new)
    return notebook


def code(notebook, word):
    return next(cell for cell in notebook.cells if cell.cell_type == "code" and word in cell.source)


def test_the_templates_pass_every_rule(course):
    assert check(course) == []


def test_a_part_of_a_chapter_has_a_letter_and_the_lab_of_that_letter(chapter, tmp_path):
    (tmp_path / "solutions" / "src").mkdir(parents=True)
    for lab in ("00a_x", "00b_y", "09_z"):
        (tmp_path / "solutions" / "src" / f"lab_{lab}.py").touch()

    def missing(name, title):
        replaced(chapter, chapter.cells[0].source.splitlines()[0], title)
        return shape(chapter, name, tmp_path)

    assert missing("11_00_x", "# 11.0 What") == ["has no link to its lab: [...](../labs/lab_00a_x.ipynb)"]
    assert missing("11_00b_x", "# 11.0b What") == ["has no link to its lab: [...](../labs/lab_00b_y.ipynb)"]
    assert "does not open with its title, '# 11.0b ...'" in missing("11_00b_x", "# 11.0 What")


def test_every_chapter_of_the_repository_has_the_shape(repo_root):
    chapters = [pair for pair in find_pairs(repo_root) if pair.name.startswith("chapters/11_")]
    assert chapters, "no chapter was looked at"
    for pair in chapters:
        assert shape(nbformat.read(pair.notebook, as_version=4), pair.notebook.stem, repo_root) == []


@pytest.mark.parametrize(("old", "new", "problem"), [
    ("# 11.99 What", "# 11.98 What", "does not open with its title, '# 11.99 ...'"),
    ("**The big picture.**", "", "its opening lacks '**The big picture.**'"),
    ("**After this chapter you can**", "Then:", "names 0 objectives; at least 3"),
    ("3. check such", "check such", "names 2 objectives; at least 3, numbered"),
    ("**Before you start**", "", "its opening lacks '**Before you start**'"),
    ("**Time:** five", "Five", "its opening lacks '**Time:**'"),
    (" to run.", ".", "its time does not say how long it takes to run"),
    ("five minutes to read, ", "", "its time does not say how long it takes to read"),
    ("*Beginner*", "*Easy*", "is not '## 1. Title · *Level*'"),
    ("## 2. Where", "## 3. Where", "the sections before it make it number 2"),
    ("## In production", "## In practice", "has no section '## In production'"),
    ("## Did it stick?", "## Quiz", "has no section '## Did it stick?'"),
    ("## Further reading", "## Reading", "has no section '## Further reading'"),
    ("<summary><b>Does a faster", "<b>Does a faster", "asks 2 questions with answers that open; at least 3"),
    ("- Authors: *Title of another*", "Authors: *Title of another*", "names fewer than 2 sources"),
    ("At 20,000 bytes", "At 25,000 bytes", "says '25,000 bytes', which no cell of the notebook computes"),
    ("(../labs/lab_99_template.ipynb)", "(lab.ipynb)", "has no link to its lab: [...](../labs/lab_99_template.ipynb)"),
])
def test_a_missing_part_is_named(course, chapter, old, new, problem):
    assert any(problem in said for said in shape(replaced(chapter, old, new), NAME, course))


def test_a_section_that_runs_nothing(course, chapter):
    code(chapter, "one_message").outputs = []
    assert shape(chapter, NAME, course) == ["'## 1. Two terms · *Beginner*' runs nothing that shows a result"]


def test_production_that_runs_nothing(course, chapter):
    code(chapter, "torch.distributed").outputs = []
    assert shape(chapter, NAME, course) == ["'## In production' runs nothing"]


def test_a_control_and_its_static_view(course, chapter):
    code(chapter, "def cost_of_message").outputs[0].data.pop("image/png")
    assert shape(chapter, NAME, course) == [
        "'## 2. Where the terms meet · *Intermediate*' has a figure with controls and no static view of it"]
    code(chapter, "redrawn").outputs = []
    assert "has no figure with controls" in shape(chapter, NAME, course)


def test_the_ending_comes_last_and_in_order(course, chapter):
    last = chapter.cells.pop()
    chapter.cells.insert(len(chapter.cells) - 2, last)
    assert any("after the numbered sections come" in said for said in shape(chapter, NAME, course))


def test_other_notebooks_have_no_shape_to_keep(course, chapter):
    assert shape(replaced(chapter, "## In production", "## Else"), "00_start_here", course) == []


@pytest.mark.parametrize(("seconds", "problem"), [
    (60, None), (70, "ran up to 70 s when it was built; at most 60 s"), (None, "does not say how long it ran")])
def test_the_run_time_is_recorded_and_limited(course, chapter, seconds, problem, tmp_path):
    from shutil import copytree
    root = tmp_path / "copy"
    copytree(course, root)
    assert chapter.metadata.pslab.run_s_at_most in (10, 20, 30), "of the build above, rounded up"
    chapter.metadata.pslab.run_s_at_most = seconds
    if seconds is None:
        del chapter.metadata.pslab["run_s_at_most"]
    nbformat.write(chapter, root / CHAPTERS / f"{NAME}.ipynb")
    said = check(root)
    assert [problem] == [line[len(f"chapters/{NAME}: "):][: len(problem)] for line in said] if problem else said == []


def test_a_notebook_without_its_run_time_is_built_again(course, chapter, tmp_path):
    from pslab.notebooks.build import is_current
    from pslab.notebooks.text import Pair, read_pair
    source = course / CHAPTERS / "src" / f"{NAME}.py"
    pair = Pair(source, tmp_path / CHAPTERS / f"{NAME}.ipynb")
    pair.notebook.parent.mkdir()
    nbformat.write(chapter, pair.notebook)
    assert is_current(pair, read_pair(pair))
    del chapter.metadata.pslab["run_s_at_most"]
    nbformat.write(chapter, pair.notebook)
    assert not is_current(pair, read_pair(pair))
