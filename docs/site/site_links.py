"""What the built pages must keep: every local link leads to a page and a place that are there, and no page loads
anything from elsewhere (a link that a reader may follow is fine; a script, style, font, image or frame is not).

    python docs/site/site_links.py FOLDER
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FOREIGN = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_CSS_LOADS = re.compile(r"""(?:@import\s+(?:url\()?|url\()\s*["']?([^"')\s]+)""", re.IGNORECASE)
_LOADING_RELS = {"stylesheet", "icon", "shortcut", "apple-touch-icon", "preload", "modulepreload", "prefetch",
                 "manifest"}


@dataclass
class Page(HTMLParser):
    """The places of one page, what it links to, and what its browser fetches to show it."""

    places: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self._in_style = False

    def handle_starttag(self, tag, attributes):
        named = {name: value or "" for name, value in attributes}
        self.places.update(filter(None, (named.get("id"), named.get("name") if tag == "a" else None)))
        if tag in ("a", "area") and "href" in named:
            self.links.append(named["href"])
        if tag == "link" and _LOADING_RELS & set(named.get("rel", "").lower().split()):
            self.loads.append(named.get("href", ""))
        if tag in ("script", "img", "iframe", "source", "audio", "video", "embed", "input", "track"):
            self.loads += filter(None, (named.get("src"), named.get("poster")))
            self.loads += [entry.split()[0] for entry in named.get("srcset", "").split(",") if entry.strip()]
        if tag == "object":
            self.loads += filter(None, (named.get("data"),))
        if tag in ("use", "image"):
            self.loads += filter(None, (named.get("href"), named.get("xlink:href")))
        self.loads += _CSS_LOADS.findall(named.get("style", ""))
        self._in_style = tag == "style"

    def handle_data(self, data):
        if self._in_style:
            self.loads += _CSS_LOADS.findall(data)

    def handle_endtag(self, tag):
        self._in_style = False


def problems(folder: Path) -> list[str]:
    """Every dead link, dead place and foreign load under `folder`, one line each; empty means all is well."""
    pages = {path: _read(path) for path in sorted(folder.rglob("*.html"))}
    if not pages:
        return [f"{folder}: there is no page"]
    found = []
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        found += [f"{name}: {what}" for link in page.links if (what := _dead(link, path, pages, folder))]
        for load in page.loads:
            if _FOREIGN.match(load):
                found.append(f"{name}: loads {load} from the network")
            elif what := _dead(load, path, pages, folder):
                found.append(f"{name}: {what}")
    for sheet in sorted(folder.rglob("*.css")):
        loads = _CSS_LOADS.findall(sheet.read_text(encoding="utf-8"))
        name = sheet.relative_to(folder).as_posix()
        found += [f"{name}: loads {load} from the network" for load in loads if _FOREIGN.match(load)]
    return found


def _dead(link: str, path: Path, pages: dict[Path, Page], folder: Path) -> str:
    """Why a local link leads nowhere, or "" where it does not."""
    if _SCHEME.match(link) or _FOREIGN.match(link):
        return ""
    parts = urlsplit(link)
    target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return f"the link {link} leads to no file"
    if not target.is_relative_to(folder.resolve()) and target != path:
        return f"the link {link} leads out of the site"
    place = unquote(parts.fragment)
    known = pages.get(path if not parts.path else folder / target.relative_to(folder.resolve()))
    if place and place != "top" and known is not None and place not in known.places:
        return f"the link {link} names a place that is not on that page"
    return ""


def _read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


if __name__ == "__main__":
    lines = problems(Path(sys.argv[1]))
    print("\n".join(lines) or "every local link leads somewhere, and nothing is loaded from the network")
    sys.exit(bool(lines))
