"""The whole site, built as `make site` builds it, and looked at: pages, pictures, formulas, terms, search, browser."""

import functools
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest

from pslab.notebooks.text import WIDGET_NOTE

HERE = Path(__file__).resolve().parent.parent / "docs" / "site"
sys.path.insert(0, str(HERE))

import site_api  # noqa: E402
import site_links  # noqa: E402
import site_stage  # noqa: E402

# A build takes about a minute of processor time. What a page may hold is in test_site_parts, every time.
pytestmark = [pytest.mark.timeout(600), pytest.mark.long]
CHAPTER = "chapters/11_09_parameter_server_vs_all_reduce"


@pytest.fixture(scope="module")
def site(tmp_path_factory, repo_root):
    """The built pages; a warning of Sphinx, a dead link or a foreign load is a failure here."""
    out = tmp_path_factory.mktemp("web") / "site"
    command = [sys.executable, str(repo_root / "docs" / "site" / "build.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=repo_root)
    assert done.returncode == 0, done.stderr[-4000:]
    assert re.match(r"\d+ pages, [\d.]+ MB, built in", done.stdout)
    return out


@pytest.fixture(scope="module")
def chapter(site):
    return (site / f"{CHAPTER}.html").read_text(encoding="utf-8")


def test_every_chapter_lab_and_page_is_there_and_in_the_menu(site, repo_root):
    pages = site_stage.find_pages(repo_root)
    assert {"students.md", "instructors.md", "terms.md", "class/11_09.md", f"{CHAPTER}.ipynb"} <= set(pages.values())
    assert all((site / page).with_suffix(".html").is_file() for page in pages.values())
    front = (site / "index.html").read_text(encoding="utf-8")
    assert [page for page in pages.values() if f'href="{page.rsplit(".", 1)[0]}.html"' not in front.replace(
        'href="#"', 'href="index.html"')] == []  # fmt: skip
    assert not list(site.rglob("*solution*.html"))


def test_the_stored_outputs_are_shown(chapter, repo_root):
    stored = nbformat.read(repo_root / f"{CHAPTER}.ipynb", as_version=4)
    outputs = [output for cell in stored.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) > 8
    assert chapter.count("<img") >= len(pictures)
    controls = sum(output.data["text/plain"] == WIDGET_NOTE for output in pictures)      # they say no numbers
    assert chapter.count("the picture in numbers") == len(pictures) - controls
    for output in pictures:
        assert f'alt="{output.metadata["image/png"]["alt"]}"' in chapter.replace("&#x27;", "'")
    tables = [output for output in outputs if "text/html" in output.get("data", {})]
    assert chapter.count("<table") >= len(tables) > 10
    streams = [output.text for output in outputs if output.output_type == "stream"]
    assert re.sub(r"\s", "", streams[0][:40]) in re.sub(r"\s|<[^>]+>", "", chapter)
    assert "Its first view is the picture above" in chapter


def test_formulas_are_drawn_without_a_script(chapter, site):
    assert chapter.count("<math") > 20
    text = re.sub(r"<(pre|code|script|style)\b.*?</\1>|<[^>]+>", "", chapter, flags=re.DOTALL)
    assert "$" not in text
    assert not list(site.rglob("*mathjax*"))


def test_every_term_is_an_entry_of_the_glossary(site, repo_root):
    terms = (site / "terms.html").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \|", (repo_root / "docs" / "terms.md").read_text(encoding="utf-8"), re.MULTILINE)
    names = [name for row in rows if row not in ("term", "letter", "---") for name in row.split(", ")]
    assert len(names) > 25
    assert [name for name in names if f">{name.strip('*`')}<" not in terms.replace('<span class="k">', "")] == []
    assert "term-busiest-port" in terms


def test_the_search_finds_words_of_chapters_and_terms(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    found = json.loads(index[index.index("(") + 1 : index.rindex(")")])
    names = found["docnames"]

    def pages(word):
        places = [found[part].get(word, []) for part in ("terms", "titleterms")]
        return {names[place] for some in places for place in (some if isinstance(some, list) else [some])}

    assert CHAPTER in pages("hybrid")
    assert "terms" in pages("ledger")
    assert "api/comm" in pages("simworld") or any("SimWorld" in str(value) for value in found["objects"].values())


def test_every_name_of_every_face_is_in_the_reference(site):
    for room in ("comm", "collectives", "ps", "embedding", "models", "examples", "train", "data", "cost", "viz",
                 "grade"):
        assert room in site_api.ROOMS
        module = importlib.import_module(f"pslab.{room}")
        page = (site / "api" / f"{room}.html").read_text(encoding="utf-8")
        words = re.sub(r"<[^>]+>", "", page)
        assert [name for name in module.__all__ if not re.search(rf"\b{name}\b", words)] == [], room


def test_each_live_cell_of_a_class_has_its_recording_beside_it(site, repo_root):
    page = (site / "class" / "11_09.html").read_text(encoding="utf-8")
    recordings = re.findall(r"<details class='recorded'><summary>cell \d+, as recorded</summary>(.*?)</details>", page)
    source = (repo_root / "docs" / "class" / "11_09.md").read_text(encoding="utf-8")
    marks = re.findall(r"^- Live: ", source, re.MULTILINE)
    assert len(recordings) == len(marks) > 10
    assert all("<img" in shown or "<table" in shown or "<pre" in shown for shown in recordings)
    assert sum("<img" in shown for shown in recordings) >= 5  # links, space and time, a control's first view
    assert not any("a control:" in shown for shown in recordings)
    (handout,) = re.findall(r'href="(\.\./_downloads/[^"]+handout\.pdf)"', page)
    assert (site / "class" / handout).resolve().read_bytes().startswith(b"%PDF")


def test_no_page_shows_a_place_of_the_machine_that_built_it(site):
    places = {str(site), str(Path.home()) + "/", sys.prefix}
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert [place for place in places if place in text] == [], page.name


def test_a_planted_dead_link_and_a_planted_script_are_caught_in_the_real_pages(site):
    assert site_links.problems(site) == []
    page = site / "students.html"
    text = page.read_text(encoding="utf-8")
    try:
        page.write_text(text.replace("</body>", '<a href="terms.html#nowhere">x</a><script src="https://x.org/a.js">'
                                                "</script></body>"), encoding="utf-8")  # fmt: skip
        found = site_links.problems(site)
    finally:
        page.write_text(text, encoding="utf-8")
    assert len(found) == 2
    assert "names a place that is not on that page" in found[0]
    assert "loads https://x.org/a.js from the network" in found[1]


def small_course(root: Path, front: str) -> None:
    """A checkout of two pages."""
    (root / "docs" / "site").mkdir(parents=True)
    (root / "docs" / "site" / "index.md").write_text(front)
    (root / "chapters").mkdir()
    head = nbformat.v4.new_markdown_cell("# Head\n\n$a$")
    nbformat.write(nbformat.v4.new_notebook(cells=[head]), root / "chapters" / "01_01_x.ipynb")


TWO_BUILDS = """
import pathlib, sys
root, out = map(pathlib.Path, sys.argv[1:])
import build, site_stage
site_stage.api_pages = lambda: {"index.rst": "API\\n===\\n"}
print(build.build(root, out), (out / "searchindex.js").read_text() == "old")
(root / "docs" / "site" / "index.md").write_text("# Front\\n")
print(build.build(root, out), (out / "searchindex.js").read_text() == "old")
"""


def test_a_warning_stops_the_build_and_the_old_pages_stand(tmp_path):
    small_course(tmp_path, "# Front\n\n{term}`no such term` $\\nosuch{x}$\n")
    out = tmp_path / "build" / "site"
    out.mkdir(parents=True)
    (out / "searchindex.js").write_text("old")
    command = [sys.executable, "-c", TWO_BUILDS, str(tmp_path), str(out)]
    there = {**os.environ, "PYTHONPATH": str(HERE)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, env=there)
    assert done.stdout.splitlines() == ["['Sphinx warned, see above: every warning is an error'] True", "[] False"]
    assert "no such term" in done.stderr
    assert "is not understood" in done.stderr


def test_without_the_packages_of_the_site_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    import build

    monkeypatch.setitem(sys.modules, "sphinx", None)
    monkeypatch.setitem(sys.modules, "sphinx.cmd", None)
    assert build.main(["--out", str(tmp_path / "site")]) == 2
    assert "pip install -e '.[site]'" in capsys.readouterr().err


def test_a_folder_that_is_no_site_is_left_alone(tmp_path, repo_root):
    (tmp_path / "thesis.txt").write_text("mine")
    command = [sys.executable, str(repo_root / "docs" / "site" / "build.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "holds something that is no site" in done.stderr
    assert os.listdir(tmp_path) == ["thesis.txt"]


@pytest.fixture
def served(site):
    """The pages behind a web server on this machine: http://127.0.0.1:PORT."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_browser_asks_for_nothing_else_and_a_phone_needs_no_sideways_scrolling(site, served):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on the path: apt install chromium")
    from playwright.sync_api import sync_playwright

    asked, errors = [], []
    pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    with sync_playwright() as play:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = play.chromium.launch(executable_path=chromium, args=flags)
        try:
            for width in (390, 1280):
                page = browser.new_page(viewport={"width": width, "height": 844})
                page.on("request", lambda request: asked.append(request.url))
                page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
                for name in pages if width == 390 else ["index.html", f"{CHAPTER}.html"]:
                    page.goto((site / name).as_uri())  # opened from the folder, without any server
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
                    assert page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)"), name
            page.goto(f"{served}/search.html?q=reduce-scatter")
            page.wait_for_selector("#search-results li a", timeout=20_000)
            assert "11.9" in page.inner_text("#search-results")
        finally:
            browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", served))] == []
    assert errors == []
