"""One notebook open in JupyterLab in a real browser: run it, find its controls, move each and see its picture change.

    controls()   every slider, checkbox, drop-down and group of buttons in the outputs, found by what ipywidgets draws
    move(it)     one step, as a person would: arrow key, click, next option; then the picture of its cell must differ
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, TimeoutError, sync_playwright

OPEN_LIMIT_S = 60.0  # the first page load compiles JupyterLab's scripts
RUN_LIMIT_S = 150.0  # a notebook takes at most 60 s on two free cores; tests share theirs
REDRAW_LIMIT_S = 30.0  # a figure takes a fraction of a second

# Chromium's sandbox needs privileges that containers lack; the page is our own notebook on loopback.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
         "--disable-component-update", "--no-first-run", "--no-default-browser-check"]  # fmt: skip

READY = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.context?.isReady && panel.sessionContext?.session?.kernel;
  return Boolean(kernel && kernel.connectionStatus === 'connected' && kernel.status === 'idle');
}"""
# JupyterLab calls a run done at the first error, although cells behind one that may raise still run in the kernel:
# an empty request stands in line behind them all.
RUN_ALL = """() => {
  window.pslabRun = 'running';
  const last = () => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute(
    {code: 'pass', silent: true}).done;
  window.jupyterapp.commands.execute('notebook:run-all-cells').then(last).then(
    () => { window.pslabRun = 'done'; }, error => { window.pslabRun = 'failed: ' + error; });
}"""
CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells"
PICTURES = """cell => {
  const pictures = [...cell.querySelectorAll('.jp-OutputArea img')];
  const drawn = pictures.every(picture => picture.complete && picture.naturalWidth > 0);
  return drawn ? pictures.map(picture => picture.src).join(' ') : '';
}"""
PICTURE_CHANGED = f"""([cell, old]) => {{ const now = ({PICTURES})(cell); return Boolean(now && now !== old); }}"""

# What a person can move, and what ipywidgets draws for it. A group of options is one control.
CONTROLS = {
    "slider": ".noUi-handle",
    "checkbox": ".widget-checkbox input[type=checkbox]",
    "drop-down": ".widget-dropdown select",
    "toggle": "button.widget-toggle-button:not(.widget-toggle-buttons *)",
    "buttons": ".widget-toggle-buttons",
    "radio": ".widget-radio-box",
    "button": "button.widget-button",
    "play": ".widget-play",  # last: it goes on by itself
}
# Everything in a widget that takes a click or a key: what no control above covers is unknown to these tests.
TAKES_INPUT = ".jp-OutputArea .jupyter-widgets :is(input, select, textarea, button, .noUi-handle)"
NO_MORE = """everything => {
  const count = document.querySelectorAll(everything).length, before = window.pslabControls;
  window.pslabControls = count;
  return count === before;
}"""
UNKNOWN = """([everything, known]) => [...document.querySelectorAll(everything)]
  .filter(e => !e.matches(known) && !known.split(',').some(one => e.closest(one)))
  .map(e => e.outerHTML.slice(0, 120))"""


def find_chromium() -> str | None:
    """Debian's chromium, one of its other names, or the browser that PSLAB_CHROMIUM names."""
    if named := os.environ.get("PSLAB_CHROMIUM"):
        return named
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def chromium() -> Iterator[BrowserContext]:
    """A browser in which all pages share what they have loaded: JupyterLab's scripts are compiled once."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        try:
            yield browser.new_context(viewport={"width": 1280, "height": 1000})
        finally:
            browser.close()


class Control(NamedTuple):
    kind: str  # one of CONTROLS
    where: Locator


class NotebookPage:
    """lab: a running JupyterLab; path: the notebook, relative to the folder it serves."""

    def __init__(self, browser: BrowserContext, lab, path: str):
        self.complaints: list[str] = []  # console errors and uncaught exceptions of the page
        self.strangers: list[str] = []  # requests that would have left the machine; they are refused
        self.page: Page = browser.new_page()
        self.page.set_default_timeout(OPEN_LIMIT_S * 1000)
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.route("**/*", self._stay_on_loopback)
        self.page.goto(f"{lab.url}/lab/tree/{quote(path)}?reset&token={lab.token}")
        # Connected *and* idle: cells that are run earlier are sometimes never sent.
        self.page.wait_for_function(READY, timeout=OPEN_LIMIT_S * 1000)

    def run_all(self) -> list[dict]:
        """Run every cell; return the cells as the notebook would store them now."""
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function("() => window.pslabRun !== 'running'", timeout=RUN_LIMIT_S * 1000)
        return self.page.evaluate(CELLS)

    def broken_controls(self) -> Locator:
        """What JupyterLab shows in place of a widget that its script could not draw."""
        return self.page.locator(".jupyter-widgets-error-widget")

    def controls(self) -> list[Control]:
        """Every control in the outputs, kind by kind; waits until no more of them appear."""
        self.page.wait_for_function(NO_MORE, arg=TAKES_INPUT, timeout=REDRAW_LIMIT_S * 1000, polling=200)
        return [Control(kind, locator) for kind, css in CONTROLS.items()
                for locator in self.page.locator(f".jp-OutputArea {css}").all()]

    def unknown_controls(self) -> list[str]:
        """Parts of widgets that take input and that `move` does not know."""
        return self.page.evaluate(UNKNOWN, [TAKES_INPUT, ", ".join(CONTROLS.values())])

    def cell(self, number: int) -> Locator:
        """The cell with this number, counted from 1."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number - 1)

    def move(self, control: Control, limit_s: float = REDRAW_LIMIT_S) -> tuple[str, str]:
        """Move one control by one step; the pictures of its cell (before, after), which must differ."""
        cell = control.where.locator("xpath=ancestor::div[contains(concat(' ', @class, ' '), ' jp-Cell ')]")
        cell.locator(".jp-OutputArea img").first.wait_for(timeout=limit_s * 1000)
        old = cell.evaluate(PICTURES)
        _STEP[control.kind](control.where)
        try:
            self.page.wait_for_function(PICTURE_CHANGED, arg=[cell.element_handle(), old], timeout=limit_s * 1000,
                                        polling=100)  # fmt: skip
        except TimeoutError:
            raise AssertionError(f"a {control.kind} was moved; {limit_s:.0f} s later its figure was the same") from None
        return old, cell.evaluate(PICTURES)

    def screenshot(self, locator: Locator, path: Path) -> Path:
        locator.scroll_into_view_if_needed()
        locator.screenshot(path=path)
        return path

    def close(self) -> None:
        self.page.close()

    def _stay_on_loopback(self, route) -> None:
        if urlsplit(route.request.url).hostname in ("127.0.0.1", "localhost", None):
            route.continue_()
        else:
            self.strangers.append(route.request.url)
            route.abort()


def errors_in(cells: list[dict]) -> list[str]:
    """Error outputs and cells that never ran, by the number a person counts.

    A lab's cell that needs an answer may stop on the stub, or on a name that such a cell above it would have set.
    """
    found, unset = [], ""
    for number, cell in enumerate(cells, start=1):
        if cell["cell_type"] != "code":
            continue
        if cell["execution_count"] is None and cell["source"]:
            found.append(f"cell {number} never ran")
        errors = [o for o in cell["outputs"] if o["output_type"] == "error"]
        needs = "needs" in cell["metadata"].get("pslab", {})
        found += [f"cell {number}: {e['ename']}: {e['evalue']}" for e in errors
                  if not (needs and _for_want_of_an_answer(e, unset))]  # fmt: skip
        if needs and errors:
            unset += cell["source"]
    return found


def _for_want_of_an_answer(error: dict, unset: str) -> bool:
    """unset: the text of the cells that stopped above."""
    missing = re.fullmatch(r"name '(\w+)' is not defined", error["evalue"])
    set_above = missing and re.search(rf"\b{missing[1]}\b", unset)
    return error["ename"] in ("NotImplementedError", "TypeError") or bool(set_above)


def _step_slider(handle: Locator) -> None:
    at_end = float(handle.get_attribute("aria-valuenow")) >= float(handle.get_attribute("aria-valuemax"))
    handle.focus()
    handle.page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")


def _step_select(select: Locator) -> None:
    chosen, count = select.evaluate("select => [select.selectedIndex, select.options.length]")
    select.select_option(index=(chosen + 1) % count)


_STEP = {
    "slider": _step_slider,
    "checkbox": lambda box: box.click(),
    "drop-down": _step_select,
    "toggle": lambda button: button.click(),
    "buttons": lambda group: group.locator("button:not(.mod-active)").first.click(),
    "radio": lambda group: group.locator("input:not(:checked)").first.click(),
    "button": lambda button: button.press("Enter"),
    "play": lambda player: player.locator("button").first.press("Enter"),
}
