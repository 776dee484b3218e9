"""Chapter 11.9 in a real browser: every cell runs, and its control redraws the figure."""

import shutil

import pytest

pytest.importorskip("playwright", reason="playwright is not installed: pip install 'pslab[dev]'")

from browser.lab import running_lab
from browser.notebook_page import NotebookPage, chromium, errors_in, find_chromium
from PIL import Image

CHAPTER = "11_09_parameter_server_vs_all_reduce.ipynb"

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


@pytest.fixture(scope="module")
def course(tmp_path_factory, repo_root):
    """A copy of the chapters, because JupyterLab saves what it opens; beside them a notebook with a planted error."""
    from pslab.notebooks.build import write
    from pslab.notebooks.text import read_source

    folder = tmp_path_factory.mktemp("course")
    (folder / "chapters").mkdir()
    for notebook in (repo_root / "chapters").glob("*.ipynb"):
        shutil.copy(notebook, folder / "chapters")
    (folder / "broken.py").write_text(BROKEN)
    write(read_source(folder / "broken.py"), folder / "broken.ipynb")
    return folder


@pytest.fixture(scope="module")
def lab(course, tmp_path_factory):
    with running_lab(course, tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


def test_the_chapter_runs_and_its_control_redraws_the_figure(lab, browser, tmp_path, repo_root):
    assert (repo_root / "chapters" / CHAPTER).exists(), "the chapter is not built: make notebooks"
    page = NotebookPage(browser, lab, f"chapters/{CHAPTER}")
    try:
        assert errors_in(page.run_all()) == []
        handles = page.handles()
        handles.nth(2).wait_for()  # three sliders: K, S, overlap
        assert page.broken_controls().count() == 0
        figure = handles.first.locator("xpath=ancestor::div[contains(@class, 'jp-OutputArea ')][last()]")
        before = page.screenshot(figure, tmp_path / "before.png")
        for index in range(handles.count()):
            old, new = page.nudge(handles.nth(index))
            assert old != new
        after = page.screenshot(figure, tmp_path / "after.png")
        assert is_a_picture(before)
        assert is_a_picture(after)
        assert Image.open(before).tobytes() != Image.open(after).tobytes()
        assert page.complaints == []
        assert page.strangers == [], "a notebook needs no network"
    finally:
        page.close()


def test_an_error_in_a_cell_and_a_broken_control_are_seen(lab, browser):
    page = NotebookPage(browser, lab, "broken.ipynb")
    try:
        assert errors_in(page.run_all()) == ["cell 2: ValueError: planted", "cell 3 never ran"]
        page.broken_controls().wait_for()
    finally:
        page.close()


def is_a_picture(path) -> bool:
    """Large enough and of many colours: neither a blank page nor a broken-image icon."""
    with Image.open(path) as image:
        colours = image.convert("RGB").getcolors(maxcolors=1 << 24)
        background = max(count for count, _ in colours)
        return min(image.size) >= 200 and len(colours) >= 50 and background < 0.98 * image.width * image.height


def test_a_blank_screenshot_is_no_picture(tmp_path):
    Image.new("RGB", (800, 600), "white").save(tmp_path / "blank.png")
    assert not is_a_picture(tmp_path / "blank.png")
