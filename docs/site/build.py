"""Build the course's web pages: `make site`, or python docs/site/build.py [--out FOLDER].

    stage (site_stage.py)  ->  Sphinx, warnings are errors (conf.py)  ->  links and loads checked (site_links.py)

The pages are written to build/site; open build/site/index.html, or put the folder on any web server. They load nothing
from the network. Exit code 0 when all three steps went well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]  # the checkout's own kit, also where another one is installed


def build(root: Path, out: Path) -> list[str]:
    """Build the site of the repository `root` into the folder `out`; returns what is wrong, one line each."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    from site_links import problems
    from site_stage import stage
    from sphinx.cmd.build import build_main

    sources, fresh = out.with_name(out.name + "-sources"), out.with_name(out.name + "-fresh")
    stage(root, sources)
    shutil.rmtree(fresh, ignore_errors=True)
    doctrees = out.with_name(out.name + "-doctrees")
    status = build_main(["-q", "-W", "--keep-going", "-E", "-b", "html", "-c", str(HERE), "-d", str(doctrees),
                         str(sources), str(fresh)])
    if status:
        return ["Sphinx warned, see above: every warning is an error"]
    shutil.rmtree(fresh / ".doctrees", ignore_errors=True)
    (fresh / ".buildinfo").unlink(missing_ok=True)
    found = problems(fresh)
    if not found:  # the old pages stand until the new ones are good
        shutil.rmtree(out, ignore_errors=True)
        fresh.rename(out)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make site", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", help="the folder (default: build/site)")
    options = parser.parse_args(arguments)
    out = options.out.resolve()
    if out.exists() and not (out / "searchindex.js").is_file() and any(out.iterdir()):
        print(f"make site: {out} holds something that is no site; choose another folder by --out", file=sys.stderr)
        return 2
    out.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    try:
        found = build(ROOT, out)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "pslab":
            raise
        print(f"make site: the package {error.name!r} is missing: pip install -e '.[site]'", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"make site: {error}", file=sys.stderr)
        return 1
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    files = [path for path in out.rglob("*") if path.is_file()]
    pages = sum(path.suffix == ".html" for path in files)
    size = sum(path.stat().st_size for path in files)
    print(f"{pages} pages, {size / 1e6:.1f} MB, built in {time.monotonic() - start:.1f} s: {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
