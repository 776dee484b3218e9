"""Fetching a9a over loopback: two plain files, checked, or the cache as it was."""

import os
from pathlib import Path

import pytest
from data_loopback import server_fixture, sums, tree  # noqa: F401

from pslab import cli
from pslab.data import A9A_TERMS, A9A_URL, FetchError, fetch_a9a, sparse_data
from pslab.data import fetch as fetch_file

REAL = Path(os.environ.get("PSLAB_DATA", "")) / "a9a"
FILES = {"a9a": b"+1 3:1\n" * 40, "a9a.t": b"-1 4:1\n" * 10}


def serving(server, files: dict[str, bytes]) -> str:
    """The folder's address at a server that answers each file's name with the file."""
    def answer(handler):
        body = files.get(handler.path.removeprefix("/data/"))
        handler.send_response(200 if body is not None else 404)
        handler.send_header("Content-Length", str(len(body or b"")))
        handler.end_headers()
        handler.wfile.write(body or b"")

    server.answer = answer
    return server.url.rpartition("/")[0] + "/data/"


def get(url: str, cache: Path, **changed) -> Path:
    return fetch_a9a(url, **{"accept_terms": True, "cache": cache, "expected": sums(FILES), **changed})


def test_both_files_arrive_once(server, tmp_path):
    url = serving(server, FILES)
    assert get(url, tmp_path) == tmp_path / "a9a"
    assert tree(tmp_path) == {"a9a": None, **{f"a9a/{name}": content for name, content in FILES.items()}}
    get(url.rstrip("/"), tmp_path)
    assert server.requests == ["/data/a9a", "/data/a9a.t"]
    (tmp_path / "a9a" / "a9a").write_bytes(b"x" * len(FILES["a9a"]))
    get(url, tmp_path)
    assert tree(tmp_path / "a9a") == FILES


@pytest.mark.parametrize(("wrong", "why"), [
    ({"a9a.t": b"-1 5:1\n" * 10}, "a9a.t is not the published file"), ({"a9a": b""}, "a9a is not the published file"),
])
def test_a_wrong_file_leaves_the_cache_as_it_was(server, tmp_path, wrong, why):
    (tmp_path / "a9a").mkdir()
    (tmp_path / "a9a" / "mine").write_text("kept")
    before = tree(tmp_path)
    with pytest.raises(FetchError, match=why):
        get(serving(server, FILES | wrong), tmp_path)
    assert tree(tmp_path) == before


def test_one_file_missing_at_the_mirror(server, tmp_path):
    with pytest.raises(FetchError, match="404"):
        get(serving(server, {"a9a": FILES["a9a"]}), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_what_is_refused_before_anything_is_asked(server, tmp_path):
    with pytest.raises(ValueError, match="the terms must be accepted first") as caught:
        get(serving(server, FILES), tmp_path, accept_terms=False)
    assert A9A_TERMS in str(caught.value)
    with pytest.raises(ValueError, match="url must begin with"):
        get("ftp://127.0.0.1/", tmp_path)
    assert server.requests == []


@pytest.mark.skipif(not (REAL / "a9a").is_file(), reason="PSLAB_DATA names no folder that holds a9a/")
def test_the_checksums_are_those_of_the_real_files(server, tmp_path, monkeypatch):
    url = serving(server, {name: (REAL / name).read_bytes() for name in FILES})
    fetch_a9a(url, accept_terms=True, cache=tmp_path)
    monkeypatch.delenv("PSLAB_DATA")
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    assert sparse_data("a9a").train_rows == 32561


def test_the_command(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PSLAB_CACHE", str(tmp_path))
    monkeypatch.delenv("PSLAB_DATA", raising=False)
    for name, expected in sums(FILES).items():
        monkeypatch.setitem(fetch_file.A9A, name, expected)
    assert cli.main(["data", "fetch", "a9a", "--accept-terms", "--url", serving(server, FILES)]) == 0
    out = capsys.readouterr().out
    assert "CC BY 4.0" in out
    assert f"a9a is in {tmp_path / 'a9a'}" in out
    assert cli.main(["data", "list"]) == 0
    assert f"a9a             present   {tmp_path / 'a9a'} (PSLAB_CACHE)" in capsys.readouterr().out
    assert A9A_URL.startswith("https://www.csie.ntu.edu.tw/")
