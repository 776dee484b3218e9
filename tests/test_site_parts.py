"""The parts of the site's builder, each with a planted fault that it must notice."""

import re
import sys
from pathlib import Path

import docutils.core
import nbformat
import pytest

HERE = Path(__file__).resolve().parent.parent / "docs" / "site"
sys.path.insert(0, str(HERE))

import site_docstrings  # noqa: E402
import site_glossary  # noqa: E402
import site_links  # noqa: E402
import site_mathml  # noqa: E402
import site_notebooks  # noqa: E402
import site_stage  # noqa: E402

# ---- links and loads -----------------------------------------------------------------------------------

GOOD = '<html><head><link rel="stylesheet" href="s.css"></head><body id="top"><a href="b.html#there">b</a>' \
       '<a href="https://example.org/">out</a><a href="#top">up</a><a href="mailto:x@example.org">m</a>' \
       '<img src="i.png" alt=""><a href="sub/">sub</a></body></html>'  # fmt: skip


@pytest.fixture
def site(tmp_path):
    """A small site without a fault."""
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text('<p id="there">x</p><a href="a.html?x=1">a</a>')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text('<a href="../a.html">up</a>')
    (tmp_path / "s.css").write_text('p { background: url("i.png") }')
    (tmp_path / "i.png").write_bytes(b"")
    return tmp_path


def test_a_good_site_has_no_problems(site):
    assert site_links.problems(site) == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('<a href="gone.html">x</a>', "the link gone.html leads to no file"),
        ('<a href="b.html#nowhere">x</a>', "names a place that is not on that page"),
        ('<a href="#nowhere">x</a>', "names a place"),
        ('<a href="../../outside.html">x</a>', "leads to no file"),
        ('<img src="gone.png">', "the link gone.png leads to no file"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn.example.org/x.js from the network"),
        ('<script src="//cdn.example.org/x.js"></script>', "loads //cdn.example.org/x.js from the network"),
        ('<link rel="stylesheet" href="http://example.org/x.css">', "from the network"),
        ('<link rel="preload" as="font" href="https://example.org/f.woff2">', "from the network"),
        ('<img src="https://example.org/x.png">', "from the network"),
        ('<img srcset="i.png 1x, https://example.org/x.png 2x" src="i.png">', "from the network"),
        ('<iframe src="https://example.org/"></iframe>', "from the network"),
        ("<style>@import url(https://example.org/x.css);</style>", "from the network"),
        ('<p style="background: url(https://example.org/x.png)">x</p>', "from the network"),
    ],
)
def test_a_planted_fault_is_seen(site, fault, said):
    (site / "a.html").write_text(GOOD.replace("</body>", fault + "</body>"))
    found = site_links.problems(site)
    assert len(found) == 1, found
    assert found[0].startswith("a.html: ")
    assert said in found[0]


def test_a_style_sheet_that_loads_a_font_is_seen(site):
    (site / "s.css").write_text("@font-face { src: url('https://example.org/f.woff2') }")
    assert site_links.problems(site) == ["s.css: loads https://example.org/f.woff2 from the network"]


def test_an_empty_site_is_a_problem(tmp_path):
    assert site_links.problems(tmp_path) == [f"{tmp_path}: there is no page"]


# ---- formulas ------------------------------------------------------------------------------------------


def test_a_formula_becomes_mathml_with_its_latex_as_words():
    drawn = site_mathml.mathml(r"2\frac{K-1}{K}Pb < \alpha")
    assert "<mfrac>" in drawn
    assert 'alttext="2\\frac{K-1}{K}Pb &lt; \\alpha"' in drawn
    assert 'display="block"' in site_mathml.mathml("a", display=True)


def test_an_unknown_formula_is_refused():
    with pytest.raises(ValueError, match=r"the formula '\\\\nosuch\{x\}' is not understood"):
        site_mathml.mathml(r"\nosuch{x}")


FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![$\\])\$([^$\n]+?)\$(?!\$)", re.S)


def unknown_formulas(texts):
    """[formula] of those that the site's pages cannot show."""
    formulas = [block or inline for text in texts for block, inline in FORMULA.findall(text)]
    assert len(formulas) > 0
    return [formula for formula in formulas if not is_known(formula)]


def is_known(formula):
    try:
        return bool(site_mathml.mathml(formula))
    except ValueError:
        return False


def test_every_formula_of_the_notebooks_can_be_shown(repo_root):
    notebooks = [nbformat.read(path, as_version=4) for folder in ("chapters", "labs")
                 for path in sorted((repo_root / folder).glob("*.ipynb"))]
    assert unknown_formulas([cell.source for notebook in notebooks for cell in notebook.cells
                             if cell.cell_type == "markdown"]) == []
    assert unknown_formulas([r"in step $t = 1, 2, \dots$ and $$K\,\big[a\big]$$ and $K$"]) == [
        r"t = 1, 2, \dots", r"K\,\big[a\big]"]


# ---- docstrings ----------------------------------------------------------------------------------------

DOCSTRING = """One line with `a name`, 2 * 3 and shape_ and *stress*.

    drawn ──> as it stands
          *stars*

(K, D) rows of `x`s.
>>> 1 + 1
2

view 'a':    aligned words
view 'b':    others

- a list with `code`
  that goes on
- another | one
"""


def html_of(docstring):
    """The docstring as docutils reads it; any warning is an error."""
    settings = {"halt_level": 2, "report_level": 2, "input_encoding": "unicode"}
    text = site_docstrings.as_rst(docstring)
    return docutils.core.publish_parts(text, writer="html5", settings_overrides=settings)["body"]


def test_a_docstring_reads_as_it_was_meant():
    page = html_of(DOCSTRING)
    assert page.count("<pre") == 3  # the drawing, the example, the aligned words
    assert "      *stars*" in page
    assert "2 * 3 and shape_ and <em>stress</em>" in page
    assert page.count("<li>") == 2
    assert "another | one" in page


def test_a_plain_value_is_not_described_by_its_type():
    assert site_docstrings._of_its_type(True, bool.__doc__)
    assert not site_docstrings._of_its_type(True, "Whether rounds close together.")
    assert not site_docstrings._of_its_type(bool, bool.__doc__)


# ---- the glossary --------------------------------------------------------------------------------------


def test_tables_of_terms_become_entries_and_others_stay():
    terms = "| term | here |\n| --- | --- |\n| push, pull | there and back |\n"
    others = "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    text = f"# T\n\n{terms}\n{others}"
    made = site_glossary.as_glossary(text)
    assert "```{glossary}\npush\npull\n  there and back\n\n```" in made
    assert "| 1 | 2 |" in made
    letters = site_glossary.as_glossary("| letter | here |\n| --- | --- |\n| K, S | workers, servers |\n")
    assert "K\n  workers\n\nS\n  servers\n" in letters


# ---- pages and notebooks -------------------------------------------------------------------------------


def relink(root, source, text, pages):
    return site_stage._relinker(root, source, pages[source], pages)(text)


def test_links_lead_to_pages_of_the_site_or_become_words(tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("docs/a.md", "docs/b.md", "setup.cfg", "README.md"):
        (tmp_path / name).write_text("x")
    pages = {"docs/a.md": "a.md", "docs/b.md": "class/b.md", "docs/site/index.md": "index.md"}
    assert relink(tmp_path, "docs/a.md", "[x](b.md#here)", pages) == "[x](class/b.md#here)"
    assert relink(tmp_path, "docs/b.md", "[x](a.md)", pages) == "[x](../a.md)"
    assert relink(tmp_path, "docs/a.md", "[x](../README.md)", pages) == "[x](index.md)"
    assert relink(tmp_path, "docs/a.md", "[settings](../setup.cfg)", pages) == "settings (`setup.cfg`)"
    elsewhere = "[x](https://example.org) [y](#z)"
    assert relink(tmp_path, "docs/a.md", elsewhere, pages) == elsewhere
    with pytest.raises(ValueError, match=r"docs/a.md: the link gone.md leads to nothing"):
        relink(tmp_path, "docs/a.md", "[x](gone.md)", pages)


def test_a_notebook_gets_words_for_its_pictures_and_for_its_controls(tmp_path):
    data = {"image/png": "iVBORw0KGgo=", "text/plain": "Title\n\nK  MB\n1  <2"}
    picture = nbformat.v4.new_output("execute_result", data, execution_count=1)
    control = nbformat.v4.new_output("display_data", {"text/plain": site_notebooks.CONTROL})
    cells = [nbformat.v4.new_markdown_cell("# Head\n\nwords"), nbformat.v4.new_code_cell("a", outputs=[picture]),
             nbformat.v4.new_code_cell("b", outputs=[control])]  # fmt: skip
    path = tmp_path / "chapters" / "n.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    head, first, second = nbformat.reads(site_notebooks.prepared(path, str.upper), as_version=4).cells
    assert head.source.startswith("# HEAD\n")
    assert "chapters/n.ipynb" in head.source
    assert first.metadata["mystnb"]["image"]["alt"] == "Title"
    assert "K  MB\n1  &lt;2" in first.outputs[1].data["text/html"]
    assert "Its first view is the picture above" in second.outputs[0].data["text/html"]
    assert "image/png" in nbformat.read(path, as_version=4).cells[1].outputs[0].data  # the file itself is as it was


def test_a_folder_without_a_front_page_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no checkout of the course"):
        site_stage.find_pages(tmp_path)
