"""Every chapter and every lab in a real browser: all cells run, and each control that is found redraws its figure."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: pip install 'pslab[dev]'")

import nbformat
from browser.lab import running_lab
from browser.notebook_page import NotebookPage, chromium, errors_in, find_chromium
from PIL import Image

from pslab.notebooks.shape import CHAPTER
from pslab.notebooks.text import CHAPTERS, LABS, SOLUTIONS, WIDGET_NOTE

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path.relative_to(ROOT).as_posix() for folder in (CHAPTERS, LABS)
                   for path in (ROOT / folder).glob("*.ipynb"))  # fmt: skip

# Notebooks are alike to a browser: those with many controls, with real processes and with predictions are opened every
# time, the others by `make test-long`. nbval runs all of them, and each figure has tests of its own.
SHORT = ("00_start_here", "11_09_parameter_server_vs_all_reduce", "lab_09_verdict")
OPENED = [path if Path(path).stem in SHORT else pytest.param(path, marks=pytest.mark.long) for path in NOTEBOOKS]

pytestmark = [
    pytest.mark.serial,
    pytest.mark.timeout(400),  # the sum of the limits in notebook_page.py and lab.py, which fail first and say why
    pytest.mark.skipif(
        find_chromium() is None, reason="no browser: on Debian `apt install chromium`, or set PSLAB_CHROMIUM to one"
    ),
]

BROKEN = """# %%
import ipywidgets
ipywidgets.Image(value=b"", tooltip="a view that the page cannot draw")

# %%
raise ValueError("planted")

# %%
print("after")
"""

# One control of every kind over a picture that follows it, except the last, which nothing follows.
CONTROLS = """# %%
import ipywidgets as w
from pslab import viz

def draw(**values):
    return viz.bars(list(values), {"moved": [float(str(v)) for v in values.values()]}, unit="B", title=str(values))

controls = {"slider": w.IntSlider(3, max=3), "checkbox": w.Checkbox(False, description="c"),
            "dropdown": w.Dropdown(options=[1, 2]), "toggle": w.ToggleButton(False, description="t"),
            "buttons": w.ToggleButtons(options=[1, 2]), "radio": w.RadioButtons(options=[1, 2])}
box = viz.redrawn(lambda **values: draw(**{k: int(v) for k, v in values.items()}), controls)
box

# %%
w.VBox([w.IntSlider(), w.Image(value=draw(still=1).png()), w.Text("typed")])

# %%
from IPython.display import Javascript
Javascript("console.error('planted in the page')")
"""

# A player of a run: its slider, its two buttons and the player itself are moved by keys alone.
PLAYER = """# %%
import torch
from pslab import collectives, viz
from pslab.comm import SimWorld

def program(comm):
    x = torch.arange(99.0)
    collectives.all_reduce(comm, x, algorithm="ring")

viz.scrubber(SimWorld(3).run(program), at=1, interval_ms=100)
"""


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of chapters and labs, because JupyterLab saves what it opens; beside them two with planted faults."""
    from pslab.notebooks.build import write
    from pslab.notebooks.text import read_source

    folder = tmp_path_factory.mktemp("course")
    for path in NOTEBOOKS:
        (folder / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    for name, text in (("broken", BROKEN), ("controls", CONTROLS), ("player", PLAYER)):
        (folder / f"{name}.py").write_text(text)
        write(read_source(folder / f"{name}.py"), folder / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(course, tmp_path_factory):
    with running_lab(course, tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def opened(lab, browser):
    """Opens a notebook; closed after the test."""
    pages = []

    def open_page(path):
        pages.append(NotebookPage(browser, lab, path))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def test_there_are_notebooks_of_each_kind():
    assert [path for path in NOTEBOOKS if CHAPTER.fullmatch(Path(path).stem)], "no chapter is built: make notebooks"
    assert {Path(path).stem for path in NOTEBOOKS if path.startswith(LABS)} == {
        path.stem for path in (ROOT / SOLUTIONS / "src").glob("*.py")}


@pytest.mark.parametrize("path", OPENED)
def test_a_notebook_runs_and_its_controls_redraw_their_figures(opened, path, tmp_path):
    page = opened(path)
    cells = page.run_all()
    assert errors_in(cells) == []
    stored = nbformat.read(ROOT / path, as_version=4)
    with_control = [number for number, cell in enumerate(stored.cells, start=1) if cell.cell_type == "code"
                    and any(output.get("data", {}).get("text/plain") == WIDGET_NOTE for output in cell.outputs)]
    for number in with_control:
        page.cell(number).locator(".jp-OutputArea .jupyter-widgets").first.wait_for()
    assert page.broken_controls().count() == 0
    assert page.unknown_controls() == []
    controls = page.controls()
    assert len(controls) >= len(with_control)
    for control in controls:
        page.move(control)
    for number in with_control:
        assert is_a_picture(page.screenshot(page.cell(number).locator(".jp-OutputArea").first, tmp_path / "after.png"))
    assert page.complaints == []
    assert page.strangers == [], "a notebook needs no network"


def test_an_error_in_a_cell_and_a_broken_control_are_seen(opened):
    page = opened("broken.ipynb")
    assert errors_in(page.run_all()) == ["cell 2: ValueError: planted", "cell 3 never ran"]
    page.broken_controls().wait_for()


def test_every_kind_of_control_is_found_and_moved_and_a_dead_one_is_seen(opened):
    page = opened("controls.ipynb")
    assert errors_in(page.run_all()) == []
    page.cell(2).locator("input[type=text]").wait_for()
    controls = page.controls()
    assert sorted(control.kind for control in controls) == [
        "buttons", "checkbox", "drop-down", "radio", "slider", "slider", "toggle"]
    dead = [c for c in controls if c.kind == "slider"][1]
    for control in controls:
        if control != dead:
            old, new = page.move(control)
            assert old != new
    with pytest.raises(AssertionError, match="a slider was moved; 2 s later its figure was the same"):
        page.move(dead, limit_s=2.0)
    unknown, = page.unknown_controls()
    assert 'type="text"' in unknown
    assert page.complaints == ["planted in the page"]


def test_a_run_is_played_by_the_keyboard(opened):
    page = opened("player.ipynb")
    assert errors_in(page.run_all()) == []
    page.cell(1).locator(".widget-play").wait_for()
    controls = page.controls()
    assert [control.kind for control in controls] == ["slider", "button", "button", "play"]
    assert page.unknown_controls() == []
    said = page.cell(1).locator("[role=status]")
    seen = []
    for control in controls[:3]:
        page.move(control)
        seen.append(said.inner_text().split(",")[0])
    assert seen == ["Step 2 of 4", "Step 1 of 4", "Step 2 of 4"]
    page.move(controls[3])
    said.filter(has_text="Step 4 of 4").wait_for(timeout=30_000)
    assert page.broken_controls().count() == 0
    assert page.complaints == []


def test_what_needs_an_answer_may_stop_on_the_stub_only():
    def cell(ename, evalue="9.3", **metadata):
        return {"cell_type": "code", "source": "run = answer()", "execution_count": 1, "metadata": metadata,
                "outputs": [{"output_type": "error", "ename": ename, "evalue": evalue}]}

    stub, needs, unset = "NotImplementedError", {"needs": "9.3"}, "name 'run' is not defined"
    cells = [cell("NameError", unset, pslab=needs), cell(stub, pslab=needs), cell(stub),
             cell("NameError", unset, pslab=needs), cell("NameError", "name 'ru' is not defined", pslab=needs),
             cell("NameError", unset), cell("ValueError", pslab=needs)]
    assert errors_in(cells) == [f"cell 1: NameError: {unset}", f"cell 3: {stub}: 9.3",
                                "cell 5: NameError: name 'ru' is not defined", f"cell 6: NameError: {unset}",
                                "cell 7: ValueError: 9.3"]


def is_a_picture(path) -> bool:
    """Large enough and of many colours: neither a blank page nor a broken-image icon."""
    with Image.open(path) as image:
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
        background = max(count for count, _ in colours)
        return min(image.size) >= 200 and len(colours) >= 50 and background < 0.98 * image.width * image.height


def test_a_blank_screenshot_is_no_picture(tmp_path):
    Image.new("RGB", (800, 600), "white").save(tmp_path / "blank.png")
    assert not is_a_picture(tmp_path / "blank.png")
