"""pyproject.toml, constraints.txt and environment.yml say the same, and a planted difference is seen."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def differences(pyproject_text: str, constraints_text: str, environment_text: str) -> list[str]:
    """Where the three files disagree, in words."""
    project = tomllib.loads(pyproject_text)["project"]
    conda = yaml.safe_load(environment_text)["dependencies"]
    found = []

    plain = [line for line in conda if isinstance(line, str)]
    python = [line for line in plain if line.startswith("python")]
    if python != [f"python{project['requires-python']}"]:
        found.append(f"environment.yml asks for {python}, pyproject.toml for python{project['requires-python']}")
    if extra := set(plain) - set(python) - {"pip"}:
        found.append(f"environment.yml names {sorted(extra)}, which pyproject.toml does not")
    pip = [line for section in conda if isinstance(section, dict) for line in section["pip"]]
    if pip != ["-c constraints.txt", "-e .[dev]"]:
        found.append(f"environment.yml has pip install {pip}; it must be the constraints and this package, as in make")

    pins = {}
    for line in constraints_text.splitlines():
        if line and not line.startswith("#"):
            if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line):
                found.append(f"constraints.txt: {line!r} is not a plain name==version")
                continue
            name, version = line.split("==")
            pins[name] = Version(version)
    asked = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    for requirement in map(Requirement, asked):
        name = canonicalize_name(requirement.name)
        if name == "pslab":
            continue
        if name not in pins:
            found.append(f"pyproject.toml asks for {name}, constraints.txt does not pin it")
        elif pins[name] not in requirement.specifier:
            found.append(f"constraints.txt pins {name}=={pins[name]}, outside pyproject.toml's {requirement.specifier}")
        if not {"<", ">="} <= {spec.operator for spec in requirement.specifier}:
            found.append(f"pyproject.toml: {requirement} is not a range with both ends")
    return found


@pytest.fixture
def texts(repo_root):
    return [(repo_root / name).read_text() for name in ("pyproject.toml", "constraints.txt", "environment.yml")]


def test_the_three_files_agree(texts):
    assert differences(*texts) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (0, '    "tqdm>=4.66,<5",\n', '    "tqdm>=4.66,<5",\n    "polars>=1,<2",\n', "asks for polars"),
        (0, '"tqdm>=4.66,<5"', '"tqdm>=5,<6"', "pins tqdm"),
        (0, '"tqdm>=4.66,<5"', '"tqdm"', "not a range"),
        (0, 'requires-python = ">=3.11"', 'requires-python = ">=3.12"', "asks for ['python>=3.11']"),
        (1, "torch==", "torch>=", "not a plain name==version"),
        (1, "torch==2.13.0", "torch==2.13.0+cpu", "not a plain name==version"),
        (1, "\nmsgpack==", "\n# msgpack==", "does not pin it"),
        (2, "  - pip\n", "  - pip\n  - polars\n", "names ['polars']"),
        (2, "-e .[dev]", "-e .", "must be the constraints and this package"),
        (2, "      - -c constraints.txt\n", "", "must be the constraints and this package"),
        (2, "-e .[dev]\n", "-e .[dev]\n      - polars\n", "must be the constraints and this package"),
    ],
)
def test_a_change_to_only_one_of_them_is_seen(texts, file, old, new, expected):
    assert old in texts[file]
    texts[file] = texts[file].replace(old, new)
    found = differences(*texts)
    assert any(expected in line for line in found), found
