"""python -m pslab.notebooks build [NAME ...] | check"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m pslab.notebooks", description="Build or check the notebooks.")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the repository (default: this folder)")
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build", help="execute the texts that have changed and store their notebooks")
    builder.add_argument("names", nargs="*", metavar="NAME", help="only notebooks whose name contains NAME")
    builder.add_argument("--force", action="store_true", help="also those whose text has not changed")
    builder.add_argument("--cell-timeout", type=float, default=60.0, metavar="SECONDS", help="limit for one cell")
    commands.add_parser("check", help="say where text and notebook differ or a rule is broken")
    options = parser.parse_args(arguments)
    try:
        # here, so that --help works without the extra
        from pslab.notebooks.build import build
        from pslab.notebooks.check import check
    except ModuleNotFoundError as error:
        print(f"the package {error.name!r} is missing: pip install -e '.[notebooks]'", file=sys.stderr)
        return 2
    root = options.root.resolve()
    if options.command == "check":
        problems = check(root)
        print("\n".join(problems) or "every notebook agrees with its text")
        return int(bool(problems))
    try:
        failures = build(root, options.names, force=options.force, cell_timeout_s=options.cell_timeout)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
