"""One notebook open in JupyterLab in a real browser: run it, look at it, move its controls by keyboard."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from playwright.sync_api import Browser, Locator, Page, TimeoutError, sync_playwright

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
RUN_ALL = """() => {
  window.pslabRun = 'running';
  window.jupyterapp.commands.execute('notebook:run-all-cells').then(
    () => { window.pslabRun = 'done'; }, error => { window.pslabRun = 'failed: ' + error; });
}"""
CELLS = "() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.toJSON().cells"
PICTURE_CHANGED = """([cell, old]) => {
  const picture = cell.querySelector('.jp-OutputArea img');
  return Boolean(picture && picture.complete && picture.naturalWidth > 0 && picture.src !== old);
}"""


def find_chromium() -> str | None:
    """Debian's chromium, one of its other names, or the browser that PSLAB_CHROMIUM names."""
    if named := os.environ.get("PSLAB_CHROMIUM"):
        return named
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class NotebookPage:
    """lab: a running JupyterLab; path: the notebook, relative to the folder it serves."""

    def __init__(self, browser: Browser, lab, path: str):
        self.complaints: list[str] = []  # console errors and uncaught exceptions of the page
        self.strangers: list[str] = []  # requests that would have left the machine; they are refused
        self.page: Page = browser.new_page(viewport={"width": 1280, "height": 1000})
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

    def handles(self) -> Locator:
        """The handles of every slider on the page."""
        return self.page.locator(".jp-OutputArea .noUi-handle")

    def nudge(self, handle: Locator) -> tuple[str, str]:
        """Move one slider by one step with the arrow keys; the picture source (before, after) it is redrawn."""
        cell = handle.locator("xpath=ancestor::div[contains(concat(' ', @class, ' '), ' jp-Cell ')]")
        picture = cell.locator(".jp-OutputArea img").first
        picture.wait_for(timeout=REDRAW_LIMIT_S * 1000)
        old = picture.get_attribute("src")
        at_end = float(handle.get_attribute("aria-valuenow")) >= float(handle.get_attribute("aria-valuemax"))
        handle.focus()
        self.page.keyboard.press("ArrowLeft" if at_end else "ArrowRight")
        try:
            self.page.wait_for_function(
                PICTURE_CHANGED, arg=[cell.element_handle(), old], timeout=REDRAW_LIMIT_S * 1000, polling=100
            )
        except TimeoutError:
            value = handle.get_attribute("aria-valuenow")
            raise AssertionError(
                f"a slider moved to {value}; {REDRAW_LIMIT_S:.0f} s later its figure was the same"
            ) from None
        return old, picture.get_attribute("src")

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
    """Error outputs and cells that never ran, by the number a person counts."""
    found = []
    for number, cell in enumerate(cells, start=1):
        if cell["cell_type"] != "code":
            continue
        if cell["execution_count"] is None and cell["source"]:
            found.append(f"cell {number} never ran")
        found += [f"cell {number}: {o['ename']}: {o['evalue']}" for o in cell["outputs"] if o["output_type"] == "error"]
    return found
