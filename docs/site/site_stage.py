"""The sources of the site, laid out as the site is: pages, notebooks with their stored outputs, API pages.

    docs/NAME.md, docs/class/NAME.md    ->  NAME.md, class/NAME.md
    docs/site/index.md                  ->  index.md
    docs/terms.md                       ->  terms.md, its tables turned into a glossary
    chapters/NAME.ipynb, labs/…         ->  chapters/NAME.ipynb, labs/…    (solutions stay where they are)
    the faces of the kit                ->  api/ROOM.rst

Links are followed to the file they name in the repository: to another page of the site they stay links; a file that
is no page is named by its path. Nothing in the repository is changed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from site_api import api_pages
from site_class import with_recordings
from site_glossary import as_glossary
from site_notebooks import prepared

HIDDEN = {"docs/README.md"}  # says in the repository what the site's menu says here
FRONT = "docs/site/index.md"
# The order of the menu; pages that are not named here follow the last one of their part.
PARTS = {
    "Start": ("students.md", "chapters/00_start_here.ipynb"),
    "Chapters": (),
    "Labs": (),
    "Teaching": ("instructors.md", *(f"class/11_{number:02d}.md" for number in (0, 1, 2, 3, 4, 5, 6, 7, 9))),
    "Reference": ("terms.md",),
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Staged:
    """pages: {path in the repository: path in the site}; menu: {part: pages of the site in order}."""

    pages: dict[str, str]
    menu: dict[str, list[str]]


def stage(root: Path, folder: Path) -> Staged:
    """Write the site's sources of the repository `root` into `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pages = find_pages(root)
    api = api_pages()
    menu = _menu([*pages.values(), "api/index.rst"])
    for source, page in pages.items():
        target = folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        relinked = _relinker(root, source, page, pages)
        if source.endswith(".ipynb"):
            target.write_text(prepared(root / source, relinked), encoding="utf-8")
            kept = folder / "notebooks" / page
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / source, kept)
            continue
        text = relinked((root / source).read_text(encoding="utf-8"))
        if page == "terms.md":
            text = as_glossary(text)
        if page == "index.md":
            text += _toctrees(menu)
        target.write_text(text, encoding="utf-8")
    for name, text in api.items():
        (folder / "api").mkdir(exist_ok=True)
        (folder / "api" / name).write_text(text, encoding="utf-8")
    for page in pages.values():
        if found := re.fullmatch(r"class/(\d+)_(\d+)\.md", page):
            _complete_class(folder / page, f"{int(found[1])}.{int(found[2])}", root)
    if (root / "docs" / "img").is_dir():
        shutil.copytree(root / "docs" / "img", folder / "img")
    return Staged(pages, menu)


def find_pages(root: Path) -> dict[str, str]:
    """{path in the repository: path in the site} of everything that becomes a page; ValueError where there is none."""
    found = {FRONT: "index.md"} if (root / FRONT).is_file() else {}
    for path in [*sorted((root / "docs").glob("*.md")), *sorted((root / "docs" / "class").glob("*.md"))]:
        name = path.relative_to(root).as_posix()
        if name not in HIDDEN:
            found[name] = name.removeprefix("docs/")
    for part in ("chapters", "labs"):
        for path in sorted((root / part).glob("*.ipynb")):
            found[f"{part}/{path.name}"] = f"{part}/{path.name}"
    if "docs/site/index.md" not in found or not any(page.endswith(".ipynb") for page in found):
        raise ValueError(f"{root} is no checkout of the course: a front page {FRONT} and chapters are needed")
    return found


def _complete_class(page: Path, chapter: str, root: Path) -> None:
    """Put the recorded outputs, and the chapter's handout where it has one, into the page of a class."""
    from pslab.classroom import has_handout, write_handout

    text = with_recordings(page.read_text(encoding="utf-8"), chapter, root).rstrip()
    if has_handout(chapter):
        write_handout(chapter, page.with_name(f"{page.stem}_handout.pdf"))
        text += f"\n\n{{download}}`The handout, one A4 page <{page.stem}_handout.pdf>`"
    page.write_text(f"{text}\n", encoding="utf-8")


def _menu(pages: list[str]) -> dict[str, list[str]]:
    menu = {part: [page for page in named if page in pages] for part, named in PARTS.items()}
    placed = {page for named in menu.values() for page in named} | {"index.md"}
    for page in pages:
        if page not in placed:
            part = {"chapters": "Chapters", "labs": "Labs", "class": "Teaching"}.get(page.split("/")[0])
            part = part or ("Teaching" if page.startswith("grading") else "Reference")
            menu[part].append(page)
    return {part: named for part, named in menu.items() if named}


def _toctrees(menu: dict[str, list[str]]) -> str:
    blocks = []
    for part, pages in menu.items():
        names = "\n".join(page.rsplit(".", 1)[0] for page in pages)
        blocks.append(f"\n```{{toctree}}\n:hidden:\n:caption: {part}\n\n{names}\n```\n")
    return "".join(blocks)


def _relinker(root: Path, source: str, page: str, pages: dict[str, str]) -> Callable[[str], str]:
    """A function that rewrites the links of a page's Markdown."""
    here = (root / source).parent

    def relinked(match: re.Match) -> str:
        picture, words, target = match.groups()
        if re.match(r"[a-z][a-z0-9+.-]*:|#", target):
            return match[0]
        path, _, place = target.partition("#")
        named = (here / path).resolve()
        if not named.exists():
            raise ValueError(f"{source}: the link {target} leads to nothing")
        inside = named.relative_to(root.resolve()).as_posix()
        place = f"#{place}" if place else ""
        if inside in (*HIDDEN, "README.md", "chapters/README.md"):
            inside = FRONT
        if inside in pages:
            return f"[{words}]({_from(page, pages[inside])}{place})"
        if picture:
            return f"![{words}]({_from(page, inside.removeprefix('docs/'))})"
        return words if inside.strip("/") in words or f"`{path}`" in words else f"{words} (`{inside}`)"

    return lambda text: _LINK.sub(relinked, text)


def _from(page: str, other: str) -> str:
    return Path(os.path.relpath(other, Path(page).parent)).as_posix()
