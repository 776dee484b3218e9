"""The `pslab` command.

    pslab demo                     train the main job on this machine          pslab/demo/
    pslab train                    one DLRM, by our engine or by TorchRec      pslab/engines/
    pslab data list                what data is where
    pslab data fetch NAME          bring a data set into the user's cache
    pslab bench NAME               run a benchmark of the checkout             benchmarks/NAME.py
    pslab doctor                   what runs on this machine                   pslab/doctor/
    pslab class handout CHAPTER    one page to print; `question`: an exit question   pslab/classroom/

A command's code is imported when that command is called, so that `pslab --help` needs neither torch nor NumPy.
A mistake of the user's ends in one line on stderr and exit code 2 (--traceback shows where it arose); an interrupt
ends in exit code 130.
"""

import argparse
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import pslab

USER_ERROR, INTERRUPTED = 2, 130
ABOUT = """Parameter servers and all-reduce, taught by running them.

    pslab demo                train the main job on this machine; `pslab demo logistic`: one model on servers
    pslab train               a DLRM on this machine or under torchrun, by our engine or by TorchRec
    pslab data list           what data is where
    pslab data fetch NAME     bring a data set into your cache
    pslab check 9             check the answers of a lab; `pslab hint 9.3`: the next hint; `pslab reset 9`: start anew
    pslab grade FOLDER        grade submissions; JSON, CSV, feedback pages (--help tells the options)
    pslab bench NAME          run a benchmark of the checkout
    pslab doctor              what of the course runs on this machine, and what to do where it does not
    pslab class handout 11.9  one page to print; `pslab class question 11.9`: an exit question"""


class UsageError(ValueError):
    """A command line that says what the command does not know."""


class Parser(argparse.ArgumentParser):
    """argparse, but errors are raised (one line each), options are never guessed, and unknown ones name the known."""

    def __init__(self, **settings):
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings)

    def error(self, message: str):
        raise UsageError(f"{message}; see `{self.prog} --help`")

    def parse_args(self, args, namespace=None):
        # Before argparse, which would guess at abbreviations and complain first about what is missing.
        options = [word.partition("=")[0] for word in args if word.startswith("--") and word != "--"]
        self._refuse([option for option in options if option not in self._option_string_actions])
        namespace, unknown = self.parse_known_args(args, namespace)
        self._refuse(unknown)
        return namespace

    def _refuse(self, unknown: list[str]) -> None:
        if unknown:
            known = sorted(name for name in self._option_string_actions if name.startswith("--"))
            raise UsageError(f"`{self.prog}` does not know {' '.join(unknown)}; it knows {', '.join(known)}")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name); returns the exit code."""
    argv = list(sys.argv[1:] if argv is None else argv)
    show_traceback = "--traceback" in argv
    argv = [word for word in argv if word != "--traceback"]
    try:
        code = _descend("pslab", argv, COMMANDS, ABOUT)
        sys.stdout.flush()  # a reader that left (`| head`) shows here and not after we have gone
        return code
    except KeyboardInterrupt:
        if show_traceback:
            traceback.print_exc()
        print("pslab: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except SystemExit as leaving:  # --help and --version
        return int(leaving.code or 0)
    except Exception as error:
        if not _is_users(error):
            raise
        if show_traceback:
            traceback.print_exc()
        print(f"pslab: {_told(error)}", file=sys.stderr)
        return USER_ERROR


# ---- the commands: each adds its options to a parser and returns what runs ---------------------------


def _demo(parser: Parser, argv: list[str]) -> int:
    demo = importlib.import_module("pslab.demo")
    if argv and argv[0] in demo.EXAMPLES:
        parser = Parser(prog=f"{parser.prog} {argv[0]}", description=demo.EXAMPLES[argv[0]])
        return demo.main_example(argv[0], parser, argv[1:])
    demo.add_arguments(parser)
    return demo.main(parser.parse_args(argv))


def _of(room: str, what: str = "") -> Callable:
    """The command of a room that has add_arguments and main, or add_WHAT_arguments and main_WHAT."""
    def run(parser: Parser, argv: list[str]) -> int:
        module = importlib.import_module(room)
        getattr(module, f"add_{what}_arguments" if what else "add_arguments")(parser)
        return getattr(module, f"main_{what}" if what else "main")(parser.parse_args(argv))
    return run


def _data_list(parser: Parser, argv: list[str]) -> int:
    parser.parse_args(argv)
    from pslab.data import data_list

    rows = [("data set", "state", "where", "")] + [tuple(entry.values()) for entry in data_list()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    return 0


def _data_fetch(parser: Parser, argv: list[str]) -> int:
    from pslab.data import SOURCES, cache_folder

    parser.add_argument("name", choices=tuple(SOURCES), help=f"which data set: {', '.join(SOURCES)}")
    parser.add_argument("--accept-terms", action="store_true", help="you have read the data's terms and accept them")
    parser.add_argument("--url", help="another mirror of the archive, or of the files' folder (default: the publisher)")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="S", help="how long a server may be silent (30)")
    args = parser.parse_args(argv)
    if not args.timeout > 0:
        raise UsageError(f"--timeout must be more than 0 seconds, got {args.timeout:g}")
    title, terms, publisher, fetch = SOURCES[args.name]
    print(terms, flush=True)
    if not args.accept_terms and not _agreed():
        raise UsageError("nothing was fetched: the terms must be accepted, by --accept-terms or by answering yes")
    url = args.url or publisher
    print(f"fetching {url} into {cache_folder()}", flush=True)
    progress = _show_progress if sys.stderr.isatty() else None
    folder = fetch(url, accept_terms=True, timeout_s=args.timeout, progress=progress)
    print(f"{title} is in {folder}, every file's checksum is right")
    return 0


def _check(parser: Parser, argv: list[str]) -> int:
    commands = importlib.import_module("pslab.grade.commands")
    commands.add_check(parser)
    return commands.run_check(parser.parse_args(argv))


def _hint(parser: Parser, argv: list[str]) -> int:
    commands = importlib.import_module("pslab.grade.commands")
    commands.add_hint(parser)
    return commands.run_hint(parser.parse_args(argv))


def _reset(parser: Parser, argv: list[str]) -> int:
    commands = importlib.import_module("pslab.grade.commands")
    commands.add_reset(parser)
    return commands.run_reset(parser.parse_args(argv))


def _grade(parser: Parser, argv: list[str]) -> int:
    batch = importlib.import_module("pslab.grade.batch")
    batch.add_arguments(parser)
    return batch.run(parser.parse_args(argv))


def _bench(parser: Parser, argv: list[str]) -> int:
    known = _benchmarks()
    listed = "known: " + ", ".join(known)
    if not argv:
        raise UsageError(f"which benchmark? {listed}")
    if argv[0] in ("-h", "--help"):
        print(f"usage: pslab bench NAME [options]\n\n{listed}\n`pslab bench NAME --help` tells its options.")
        return 0
    name, *rest = argv
    if name not in known:
        raise UsageError(f"there is no benchmark {name!r}; {listed}")
    bench = _module(known[name])
    parser = Parser(prog=f"pslab bench {name}", description=bench.__doc__)
    bench.add_arguments(parser)
    return bench.main(parser.parse_args(rest))


# A command is (help, function(parser, argv) -> exit code); a group of commands is (help, {name: command}).
COMMANDS: dict[str, tuple[str, "Callable | dict"]] = {
    "demo": ("train the main job on this machine and print what it cost", _demo),
    "train": ("train one DLRM, by --engine pslab or torchrec", _of("pslab.engines")),
    "data": (
        "what data is where; fetch a data set",
        {
            "list": ("what data is where on this machine", _data_list),
            "fetch": ("bring a data set into the user's cache, its terms accepted", _data_fetch),
        },
    ),
    "check": ("check the answers in a lab's notebook", _check),
    "hint": ("show the next hint of an exercise", _hint),
    "reset": ("put a lab's notebook back as it came, yours kept aside", _reset),
    "grade": ("grade a submission, or a folder of them, in the sandbox", _grade),
    "bench": ("run a benchmark of the checkout", _bench),
    "class": (
        "for a class: the handout of a chapter, an exit question",
        {
            "handout": ("write a chapter's handout, one A4 page", _of("pslab.classroom", "handout")),
            "question": ("print a chapter's exit question, from a seed", _of("pslab.classroom", "question")),
        },
    ),
    "doctor": ("what of the course runs on this machine, and what to do where it does not", _of("pslab.doctor")),
}


# ---- helpers ---------------------------------------------------------------------------------------


def _descend(prog: str, argv: list[str], commands: dict, about: str) -> int:
    """Find the command that argv names and hand it a parser of its own and the words after its name."""
    parser = Parser(prog=prog, description=about)
    if prog == "pslab":
        parser.add_argument("--version", action="version", version=f"pslab {pslab.__version__}")
        parser.add_argument("--traceback", action="store_true", help="show where an error arose, in any command")
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (purpose, _) in commands.items():
        choices.add_parser(name, help=purpose, add_help=False)
    here = next((place for place, word in enumerate(argv) if not word.startswith("-")), len(argv) - 1)
    command = parser.parse_args(argv[: here + 1]).command
    purpose, what = commands[command]
    prog, rest = f"{prog} {command}", argv[here + 1 :]
    if isinstance(what, dict):
        return _descend(prog, rest, what, purpose)
    return int(what(Parser(prog=prog, description=purpose), rest) or 0)


def _is_users(error: Exception) -> bool:
    """Whether the error's message is written for the user: wrong input, the machine, or a run that ended badly."""
    if isinstance(error, ValueError | OSError):
        return True
    comm = sys.modules.get("pslab.comm")
    return comm is not None and isinstance(error, comm.CommError)


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return str(error) or type(error).__name__


def _agreed() -> bool:
    """Ask on a terminal; anything but yes is no, and without a terminal nobody is asked."""
    if not sys.stdin.isatty():
        return False
    try:
        return input("Do you accept these terms? (yes/no) ").strip().lower() in ("yes", "y")
    except EOFError:
        return False


def _show_progress(done: int, total: int | None) -> None:
    share = f"{done / total:4.0%} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
    end = "\n" if done == total else ""
    print(f"\r{share}", end=end, file=sys.stderr, flush=True)


def _benchmarks() -> dict[str, Path]:
    """{name: file} of the benchmarks beside this package; an error where it was installed without its repository."""
    folder = Path(pslab.__file__).resolve().parent.parent / "benchmarks"
    files = sorted(folder.glob("*.py")) if (folder.parent / "pyproject.toml").is_file() else []
    known = {file.stem: file for file in files if "\ndef add_arguments(" in file.read_text(encoding="utf-8")}
    if not known:
        raise UsageError(
            f"there are no benchmarks beside this installation (looked for {folder}): "
            "clone the repository and run `pslab bench` from its environment"
        )
    return known


def _module(file: Path):
    """Load a benchmark from its file, under its own name, so that processes it starts find it too."""
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
