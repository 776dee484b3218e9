"""Labs from solutions: what a student gets, what is refused, and that every kind of leak is found."""

import json

import nbformat
import pytest

from pslab.notebooks.build import build
from pslab.notebooks.check import check
from pslab.notebooks.labs import regions
from pslab.notebooks.leaks import leaks
from pslab.notebooks.text import Pair, find_pairs, read_pair, read_source

TEXT = '''# %% [markdown]
# # Lab 98

# %% answer="98.1"
def combine(rows):
    """The sum of the rows, shape (D,)."""
    ### BEGIN SOLUTION
    total = sum(map(float, rows))
    return total
    ### END SOLUTION

# %% check="98.1" points=5
try:
    print("98.1: right" if combine([1, 2]) == 3 else "98.1: wrong")
except NotImplementedError as stub:
    print(f"{stub}: not yet")

# %% needs="98.1"
print(combine([4, 5]))

# %% answer="98.2"
limit = 10
### BEGIN SOLUTION
def helper(x):
    return x + limit + 1_000_000
predicted_bytes, choice = helper(4096), "server"
limit = 12
### END SOLUTION
print("committed", predicted_bytes is not None)

# %% tags=["solution-only"]
print("the reason is the header of every message")

# %% [markdown] answer="98.3" points=2
# Why, in one sentence?
#
# <!-- BEGIN SOLUTION -->
# Because a header travels with every message of a rank.
# <!-- END SOLUTION -->
'''


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A repository with one lab, built once for all tests of this file."""
    root = tmp_path_factory.mktemp("course")
    (root / "solutions" / "src").mkdir(parents=True)
    (root / "solutions" / "src" / "lab_98.py").write_text(TEXT)
    said = []
    assert build(root, report=said.append) == 0, said
    assert said == ["labs/lab_98: built", "solutions/lab_98: built"]
    return root


@pytest.fixture
def course(built, tmp_path):
    """A copy that a test may spoil."""
    for folder, name in (("solutions/src", "lab_98.py"), ("solutions", "lab_98.ipynb"), ("labs", "lab_98.ipynb")):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / name).write_bytes((built / folder / name).read_bytes())
    return tmp_path


def load(root, folder):
    return nbformat.read(root / folder / "lab_98.ipynb", as_version=4)


def save(root, folder, notebook):
    nbformat.write(notebook, root / folder / "lab_98.ipynb")


def lab_of(tmp_path, text):
    source = tmp_path / "lab.py"
    source.write_text(text)
    return read_pair(Pair(source, tmp_path / "labs" / "lab.ipynb"))


def printed(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


# ---- what a student gets ------------------------------------------------------------------------------------------


def test_the_lab_is_the_solution_without_its_answers(built):
    intro, answer, check_cell, needs, prediction, essay = load(built, "labs").cells
    assert intro.source == "# Lab 98"
    assert answer.source == ('def combine(rows):\n    """The sum of the rows, shape (D,)."""\n'
                             '    raise NotImplementedError("98.1")')
    assert prediction.source == ("limit = 10\npredicted_bytes = None  # 98.2: your answer\n"
                                 "choice = None  # 98.2: your answer\n"
                                 'print("committed", predicted_bytes is not None)')
    assert essay.source == "Why, in one sentence?\n\n*Your answer: replace this line.*"
    assert (printed(check_cell), printed(prediction)) == ("98.1: not yet\n", "committed False\n")
    assert needs.execution_count is None, "with a stub it could only fail"
    assert needs.metadata.tags == ["needs-answer", "nbval-ignore-output", "raises-exception"]
    assert check(built) == []


def test_the_solution_keeps_everything_and_ran(built):
    cells = load(built, "solutions").cells
    assert len(cells) == 7
    assert [printed(cell) for cell in cells if cell.cell_type == "code"] == [
        "", "98.1: right\n", "9.0\n", "committed True\n", "the reason is the header of every message\n"]
    assert cells[3].metadata == {"pslab": {"needs": "98.1"}}, "in the solution it is a cell like any other"


@pytest.mark.parametrize("folder", ["labs", "solutions"])
def test_metadata_for_nbgrader_and_for_ourselves(built, folder):
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in load(built, folder).cells if "nbgrader" in cell.metadata}
    assert list(by_id) == ["answer-98-1", "check-98-1", "answer-98-2", "answer-98-3"]
    fixed = {"schema_version": 3, "task": False}
    assert by_id["answer-98-1"].metadata == {"pslab": {"answer": "98.1"}, "nbgrader": {
        **fixed, "grade_id": "answer-98-1", "grade": False, "solution": True, "locked": False}}
    assert by_id["check-98-1"].metadata == {"pslab": {"check": "98.1"}, "nbgrader": {
        **fixed, "grade_id": "check-98-1", "grade": True, "solution": False, "locked": True, "points": 5}}
    assert by_id["answer-98-3"].metadata.nbgrader == {
        **fixed, "grade_id": "answer-98-3", "grade": True, "solution": True, "locked": False, "points": 2}


def test_a_second_cell_of_an_exercise_has_an_id_of_its_own(tmp_path):
    lab = lab_of(tmp_path, '# %% check="9.3" points=1\n1\n\n# %% check="9.3" points=2\n2\n')
    assert [cell.metadata.nbgrader.grade_id for cell in lab.cells] == ["check-9-3", "check-9-3-2"]


def test_points_come_from_the_exercise_where_the_text_names_none(tmp_path, monkeypatch):
    import sys
    import types
    known = types.ModuleType("pslab.exercises")
    known.get = lambda name: types.SimpleNamespace(points={"9.3": 30}[name])
    monkeypatch.setitem(sys.modules, "pslab.exercises", known)
    monkeypatch.setattr("pslab.exercises", known, raising=False)
    assert lab_of(tmp_path, '# %% check="9.3"\n1\n').cells[0].metadata.nbgrader.points == 30


def test_two_functions_in_a_cell_are_two_stubs(tmp_path):
    region = "    ### BEGIN SOLUTION\n    return {}\n    ### END SOLUTION\n"
    text = '# %% answer="9.3"\ndef a():\n' + region.format(11) + "def b():\n    x = 1\n" + region.format(22)
    assert lab_of(tmp_path, text).cells[0].source == (
        'def a():\n    raise NotImplementedError("9.3")\ndef b():\n    x = 1\n    raise NotImplementedError("9.3")')


def test_helpers_alone_leave_room(tmp_path):
    text = '# %% answer="9.3"\n### BEGIN SOLUTION\nimport math\ndef helper(): return math.pi\n### END SOLUTION\n'
    assert lab_of(tmp_path, text).cells[0].source == "# room for your own helpers"
    text = '# %% answer="9.3"\nguess = ...\n### BEGIN SOLUTION\nguess = 4\n### END SOLUTION\n'
    assert lab_of(tmp_path, text).cells[0].source == "guess = ...\n# put your own above"


def test_the_skeleton_of_an_answer_stays(tmp_path):
    text = ('# %% answer="9.2"\nchoices = {"a": None}\n### BEGIN SOLUTION\nchoices["a"] = "ring"\n'
            "choices = {}\nwhy: str = 'x'\n### END SOLUTION\n")
    assert lab_of(tmp_path, text).cells[0].source == 'choices = {"a": None}\nwhy = None  # 9.2: your answer'


@pytest.mark.parametrize(("text", "message"), [
    ('# %% answer="9.3"\nx = 1\n', "answers 9.3 and holds no solution region"),
    ("# %%\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n", "holds a solution region and is no answer"),
    ('# %% answer="9.3"\n### BEGIN SOLUTION\nx = 1\n', "line 1: BEGIN SOLUTION without an END"),
    ('# %% answer="9.3"\nx = 1\n### END SOLUTION\n', "line 2: END SOLUTION without a BEGIN"),
    ('# %% answer="9.3"\n### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION\n', "line 2: BEGIN SOLUTION without"),
    ('# %% answer="9.3"\n# BEGIN SOLUTION\nx = 1\n### END SOLUTION\n', "is no mark"),
    ('# %% answer="9.3"\n### BEGIN SOLUTION\nprint(3)\n### END SOLUTION\n', "outermost region holds 'print"),
    ('# %% answer="9.3" check="9.3"\n1\n', "has the attributes answer, check; one of them"),
    ('# %% [markdown] answer="9.3"\n# why\n', "the text answer of 9.3 has no points"),
])
def test_what_an_author_must_mend(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        lab_of(tmp_path, text)


def test_a_text_that_cannot_be_read_fails_build_and_check_in_words(course):
    broken = TEXT.replace("### END SOLUTION\n\n# %% check", "\n# %% check")
    (course / "solutions" / "src" / "lab_98.py").write_text(broken)
    said = []
    assert build(course, report=said.append) == 2, "neither of the two is stored"
    assert said == [f"{folder}/lab_98: NOT built\ncell 2: line 3: BEGIN SOLUTION without an END"
                    for folder in ("labs", "solutions")]
    assert any("labs/lab_98: its text cannot be read: cell 2" in problem for problem in check(course))


def test_an_unchanged_lab_is_not_built_again_and_new_points_are(course):
    said = []
    assert build(course, report=said.append) == 0
    assert said == ["labs/lab_98: unchanged", "solutions/lab_98: unchanged"]
    notebook = load(course, "labs")
    notebook.cells[2].metadata.nbgrader.points = 6
    save(course, "labs", notebook)
    assert any("labs/lab_98: cell 3 differs from its text" in problem for problem in check(course))
    assert build(course, report=said.append) == 0
    assert said[2:] == ["labs/lab_98: built", "solutions/lab_98: unchanged"]


def test_a_lab_without_its_solution_has_no_text(course):
    (course / "solutions" / "src" / "lab_98.py").unlink()
    assert [pair.name for pair in find_pairs(course)] == ["labs/lab_98", "solutions/lab_98"]
    assert check(course)[0] == "labs/lab_98: has no text solutions/src/lab_98.py; notebooks are built from text"


# ---- no solution in the labs --------------------------------------------------------------------------------------


def test_a_sound_lab_leaks_nothing(built):
    assert leaks(built) == []


def test_nothing_to_compare_is_a_problem(course):
    (course / "solutions" / "lab_98.ipynb").unlink()
    assert leaks(course) == ["solutions: no lab was found to compare with its solution"]


def test_a_solution_without_its_lab_is_a_problem(course):
    (course / "labs" / "lab_98.ipynb").unlink()
    assert leaks(course) == ["labs/lab_98: there is no student version of this solution; run `make notebooks`"]


def test_a_lab_without_a_region_is_a_problem(course):
    for folder in ("solutions", "labs"):
        notebook = load(course, folder)
        notebook.cells = notebook.cells[:1]
        save(course, folder, notebook)
    assert leaks(course) == ["labs/lab_98: its solution marks no region; there is nothing for a student to do"]


def test_a_lab_that_differs_outside_the_regions(course):
    notebook = load(course, "labs")
    notebook.cells[1].source = notebook.cells[1].source.replace("(rows)", "(rows, D)")
    save(course, "labs", notebook)
    assert leaks(course) == ["labs/lab_98: cell 2 differs from the solution outside the marked regions"]


@pytest.mark.parametrize(("cell", "planted"), [
    (1, "    total = sum(map(float, rows))"),               # a line of the region, above the stub
    (1, "    total=sum(map(float,rows)) # a hint"),         # spaced otherwise, with a comment
    (0, "Hint: `return x + limit + 1_000_000`"),            # in the text
    (0, 'print("the reason is the header of every message")'),       # of a cell that is in the solution only
    (5, "Because a header travels with every message of a rank."),
])
def test_a_planted_line_is_found(course, cell, planted):
    notebook = load(course, "labs")
    lines = notebook.cells[cell].source.splitlines()
    notebook.cells[cell].source = "\n".join([*lines[:-1], planted, lines[-1]])
    save(course, "labs", notebook)
    problems = leaks(course)
    assert any("lab_98.ipynb holds a line of a solution" in problem for problem in problems)
    assert any("differs from the solution outside" in problem for problem in problems)


def test_a_line_in_an_output_or_another_file_is_found(course):
    notebook = load(course, "labs")
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="try total = sum(map(float, rows))\n")]
    save(course, "labs", notebook)
    (course / "labs" / "README.md").write_text('predicted_bytes, choice = helper(4096), "server"')
    assert [problem.split(" holds")[0] for problem in leaks(course)] == ["labs/README.md", "labs/lab_98.ipynb"]


def test_another_lab_may_share_a_line_with_a_solution_and_not_three_in_a_row(built):
    def other(source):
        cells = [nbformat.v4.new_code_cell(source), nbformat.v4.new_code_cell("x = 1\n### BEGIN SOLUTION\n"
                                                                              "y = 2\n### END SOLUTION")]
        for folder in ("solutions", "labs"):
            notebook = nbformat.v4.new_notebook(cells=cells)
            if folder == "labs":
                notebook.cells[1].source = "x = 1\n# your answer"
            nbformat.write(notebook, built / folder / "lab_97.ipynb")
        return leaks(built)

    region = ["total = sum(map(float, rows))", "limit = total / len(rows)", "return x + limit + 1_000_000"]
    notebook = load(built, "solutions")
    assert sum(line in notebook.cells[1].source for line in region) >= 1
    at = notebook.cells[1].source.index(region[0])
    indent = notebook.cells[1].source[:at].rpartition("\n")[2]
    block = "\n".join(indent + line for line in region)
    notebook.cells[1].source = notebook.cells[1].source.replace(indent + region[0], block)
    save(built, "solutions", notebook)
    assert other("x = 0\n" + region[0]) == []
    assert other("\n".join([region[0], "x = 0", *region[1:]])) == []
    assert other("\n".join(region)) == [f"labs/lab_97.ipynb gives away lines of lab_98: {region[0]} ..."]


def test_the_repository_leaks_nothing_and_its_stubs_are_stubs(repo_root):
    assert leaks(repo_root) == []
    for source in (repo_root / "solutions" / "src").glob("*.py"):
        cells = read_source(source).cells
        assert any(regions(cell.source) for cell in cells), source.name
        stored = json.loads((repo_root / "labs" / f"{source.stem}.ipynb").read_text())
        assert "BEGIN SOLUTION" not in json.dumps(stored), source.name
