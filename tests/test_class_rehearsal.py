"""`pslab doctor --class`: the cells a page names are found, run, timed; slow, failing and too large ones are told."""

import json

import nbformat
import pytest

from pslab import classroom, cli
from pslab.classroom import rehearse as rehearsal

PAGE = """# A class
## 0–5 min · First
- Live: `x = 1`
## 5–75 min · Second
- Live: `picture(`
"""
PICTURE = """
import os, struct
from IPython.display import display, Image

def png(width, height):
    # only what a reader of sizes looks at: signature and first chunk
    return b"\\x89PNG\\r\\n\\x1a\\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height)
"""
QUICK_WARMTH = "print('{\"first_call_s\": 0.5, \"warm_call_s\": 0.001}')"


@pytest.fixture
def room(tmp_path, monkeypatch):
    """room(*cells, page=PAGE) -> a checkout with chapter 3.2 made of these code cells under one heading."""
    monkeypatch.setattr(rehearsal, "_WARMTH", QUICK_WARMTH)

    def make(*cells, page=PAGE):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 3.2 A chapter\n\n## A part")])
        notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        (tmp_path / "chapters").mkdir(exist_ok=True)
        nbformat.write(notebook, tmp_path / "chapters" / "03_02_a_chapter.ipynb")
        (tmp_path / "docs" / "class").mkdir(parents=True, exist_ok=True)
        file = tmp_path / "docs" / "class" / "03_02.md"
        file.write_text(page) if page else file.unlink(missing_ok=True)
        return classroom.open_chapter("3.2", tmp_path)

    return make


def test_the_page_names_the_demonstrations(room):
    chapter = room("x = 1", "y = 2", "picture()", "z = 3")
    assert chapter.title == "3.2 A chapter"
    assert [(cell.number, cell.live, cell.section) for cell in chapter.live] == [
        (2, "x = 1", "A part"), (4, "picture(", "A part")]  # fmt: skip
    minutes = [(slot.start_min, slot.end_min, slot.title) for slot in chapter.slots]
    assert minutes == [(0, 5, "First"), (5, 75, "Second")]
    assert [cell.number for cell in room("x = 1", "y = 2", page="").live] == [2, 3]  # no page: every cell


@pytest.mark.parametrize(("cells", "where"), [(("x = 1",), "in no code cell"), (("x = 1", "picture(); picture(2)",
                                              "picture(3)"), "in 2 code cells")])  # fmt: skip
def test_a_cell_that_is_not_there_or_not_alone_is_refused(room, cells, where):
    with pytest.raises(ValueError, match=rf"03_02.md shows the cell with `picture\(`, which stands {where}"):
        room(*cells)


def test_an_unknown_chapter_names_those_there_are(room, tmp_path):
    room("x = 1", "picture()")
    with pytest.raises(ValueError, match="chapter '3.3' is not here; there are: 3.2"):
        classroom.open_chapter("3.3", tmp_path)


def test_cells_run_in_order_up_to_the_last_demonstration(room, tmp_path):
    heard = []
    chapter = room("x = 1", "y = x + 1", "picture = print\npicture(y, 'stage')", "1 / 0")
    done = rehearsal.rehearse(chapter, told=heard.append, record=tmp_path / "kept.ipynb")
    assert done.fine
    assert [shown.cell.number for shown in heard] == [2, 3, 4]
    assert all(shown.seconds > 0 for shown in heard)
    assert done.warmth == {"first_call_s": 0.5, "warm_call_s": 0.001}
    kept = nbformat.read(tmp_path / "kept.ipynb", as_version=4)
    assert kept.cells[3].outputs[0].text == "2 stage\n"
    assert len(kept.cells) == 5
    words = rehearsal.summary(done, chapter)
    assert "2 of 2 demonstrations ran" in words
    assert "Ready." in words
    assert rehearsal.as_json(done)["cells"][0]["live"] == "x = 1"


def test_a_failing_cell_ends_it_and_names_what_was_not_shown(room):
    chapter = room("x = 1", "raise KeyError('no rows')", "picture = print\npicture()")
    done = rehearsal.rehearse(chapter)
    assert not done.fine
    assert done.problems[0].cell.number == 3
    assert "KeyError: 'no rows'" in done.problems[0].problem
    assert [cell.number for cell in done.not_run] == [4]
    words = rehearsal.summary(done, chapter)
    assert "Not run, because a cell before it failed: cell 4, `picture(`" in words
    assert "NOT ready: 1 problem" in words


def test_a_slow_demonstration_is_a_problem_and_a_slow_preparation_is_not(room):
    chapter = room("x = 1", "import time; time.sleep(0.3)", "picture = print\npicture(time.sleep(0.3))")
    done = rehearsal.rehearse(chapter, limit_s=0.25)
    assert [shown.cell.number for shown in done.problems] == [4]
    assert "0.25 s is the limit" in done.problems[0].problem


def test_a_cell_without_end_is_stopped(room):
    chapter = room("x = 1", "while True: pass", "picture = print\npicture()")
    done = rehearsal.rehearse(chapter, cell_timeout_s=1.0)
    assert "stopped after 1 s" in done.problems[0].problem
    assert [cell.number for cell in done.not_run] == [4]


def test_a_kernel_that_dies_is_told(room):
    done = rehearsal.rehearse(room("x = 1", "import os; os._exit(1)", "picture = print\npicture()"))
    assert "the kernel died" in done.problems[0].problem


def test_on_a_stage_pictures_must_fit_and_the_style_is_set(room):
    code = (f"{PICTURE}\ndef draw(*size):\n    assert os.environ['PSLAB_STYLE'] == 'stage'\n"
            f"    assert os.path.isdir(os.environ['PSLAB_HOME'])\n    display(Image(png(*size)))")  # fmt: skip
    chapter = room(code, "x = 1; draw(1280, 720)", "picture = draw\npicture(1281, 720)")
    done = rehearsal.rehearse(chapter, stage=True)
    (problem,) = done.problems
    assert (problem.cell.number, problem.problem) == (4, "its picture is 1281 x 720 and a stage has 1280 x 720")


def test_the_command_prints_seconds_and_ends_in_the_exit_code(room, tmp_path, monkeypatch, capsys):
    from pslab.classroom import chapter as chapters

    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    room("x = 1", "picture = print\npicture(1)")
    file = tmp_path / "class.json"
    assert cli.main(["doctor", "--class", "3.2", "--json", str(file)]) == 0
    said = capsys.readouterr().out
    assert "live cell 2 " in said
    assert "first call 0.50 s, warm call 1.0 ms" in said
    assert json.loads(file.read_text())["fine"] is True
    room("x = 1", "picture(1)")  # nobody defined it
    assert cli.main(["doctor", "--class", "3.2", "--json", str(file)]) == 1
    assert "PROBLEM: it raises NameError" in capsys.readouterr().out
    assert json.loads(file.read_text())["fine"] is False
    assert cli.main(["doctor", "--class", "3.2", "--record", "kept.txt"]) == 2
    assert "ends in .ipynb" in capsys.readouterr().err


@pytest.mark.long
def test_chapter_11_9_can_be_rehearsed_on_a_stage():
    done = rehearsal.rehearse(classroom.open_chapter("11.9"), stage=True, limit_s=60.0)
    assert done.fine, done.problems
    assert 0 < done.warmth["warm_call_s"] < done.warmth["first_call_s"]
