"""The `pslab` command: what it says, what it imports, and how it ends."""

import builtins
import io
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest
from data_loopback import files_fixture, server_fixture, sums, tree, zipped  # noqa: F401

import pslab
from pslab import cli
from pslab.data import fetch as fetch_file


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """run(*words, stdin=None) -> (exit code, stdout, stderr); an empty cache, no PSLAB_DATA."""
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path / "some" / "cache"))
    monkeypatch.delenv("PSLAB_DATA", raising=False)

    def call(*words, stdin: str | None = None):
        source = io.StringIO(stdin or "")
        source.isatty = lambda: stdin is not None
        monkeypatch.setattr(sys, "stdin", source)
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def demo(monkeypatch):
    """A stand-in for the demo; demo.runs(function) says what its main does."""
    module = types.ModuleType("pslab.demo")
    module.add_arguments = lambda parser: parser.add_argument("--steps", type=int, default=7)
    module.EXAMPLES = {}
    module.runs = lambda function: setattr(module, "main", function)
    monkeypatch.setitem(sys.modules, "pslab.demo", module)
    return module


def in_a_process(*words, code=None, **settings) -> subprocess.CompletedProcess:
    start = ["-c", code] if code else ["-m", "pslab.cli"]
    return subprocess.run([sys.executable, *start, *words], capture_output=True, text=True, timeout=60, **settings)


# ---- help, version, imports --------------------------------------------------------------------------


def test_help_names_the_commands(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for word in ("demo", "data list", "data fetch", "bench", "--version", "--traceback"):
        assert word in out
    for words, told in ((("data", "--help"), "fetch"), (("data", "fetch", "--help"), "--accept-terms")):
        code, out, _ = run(*words)
        assert code == 0
        assert told in out


def test_version(run):
    assert run("--version")[:2] == (0, f"pslab {pslab.__version__}\n")


@pytest.mark.parametrize("words", [["--help"], ["data", "list"], ["data", "fetch", "--help"], ["bench", "--help"]])
def test_light_commands_import_neither_torch_nor_numpy(words):
    done = in_a_process(
        code=f"import sys; from pslab.cli import main; code = main({words!r});"
        "heavy = {'torch', 'numpy', 'matplotlib', 'pslab.demo'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_installed_command_is_this_one(repo_root):
    text = (repo_root / "pyproject.toml").read_text()
    assert 'pslab = "pslab.cli:main"' in text
    done = in_a_process("data", "list")
    assert done.returncode == 0
    assert "synthetic" in done.stdout


# ---- mistakes ----------------------------------------------------------------------------------------

MISTAKES = {
    (): "required: COMMAND",
    ("data",): "required: COMMAND",
    ("sing",): r"invalid choice: 'sing' \(choose from .*demo.*data.*bench",
    ("--verbose",): "`pslab` does not know --verbose; it knows --help, --traceback, --version",
    ("data", "list", "--all"): "`pslab data list` does not know --all; it knows --help",
    ("data", "list", "all"): "`pslab data list` does not know all",
    ("data", "fetch"): "required: name",
    ("data", "fetch", "--mirror=x"): "does not know --mirror; it knows --accept-terms, --help, --timeout, --url",
    ("data", "fetch", "criteo"): "invalid choice: 'criteo'.*movielens-100k",
    ("data", "fetch", "movielens-100k", "--accept"): "does not know --accept;",
    ("data", "fetch", "movielens-100k", "--timeout", "soon"): "invalid float value: 'soon'",
    ("data", "fetch", "movielens-100k", "--timeout", "0"): "--timeout must be more than 0 seconds, got 0",
    ("demo", "--step", "3"): "`pslab demo` does not know --step; it knows --help, --steps",
    ("demo", "--steps", "many"): "argument --steps: invalid int value: 'many'",
    ("bench",): "which benchmark.*known: .*allreduce",
    ("bench", "allreduced"): "there is no benchmark 'allreduced'; known: .*allreduce",
    ("bench", "bench_common"): "there is no benchmark 'bench_common'",
    ("bench", "../setup"): "there is no benchmark",
    ("bench", "allreduce", "--josn", "x"): "`pslab bench allreduce` does not know --josn; it knows .*--json",
}


@pytest.mark.parametrize("words", MISTAKES, ids=" ".join)
def test_a_mistake_is_one_line_and_exit_code_2(run, demo, words):
    demo.runs(lambda args: pytest.fail("the demo ran"))
    code, out, err = run(*words)
    assert code == 2
    assert err.startswith("pslab: ")
    assert err.count("\n") == 1
    assert re.search(MISTAKES[words], err), err
    assert "Traceback" not in out + err


def test_a_mistake_from_the_shell():
    done = in_a_process("data", "list", "--all")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "pslab: `pslab data list` does not know --all; it knows --help\n"


# ---- how a command ends ------------------------------------------------------------------------------


def raiser(error):
    def main(args):
        raise error

    return main


def test_the_demo_gets_its_options_and_its_code_is_returned(run, demo):
    seen = []
    demo.runs(lambda args: seen.append(args.steps) or 5)
    assert run("demo")[0] == 5
    assert run("demo", "--steps", "3")[0] == 5
    assert seen == [7, 3]
    demo.runs(lambda args: None)
    assert run("demo")[0] == 0


def test_user_errors_are_one_line(run, demo):
    from pslab.comm import RankDied

    for error, line in (
        (ValueError("steps must be at least 1, got 0"), "pslab: steps must be at least 1, got 0\n"),
        (FileNotFoundError(2, "No such file or directory", "out.json"), "pslab: out.json: No such file or directory\n"),
        (OSError(98, "Address already in use"), "pslab: Address already in use\n"),
        (RankDied(2, signal=9), "pslab: rank 2 was killed by signal 9 (SIGKILL)\n"),
    ):
        demo.runs(raiser(error))
        assert run("demo") == (2, "", line)
        code, _, err = run("demo", "--traceback")
        assert code == 2
        assert err.startswith("Traceback")
        assert err.endswith(line)
        assert run("--traceback", "demo")[2].startswith("Traceback")


def test_our_own_faults_keep_their_traceback(run, demo):
    demo.runs(raiser(TypeError("a fault of ours")))
    with pytest.raises(TypeError, match="a fault of ours"):
        run("demo")


def test_an_interrupt_is_130(run, demo):
    demo.runs(raiser(KeyboardInterrupt()))
    assert run("demo") == (130, "", "pslab: interrupted\n")


def test_a_reader_that_leaves_is_no_error():
    code = (
        "import os, sys; from pslab.cli import main\n"
        "reader, writer = os.pipe(); os.close(reader); os.dup2(writer, 1); os.close(writer)\n"
        "sys.exit(main(['data', 'list']))"
    )
    done = in_a_process(code=code)
    assert (done.returncode, done.stderr) == (1, "")


# ---- data ----------------------------------------------------------------------------------------------


@pytest.fixture
def mirror(server, files, monkeypatch):
    """A loopback mirror of small files whose checksums are the expected ones."""
    for name, expected in sums(files).items():
        monkeypatch.setitem(fetch_file.MOVIELENS, name, expected)
    server.send(zipped(files))
    return server


def fetched(tmp_path: Path) -> bool:
    return (tmp_path / "some" / "cache" / "ml-100k" / "u.data").is_file()


def test_fetch_with_accepted_terms(run, mirror, tmp_path, files):
    code, out, err = run("data", "fetch", "movielens-100k", "--accept-terms", "--url", mirror.url)
    assert (code, err) == (0, "")
    assert "GroupLens" in out
    assert f"fetching {mirror.url} into {tmp_path / 'some' / 'cache'}" in out
    assert tree(tmp_path / "some" / "cache" / "ml-100k") == files
    assert "present" in run("data", "list")[1]


@pytest.mark.parametrize("answer", ["yes\n", " Y \n"])
def test_fetch_after_an_interactive_yes(run, mirror, tmp_path, answer, monkeypatch):
    monkeypatch.setattr(builtins, "input", lambda prompt: answer)
    assert run("data", "fetch", "movielens-100k", "--url", mirror.url, stdin=answer)[0] == 0
    assert fetched(tmp_path)


@pytest.mark.parametrize("answer", ["no\n", "\n", "yesterday\n", None])
def test_without_a_yes_nothing_is_fetched(run, mirror, tmp_path, answer, monkeypatch):
    def said(prompt):
        assert answer is not None, "without a terminal nobody is asked"
        return answer

    monkeypatch.setattr(builtins, "input", said)
    code, out, err = run("data", "fetch", "movielens-100k", "--url", mirror.url, stdin=answer)
    assert code == 2
    assert "GroupLens" in out
    assert err == "pslab: nothing was fetched: the terms must be accepted, by --accept-terms or by answering yes\n"
    assert mirror.requests == []
    assert not (tmp_path / "some").exists()


def test_a_failed_fetch_is_one_line(run, mirror, tmp_path):
    mirror.send(b"no such thing", status=404)
    code, _, err = run("data", "fetch", "movielens-100k", "--accept-terms", "--url", mirror.url)
    assert (code, err) == (2, f"pslab: {mirror.url} answered 404 Not Found\n")
    code, _, err = run("data", "fetch", "movielens-100k", "--accept-terms", "--url", "ftp://127.0.0.1/x")
    assert (code, err) == (2, "pslab: url must begin with http:// or https://, got 'ftp://127.0.0.1/x'\n")
    assert not (tmp_path / "some").exists()


def test_the_timeout_reaches_the_download(run, mirror):
    mirror.answer = lambda handler: mirror.done.wait(20)
    code, _, err = run("data", "fetch", "movielens-100k", "--accept-terms", "--url", mirror.url, "--timeout", "0.2")
    assert code == 2
    assert "no answer in time" in err


def test_list_says_what_is_where(run, tmp_path, monkeypatch):
    monkeypatch.setenv("PSLAB_DATA", str(tmp_path / "mine"))
    (tmp_path / "mine" / "ml-100k").mkdir(parents=True)
    code, out, err = run("data", "list")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["data", "set", "state", "where"]
    assert lines[1].startswith("synthetic       built in")
    assert f"incomplete  {tmp_path}/mine/ml-100k (PSLAB_DATA)" in lines[2]
    assert f"absent      {tmp_path}/some/cache/ml-100k (PSLAB_CACHE)" in lines[3]


# ---- bench ---------------------------------------------------------------------------------------------

BENCH = '''"""Counts to --to."""


def add_arguments(parser):
    parser.add_argument("--to", type=int, default=3)
    parser.add_argument("--json")


def main(args):
    print("counting to", args.to, args.json)
    return args.to
'''


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of our own with one benchmark, in place of the real one."""
    (tmp_path / "repo" / "pslab").mkdir(parents=True)
    (tmp_path / "repo" / "benchmarks").mkdir()
    (tmp_path / "repo" / "pyproject.toml").touch()
    (tmp_path / "repo" / "benchmarks" / "counting_bench.py").write_text(BENCH)
    (tmp_path / "repo" / "benchmarks" / "helper.py").write_text("def main():\n    pass\n")
    monkeypatch.setattr(pslab, "__file__", str(tmp_path / "repo" / "pslab" / "__init__.py"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path / "repo"
    sys.modules.pop("counting_bench", None)


def test_bench_runs_a_file_of_the_checkout(run, checkout):
    assert run("bench", "counting_bench") == (3, "counting to 3 None\n", "")
    assert run("bench", "counting_bench", "--to", "0", "--json", "f.json") == (0, "counting to 0 f.json\n", "")
    code, out, _ = run("bench", "counting_bench", "--help")
    assert code == 0
    assert "Counts to --to." in out
    assert "known: counting_bench" in run("bench", "--help")[1]
    assert run("bench", "helper")[2] == "pslab: there is no benchmark 'helper'; known: counting_bench\n"


def test_bench_outside_a_checkout_says_so(run, checkout):
    (checkout / "pyproject.toml").unlink()
    code, _, err = run("bench", "counting_bench")
    assert code == 2
    assert err.startswith("pslab: there are no benchmarks beside this installation (looked for ")
    assert "clone the repository" in err
