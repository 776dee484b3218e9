"""What the repository as a whole must keep: no machine in it, no registry, no dead link, clean by ruff."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

CACHES = {".git", ".venv", "__pycache__", ".pytest_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis"}


def files(root: Path) -> list[Path]:
    """Tracked files; in an unpacked archive, every file that is not somebody's cache."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        return [path for name in listed.stdout.split("\0") if name and (path := root / name).is_file()]
    return [path for path in root.rglob("*") if path.is_file() and not CACHES & set(path.parts)]


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # a picture


# Spelled in pieces, so that this file does not refuse itself.
REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "conda." + "anaconda.org", "download" + ".pytorch.org")
MACHINE_FOLDERS = ("ro" + "ot", "wo" + "rk", "op" + "t")
FOREIGN = {
    "a package registry": re.compile("|".join(map(re.escape, (*REGISTRIES, "index" + "-url", "find" + "-links")))),
    "a path of one machine": re.compile(rf"(?<![\w./:)-])/(?:{'|'.join(MACHINE_FOLDERS)})/\w"),
}


def strangers(paths: list[Path], root: Path) -> list[str]:
    """Every line of these files that names a registry or a place on the machine that wrote it."""
    patterns = {**FOREIGN, "this very folder": re.compile(re.escape(str(root)) + r"\b")}
    found = []
    for path in paths:
        for number, line in enumerate(read(path).splitlines(), start=1):
            if path.suffix == ".ipynb" and len(line) > 2000:
                continue  # a picture in base64
            found += [f"{path.name}:{number}: {what}" for what, pattern in patterns.items() if pattern.search(line)]
    return found


def test_no_registry_and_no_machine_in_the_repository(repo_root):
    assert strangers(files(repo_root), repo_root) == []


def test_a_planted_stranger_is_seen(tmp_path, repo_root):
    planted = tmp_path / "planted.toml"
    planted.write_text(f"url = 'https://{REGISTRIES[0]}/x'\nfine = 1\npath = '/{MACHINE_FOLDERS[0]}/x'\n{repo_root}\n")
    found = strangers([planted], repo_root)
    assert found[:2] == ["planted.toml:1: a package registry", "planted.toml:3: a path of one machine"]
    assert "planted.toml:4: this very folder" in found


LINK = re.compile(r"\]\(([^)\s]+)\)")


def dead_links(path: Path) -> list[str]:
    """Relative links of one page or notebook text that lead nowhere. A text's links are those of its notebook."""
    folder = path.parent.parent if path.parent.name == "src" else path.parent
    targets = [target.split("#")[0] for target in LINK.findall(read(path)) if not re.match(r"[a-z]+:|#", target)]
    return [f"{path.name}: {target}" for target in targets if target and not (folder / target).exists()]


def pages(root: Path) -> list[Path]:
    return [p for p in files(root) if p.suffix == ".md" or (p.parent.name == "src" and p.suffix == ".py")]


def test_every_relative_link_leads_somewhere(repo_root):
    found = pages(repo_root)
    assert repo_root / "README.md" in found
    assert [link for page in found for link in dead_links(page)] == []


def test_a_dead_link_is_seen(tmp_path):
    (tmp_path / "there.md").write_text("# a\n")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#a) [b](gone.md) [c](https://example.org/x) ![d](img/none.png)\n")
    assert dead_links(page) == ["page.md: gone.md", "page.md: img/none.png"]


EXPECTED = (
    *("README.md", "LICENSE", "LICENSE-TEXT", "CITATION.cff", "CONTRIBUTING.md", "CHANGELOG.md", ".ci/run"),
    *("Makefile", "pyproject.toml", "constraints.txt", "environment.yml", "benchmarks", "chapters/README.md"),
    *("docs/README.md", "labs/README.md", "solutions/README.md"),
)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_a_visitor_expects_is_there(repo_root, name):
    assert (repo_root / name).stat().st_size > 0


def test_ruff_is_clean_and_sees_a_planted_fault(repo_root, tmp_path):
    ruff = [sys.executable, "-m", "ruff", "check", "--quiet", "--no-cache"]
    clean = subprocess.run([*ruff, "."], cwd=repo_root, capture_output=True, text=True, timeout=60)
    assert clean.returncode == 0, clean.stdout
    planted = tmp_path / "planted.py"
    planted.write_text("import os\n\ntry:\n    print(1)\nexcept Exception:\n    pass\n")
    ruff += ["--config", repo_root / "pyproject.toml", planted]
    dirty = subprocess.run(ruff, capture_output=True, text=True, timeout=60)
    assert dirty.returncode == 1
    assert "F401" in dirty.stdout
    assert "BLE001" in dirty.stdout


def test_a_test_cannot_leave_this_machine():
    with socket.socket() as outside, pytest.raises(PermissionError, match="tests stay on loopback"):
        outside.connect(("192.0.2.1", 9))  # an address reserved for examples: nobody is there
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname(), timeout=5.0):
            pass
