"""The import rules: they hold, and each of them refuses a planted violation."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = (
    *("classroom", "collectives", "comm", "cost", "data", "doctor", "embedding", "engines", "examples", "exercises"),
    *("grade", "models", "notebooks", "ps", "train", "viz"),
)


@pytest.fixture(scope="module")
def lint_imports():
    """lint_imports(folder) -> (exit status, what it said)."""
    program = Path(sys.executable).parent / "lint-imports"

    def run(folder: Path) -> tuple[int, str]:
        command = [program, "--no-cache", "--no-logo"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def empty_house(tmp_path, repo_root):
    """Every room with nothing in it but an inner module, under the repository's own rules."""
    shutil.copy(repo_root / "pyproject.toml", tmp_path)
    for room in ROOMS:
        (tmp_path / "pslab" / room).mkdir(parents=True)
        (tmp_path / "pslab" / room / "__init__.py").touch()
        (tmp_path / "pslab" / room / "inner.py").touch()
    (tmp_path / "pslab" / "__init__.py").touch()
    return tmp_path


def test_the_rules_hold(lint_imports, repo_root, tmp_path):
    shutil.copy(repo_root / "pyproject.toml", tmp_path)
    shutil.copytree(repo_root / "pslab", tmp_path / "pslab", ignore=shutil.ignore_patterns("__pycache__"))
    for room in ROOMS:  # a room that is still to be written breaks no rule; `make lint` wants them all
        (tmp_path / "pslab" / room).mkdir(exist_ok=True)
        (tmp_path / "pslab" / room / "__init__.py").touch()
    status, said = lint_imports(tmp_path)
    assert status == 0, said


def test_an_empty_house_keeps_the_rules(lint_imports, empty_house):
    status, said = lint_imports(empty_house)
    assert status == 0, said


@pytest.mark.parametrize(
    ("importer", "line", "expected"),
    [
        ("cost", "import pslab.comm", "pslab.cost is not allowed to import pslab.comm"),
        ("comm", "from pslab import data", "pslab.comm is not allowed to import pslab.data"),
        ("comm", "def f():\n    import pslab.viz", "pslab.comm is not allowed to import pslab.viz"),
        ("data", "import pslab.cost", "pslab.data is not allowed to import pslab.cost"),
        ("ps", "import pslab.collectives", "pslab.ps is not allowed to import pslab.collectives"),
        ("collectives", "import pslab.embedding", "pslab.collectives is not allowed to import pslab.embedding"),
        ("embedding", "import pslab.models", "pslab.embedding is not allowed to import pslab.models"),
        ("models", "import pslab.ps", "pslab.models is not allowed to import pslab.ps"),
        ("models", "import pslab.examples", "pslab.models is not allowed to import pslab.examples"),
        ("examples", "import pslab.train", "pslab.examples is not allowed to import pslab.train"),
        ("models", "import pslab.train", "pslab.models is not allowed to import pslab.train"),
        ("train", "import pslab.engines", "pslab.train is not allowed to import pslab.engines"),
        ("train", "import pslab.viz", "pslab.train is not allowed to import pslab.viz"),
        ("grade", "import pslab.exercises", "pslab.grade is not allowed to import pslab.exercises"),
        ("viz", "import pslab.grade", "pslab.viz is not allowed to import pslab.grade"),
        ("exercises", "import pslab.grade.inner", "Illegal imports of protected package pslab.grade.inner"),
        ("ps", "from pslab.comm import inner", "Illegal imports of protected package pslab.comm.inner"),
        ("train", "from pslab.ps.inner import x", "Illegal imports of protected package pslab.ps.inner"),
        ("viz", "import pslab.engines.inner", "Illegal imports of protected package pslab.engines.inner"),
        ("viz", "import pslab.train.inner", "Illegal imports of protected package pslab.train.inner"),
    ],
)
def test_a_planted_violation_is_refused(lint_imports, empty_house, importer, line, expected):
    (empty_house / "pslab" / importer / "planted.py").write_text(line + "\n")
    status, said = lint_imports(empty_house)
    assert status == 1
    assert expected in said


def test_a_room_nobody_placed_is_refused(lint_imports, empty_house):
    (empty_house / "pslab" / "attic").mkdir()
    (empty_house / "pslab" / "attic" / "__init__.py").touch()
    status, said = lint_imports(empty_house)
    assert status == 1
    assert "pslab.attic" in said


def private_imports(package: Path) -> list[str]:
    """`from pslab.X import _name` and `from pslab.X.inner import name` outside of room X.

    import-linter sees modules, not names: it cannot tell the function pslab.collectives.all_reduce from its module.
    """
    found = []
    for path in sorted(package.rglob("*.py")):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pslab."):
                room = node.module.split(".")[1]
                private = [a.name for a in node.names if a.name.startswith("_") and not a.name.startswith("__")]
                if room != own and node.module.count(".") > 1:
                    found.append(
                        f"{path.relative_to(package.parent)}:{node.lineno}: {node.module} is inside pslab.{room}"
                    )
                elif room != own and private:
                    where = f"{path.relative_to(package.parent)}:{node.lineno}"
                    found.append(f"{where}: {', '.join(private)} of pslab.{room}")
    return found


def test_no_room_uses_a_private_name_of_another(repo_root, empty_house):
    assert private_imports(repo_root / "pslab") == []
    planted = empty_house / "pslab" / "train" / "planted.py"
    planted.write_text(
        "from pslab.ps import _slots\nfrom pslab.train.x import _own\nfrom pslab.collectives.ring import all\n"
    )
    assert private_imports(empty_house / "pslab") == [
        "pslab/train/planted.py:1: _slots of pslab.ps",
        "pslab/train/planted.py:3: pslab.collectives.ring is inside pslab.collectives",
    ]


def test_a_module_is_short_enough_to_read_in_one_sitting(repo_root):
    long = {
        str(path.relative_to(repo_root)): lines
        for path in (repo_root / "pslab").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    }
    assert long == {}
