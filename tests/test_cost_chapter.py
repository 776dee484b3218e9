"""Chapter 11.9 as stored: what its sentences say in numbers, its cells have computed."""

import re

import nbformat
import pytest

from pslab.notebooks.text import WIDGET_NOTE

CHAPTER = "chapters/11_09_parameter_server_vs_all_reduce.ipynb"

# Numbers in sentences that are settings of the cells (bandwidth, latency, memory), not results of them.
SETTINGS = {"12.5 GB", "10 µs", "20 µs", "80 GB", "48 MB"}
QUANTITY = re.compile(r"(?<![\d.,])(\d[\d,]*(?:\.\d+)?) ?(%|GB|MB|kB|TB|µs|ms|×|x\b|times|rounds)")


@pytest.fixture(scope="module")
def notebook(repo_root):
    return nbformat.read(repo_root / CHAPTER, as_version=4)


def outputs_text(notebook) -> str:
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            texts.append(output.get("text") or output.data.get("text/plain", ""))
    return "\n".join(texts)


def sentences(notebook) -> str:
    """All text cells, without code listings."""
    return "\n".join(re.sub(r"```.*?```", "", cell.source, flags=re.S) for cell in notebook.cells
                     if cell.cell_type == "markdown")


def test_quantities_in_sentences_were_computed(notebook):
    shown = outputs_text(notebook)
    found = {f"{number} {unit}" for number, unit in QUANTITY.findall(sentences(notebook))}
    assert len(found) >= 5, "the search finds the quantities it is meant to find"
    missing = [q for q in sorted(found - SETTINGS) if not re.search(rf"(?<![\d.,]){re.escape(q)}", shown)]
    assert missing == [], "in a sentence and in no output"


@pytest.mark.parametrize("printed", [
    "0.35 GB", "3.20 GB", "9.1x", "32,768", "0.0328 %", "33.554 MB", "716.800 GB", "21,362x",      # as in print
    "4.57", "2,670", "5,341", "34.08 MB", "119.3 MB", "51.2 GB", "0.0041 %",                       # counted alike
    "87.5 %", "86.2 %", "77.8 %", "29.2 %", "10.9 %",                                              # exercise 11.9.1
])
def test_the_chapter_shows(notebook, printed):
    assert re.search(rf"(?<![\d.,]){re.escape(printed)}", outputs_text(notebook))


def test_every_check_that_a_cell_prints_passed(notebook):
    shown = outputs_text(notebook)
    assert shown.count("yes") > 30
    assert not re.search(r"\bNO\b|\bLARGE\b|\bFalse\b", shown)


def test_shape_of_a_chapter(notebook):
    text = sentences(notebook)
    for part in ("**The big picture.**", "**After this chapter you can**", "**Before you start**", "**Time:**",
                 "## In production", "## Did it stick?", "## Further reading"):
        assert part in text
    sections = re.findall(r"^## (\d)\. .* · \*(Beginner|Intermediate|Advanced)\*$", text, flags=re.M)
    assert [number for number, _ in sections] == ["1", "2", "3", "4", "5", "6"]
    assert text.count("<details>") == text.count("</details>") >= 6


def test_cells_fit_on_a_page(notebook):
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert max(len(line) for source in code for line in source.splitlines()) <= 100
    assert max(len(source.splitlines()) for source in code) <= 25


def test_only_the_control_is_not_compared(notebook):
    ignored = [cell.source for cell in notebook.cells if cell.metadata.get("tags")]
    assert ignored == ["viz.busiest_link_widget()"]


def test_pictures_are_stored_with_their_words(notebook):
    pictures = [output.data for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output
                and "image/png" in output.data and output.data["text/plain"] != WIDGET_NOTE]
    assert len(pictures) >= 10
    assert all(len(data["text/plain"].splitlines()) >= 4 for data in pictures), "title, gap, head, rows"
