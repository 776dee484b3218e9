"""Every `pslab ...` and `make ...` that a page, a chapter or a lab tells somebody to type can be typed.

    page -> command lines -> pslab: its own parser, stopped where the work would begin
                             make:  a target of the Makefile
"""

import contextlib
import io
import re
import shlex

import pytest

from pslab import cli

PAGES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "chapters/README.md", "labs/README.md", "solutions/README.md",
         "chapters/src/*.py", "solutions/src/*.py")  # fmt: skip
# What stands for something of the reader's: any word of the right kind.
STANDS_FOR = {"NAME": "allreduce", "N": "2", "S": "9"}
COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?(?:torchrun \S+ -m )?(pslab|make)(?: (.*))?$")
# `make`, said of the program itself, and "pslab ..." in running text name no command.
PROGRAMS = {"make", "pslab"}
SHELL = {"", "bash", "console", "sh"}
PARSE_ARGS = cli.Parser.parse_args


def said(text: str) -> list[str]:
    """The command lines of a page: lines of its fences and indented blocks of shell, and what stands in `backticks`."""
    fences = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip() for language, fence in fences if language in SHELL for line in fence.splitlines()]
    lines += [" ".join(re.sub(r"\n# ?", "\n", inline).split()) for inline in re.findall(r"`([^`]+)`", prose)]
    found = (COMMAND.match(re.split(r"\s+#|\s{2,}", line)[0].strip()) for line in lines)
    return [f"{match[1]} {match[2] or ''}".strip() for match in found if match and match[0] not in PROGRAMS]


class _Parsed(Exception):
    """The command line was understood; its work does not begin."""


def parses(words: list[str], monkeypatch) -> str:
    """"" when `pslab WORDS` is understood, else what the command says about it."""
    def understood(parser, args, namespace=None):
        made = PARSE_ARGS(parser, args, namespace)
        if not hasattr(made, "command"):  # else a group: the command's own parser comes next
            raise _Parsed
        return made

    monkeypatch.setattr(cli.Parser, "parse_args", understood)
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            code = cli.main(words)
    except _Parsed:
        return ""
    return "" if code == 0 else told.getvalue()


def wrong(page: str, targets: set[str], monkeypatch) -> list[str]:
    """Each command of the page that cannot be typed, and why."""
    found = []
    for command in said(page):
        program, *words = shlex.split(command.replace("\\|", "|"))
        if program == "make":
            unknown = [word for word in words if "=" not in word and word not in targets]
            found += [f"{command}: no target {word}" for word in unknown]
            continue
        words = [STANDS_FOR.get(word, word.split("|")[0]) for word in words]
        problem = parses(words, monkeypatch)
        # `pslab grade` alone names the command and is no line to type
        if problem and not (len(words) < 3 and parses([*words, "--help"], monkeypatch) == ""):
            found.append(f"{command}: {problem.strip()}")
    return found


@pytest.fixture
def targets(repo_root):
    (line,) = re.findall(r"^\.PHONY: (.*)$", (repo_root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return set(line.split())


def test_every_command_that_is_told_can_be_typed(repo_root, targets, monkeypatch):
    pages = {path: path.read_text(encoding="utf-8") for pattern in PAGES for path in sorted(repo_root.glob(pattern))}
    told = [command for page in pages.values() for command in said(page)]
    for expected in ("make demo", "pslab doctor --class 11.9 --stage", "pslab hint 9.3", "pslab class handout",
                     "pslab demo --world torch"):
        assert any(command.startswith(expected) for command in told), f"{expected!r} is not found on any page"
    problems = {path.name: wrong(page, targets, monkeypatch) for path, page in pages.items()}
    assert {name: found for name, found in problems.items() if found} == {}


@pytest.mark.parametrize(("line", "why"), [
    ("`pslab doktor`", "doktor"),
    ("`pslab doctor --clas 11.9`", "--clas"),
    ("`pslab class handout 11.9 --pages 2 --out h.pdf`", "--pages"),
    ("```\n.venv/bin/pslab bench allgather\n```", "allgather"),
    ("```\nmake tests      # runs them\n```", "no target tests"),
    ("`PSLAB_STYLE=stage make labs`", "no target labs"),
    ("`.venv/bin/torchrun --nproc-per-node=4 -m pslab demo --words torch`", "--words"),
])  # fmt: skip
def test_a_command_that_does_not_exist_is_seen(line, why, targets, monkeypatch):
    (problem,) = wrong(f"Type this:\n\n{line}\n", targets, monkeypatch)
    assert why in problem


def test_what_is_no_command_is_left_alone():
    assert said("`pslab.viz` draws; with `make`, `pslab` and `make_table` too.\n\n```python\nimport pslab\n```\n") == []
