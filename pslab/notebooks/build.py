"""Execute a text and store the notebook with its outputs, tidied so that a rebuild gives a small diff."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from pslab.notebooks.check import long_cells, text_differs
from pslab.notebooks.labs import NEEDS_ANSWER
from pslab.notebooks.text import RUN_TIME, WIDGET_NOTE, WIDGET_VIEW, Pair, find_pairs, read_pair


def build(
    root: Path,
    names: Sequence[str] = (),
    *,
    force: bool = False,
    cell_timeout_s: float = 60.0,
    report: Callable[[str], None] = print,
) -> int:
    """Build the notebooks under root whose text has changed; return how many could not be built.

    names: stems ("11_09_...") or parts of them to choose by; none means all. force: build unchanged ones too.
    A notebook that fails to build is left as it was.
    """
    pairs = [p for p in find_pairs(root) if p.source.exists() and (not names or any(n in p.name for n in names))]
    if not pairs:
        raise ValueError(f"names={list(names)!r} choose no text under {root}; there are chapters/src and "
                         "solutions/src")
    failures = 0
    for pair in pairs:
        try:
            fresh = read_pair(pair)
        except (ValueError, SyntaxError) as error:
            failures += 1
            report(f"{pair.name}: NOT built\n{error}")
            continue
        if not force and is_current(pair, fresh):
            report(f"{pair.name}: unchanged")
            continue
        try:
            if problems := long_cells(fresh):
                raise BuildError("\n".join(problems))
            pair.notebook.parent.mkdir(exist_ok=True)
            start = time.perf_counter()
            execute(fresh, pair.notebook.parent, cell_timeout_s)
            fresh.metadata["pslab"][RUN_TIME] = 10 * ceil((time.perf_counter() - start) / 10)
            write(tidy(fresh), pair.notebook)
            report(f"{pair.name}: built")
        except BuildError as error:
            failures += 1
            report(f"{pair.name}: NOT built\n{error}")
    return failures


class BuildError(Exception):
    """Why a notebook could not be built, in words for its author."""


def is_current(pair: Pair, fresh: nbformat.NotebookNode) -> bool:
    """True when the stored notebook was built from exactly this text."""
    if not pair.notebook.exists():
        return False
    stored = nbformat.read(pair.notebook, as_version=4)
    return RUN_TIME in stored.metadata.get("pslab", {}) and not text_differs(stored, fresh)


def execute(notebook: nbformat.NotebookNode, folder: Path, cell_timeout_s: float) -> None:
    """Run every cell in a fresh kernel that starts in `folder`, as JupyterLab would; outputs land in `notebook`."""
    client = NotebookClient(
        notebook,
        timeout=cell_timeout_s,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],
    )
    client.store_widget_state = False
    client.skip_cells_with_tag = NEEDS_ANSWER
    with tempfile.TemporaryDirectory() as private:
        # A private profile: start-up files of whoever builds must not change what is stored.
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "IPYTHONDIR": private,
               "PSLAB_HOME": private}          # and a progress file without anybody's predictions
        env.pop("PSLAB_STYLE", None)
        env.pop("MPLBACKEND", None)  # the kernel's own inline backend, also when tests have set another
        try:
            client.execute(env=env)
        except CellExecutionError as error:
            raise BuildError(f"a cell raised {error.ename}: {error.evalue}\n{error.traceback}") from None
        except CellTimeoutError as error:
            raise BuildError(f"a cell ran longer than {cell_timeout_s:.0f} s\n{error}") from None
        except DeadKernelError as error:
            raise BuildError(f"the kernel died: {error}") from None


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Drop what differs from build to build and says nothing: times, empty metadata, widget ids, split streams."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}  # the kernel adds its own version
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = _tidy_outputs(cell.outputs)
    nbformat.validate(notebook)
    return notebook


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write aside and rename, so that nobody ever opens half a notebook."""
    aside = path.with_suffix(".ipynb.tmp")
    aside.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    aside.replace(path)


def _tidy_outputs(outputs: list) -> list:
    tidied: list = []
    for output in outputs:
        if output.output_type == "stream":
            if tidied and tidied[-1].output_type == "stream" and tidied[-1].name == output.name:
                tidied[-1].text += output.text
                continue
        elif output.output_type in ("display_data", "execute_result"):
            alt = output.metadata.get("image/png", {}).get("alt")          # what a reader who sees no picture hears
            output.metadata = {"image/png": {"alt": alt}} if alt else {}
            output.pop("transient", None)
            if WIDGET_VIEW in output.data:
                # A view without its kernel shows an error; the text tells the reader what to do instead, and a still
                # picture, where the widget has one, shows how it begins.
                still = {kind: data for kind, data in output.data.items() if kind == "image/png"}
                output.data = {"text/plain": WIDGET_NOTE, **still}
        tidied.append(output)
    return [nbformat.from_dict(output) for output in tidied]
