"""Fetching over loopback: what is right arrives, and whatever is wrong leaves the cache as it was."""

import io
import os
import socket
import stat
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest
from data_loopback import NAMES, files_fixture, server_fixture, sums, tree, zipped  # noqa: F401

from pslab.data import MOVIELENS_TERMS, MOVIELENS_URL, FetchError, fetch_movielens, movielens_click_log
from pslab.data import fetch as fetch_file

REAL = Path(os.environ.get("PSLAB_DATA", "")) / "ml-100k"


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "some" / "cache"


def with_member(archive: bytes, name: str, content: bytes = b"x", mode: int = 0) -> bytes:
    out = io.BytesIO(archive)
    with zipfile.ZipFile(out, "a") as bundle:
        info = zipfile.ZipInfo(name)
        info.filename = info.orig_filename = name  # ZipInfo would cut a NUL
        info.external_attr = mode << 16
        bundle.writestr(info, content)
    return out.getvalue()


def get(server, cache, files, **changed) -> Path:
    return fetch_movielens(server.url, **{"accept_terms": True, "cache": cache, "expected": sums(files), **changed})


def test_the_files_arrive_and_only_they(server, cache, files):
    server.send(zipped(files))
    seen = []
    folder = get(server, cache, files, progress=lambda done, total: seen.append((done, total)))
    assert folder == cache / "ml-100k"
    assert tree(cache) == {"ml-100k": None, **{f"ml-100k/{name}": content for name, content in files.items()}}
    assert server.requests == ["/ml-100k.zip"]
    assert seen[-1] == (len(zipped(files)), len(zipped(files)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len(movielens_click_log(folder).train) > 0


def test_what_is_there_and_right_is_not_fetched_again(server, cache, files):
    server.send(zipped(files))
    get(server, cache, files)
    get(server, cache, files)
    assert len(server.requests) == 1
    (cache / "ml-100k" / "u.item").write_bytes(files["u.item"][:-1] + b"x")  # damaged, same length
    get(server, cache, files)
    assert len(server.requests) == 2
    assert tree(cache / "ml-100k") == files


def test_the_default_cache_is_the_users(server, cache, files, monkeypatch):
    monkeypatch.setenv("PSLAB_CACHE", str(cache))
    server.send(zipped(files))
    assert get(server, None, files) == cache / "ml-100k"


def test_chunked_answers_without_a_length_are_read(server, cache, files):
    body = zipped(files)

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (body[:1000], body[1000:]):
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    server.answer = answer
    assert tree(get(server, cache, files)) == files


@pytest.mark.skipif(not REAL.is_dir(), reason="PSLAB_DATA names no folder that holds ml-100k/")
def test_the_checksums_are_those_of_the_published_files(server, cache):
    server.send(zipped({name: (REAL / name).read_bytes() for name in NAMES}))
    assert len(movielens_click_log(fetch_movielens(server.url, accept_terms=True, cache=cache)).test) == 19633


def test_nothing_happens_before_the_terms_are_accepted(server, cache, files):
    server.send(zipped(files))
    with pytest.raises(ValueError, match="the terms must be accepted first") as caught:
        fetch_movielens(server.url, cache=cache)
    assert MOVIELENS_TERMS in str(caught.value)
    assert server.requests == []
    assert not cache.parent.exists()


def test_the_publisher_is_asked_over_https():
    assert MOVIELENS_URL.startswith("https://files.grouplens.org/")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x.zip", "ml-100k.zip", ""])
def test_only_http_is_spoken(url, cache):
    with pytest.raises(ValueError, match="url must begin with http:// or https://"):
        fetch_movielens(url, accept_terms=True, cache=cache)
    assert not cache.parent.exists()


# ---- what can go wrong: each case prepares the server and returns the message to expect ------------------


def body_case(change, message):
    def prepare(server, files, monkeypatch):
        server.send(change(zipped(files), files))
        return message

    return prepare


def not_found(server, files, monkeypatch):
    server.send(b"no such thing", status=404)
    return r"answered 404 Not Found"


def cut(server, files, monkeypatch):
    body = zipped(files)
    server.send(body[:1500], claimed=len(body))
    return rf"broke off: 1500 of {len(body)} bytes came"


def cut_chunk(server, files, monkeypatch):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"fff\r\nonly this")

    server.answer = answer
    return r"broke off after \d+ bytes"


def silent(server, files, monkeypatch):
    server.answer = lambda handler: server.done.wait(20)
    return "no answer in time"


def silent_inside(server, files, monkeypatch):
    def answer(handler):
        server.send(zipped(files)[:700], claimed=5000)
        server.answer(handler)
        server.done.wait(20)

    server.answer = answer
    return "broke off after 700 bytes: no answer in time"


def too_much(server, files, monkeypatch):
    monkeypatch.setattr(fetch_file, "MAX_DOWNLOAD_BYTES", 1000)
    server.send(zipped(files))
    return "sends more than 1000 bytes"


def too_slow(server, files, monkeypatch):
    monkeypatch.setattr(fetch_file, "DOWNLOAD_LIMIT_S", 0.0)
    server.send(zipped(files))
    return r"took longer than 0 s"


def redirect_to_a_file(server, files, monkeypatch):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", "file:///etc/hostname")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.answer = answer
    return "answered 302"


def disk_full(server, files, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    server.send(zipped(files))
    return r"cannot write into .*: No space left on device"


def corrupt(archive: bytes, files) -> bytes:
    at = archive.index(b"ml-100k/u.data") + 40  # inside the compressed bytes
    return archive[:at] + bytes(255 - byte for byte in archive[at : at + 20]) + archive[at + 20 :]


def lying_length(archive: bytes, files) -> bytes:
    """u.data is longer than both headers claim: the claim is the expected length."""
    longer = zipped({**files, "u.data": files["u.data"] + b"1\t1\t5\t880000000\n" * 5})
    true, claimed = (n.to_bytes(4, "little") for n in (len(files["u.data"]) + 80, len(files["u.data"])))
    assert longer.count(true) >= 2
    return longer.replace(true, claimed)


def encrypted(archive: bytes, files) -> bytes:
    central = archive.index(b"PK\x01\x02", archive.index(b"u1.base"))
    out, at = bytearray(archive), central
    while (at := archive.find(b"PK\x01\x02", at)) >= 0:
        out[at + 8] |= 1
        at += 4
    at = 0
    while 0 <= (at := archive.find(b"PK\x03\x04", at)) < central:
        out[at + 6] |= 1
        at += 4
    return bytes(out)


WRONG = {
    "not found": not_found,
    "cut short": cut,
    "cut inside a chunk": cut_chunk,
    "silent server": silent,
    "silent inside": silent_inside,
    "too much": too_much,
    "too slow": too_slow,
    "redirect to a file": redirect_to_a_file,
    "disk full": disk_full,
    "empty": body_case(lambda a, f: b"", "no zip archive that can be read"),
    "a web page": body_case(lambda a, f: b"<html>please log in</html>", "no zip archive that can be read"),
    "cut but consistent": body_case(lambda a, f: a[: len(a) // 2], "no zip archive that can be read"),
    "corrupt member": body_case(corrupt, "no zip archive that can be read|sha256"),
    "encrypted": body_case(encrypted, "no zip archive that can be read: .*encrypted"),
    "other content": body_case(
        lambda a, f: zipped({**f, "u.user": f["u.user"].replace(b"M", b"F")}),
        r"ml-100k/u\.user is not the published file: its sha256 is not",
    ),
    "oversized member": body_case(
        lambda a, f: zipped({**f, "u.item": bytes(50_000_000)}),
        r"ml-100k/u\.item in the archive has 50000000 bytes, expected \d+",
    ),
    "undersized member": body_case(lambda a, f: zipped({**f, "u.info": b""}), r"u\.info in the archive has 0 bytes"),
    "lying length": body_case(lying_length, "no zip archive that can be read|sha256"),
    "missing member": body_case(
        lambda a, f: zipped({k: v for k, v in f.items() if k != "u.genre"}), r"holds ml-100k/u\.genre 0 times"
    ),
    "other folder": body_case(lambda a, f: zipped(f, "elsewhere/"), r"holds ml-100k/u\.data 0 times"),
    "twice": body_case(lambda a, f: with_member(a, "ml-100k/u.genre", f["u.genre"]), r"holds ml-100k/u\.genre 2 times"),
    "traversal": body_case(
        lambda a, f: with_member(a, "ml-100k/../../evil"), r"'ml-100k/\.\./\.\./evil', which points"
    ),
    "absolute": body_case(lambda a, f: with_member(a, "/tmp/evil"), "'/tmp/evil', which points outside"),
    "backslashes": body_case(lambda a, f: with_member(a, "..\\evil"), "which points outside"),
    "a drive": body_case(lambda a, f: with_member(a, "C:evil"), "which points outside"),
    "a link": body_case(
        lambda a, f: with_member(a, "ml-100k/link", b"/etc", stat.S_IFLNK | 0o777), "which points outside"
    ),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("there", ["nothing", "an older copy"])
@pytest.mark.parametrize("case", WRONG)
def test_what_goes_wrong_leaves_the_cache_unchanged(server, cache, files, monkeypatch, case, there):
    if there == "an older copy":
        (cache / "ml-100k").mkdir(parents=True)
        (cache / "ml-100k" / "u.data").write_bytes(b"older")
        (cache / "other.txt").write_bytes(b"someone else's")
    before = tree(cache.parent.parent)
    message = WRONG[case](server, files, monkeypatch)
    with pytest.raises(FetchError, match=message):
        get(server, cache, files, timeout_s=0.3)
    assert len(server.requests) == 1
    assert tree(cache.parent.parent) == before


def test_nobody_listens(cache, files, server):
    with socket.socket() as taken:  # bound, not listening: nobody else can take the port meanwhile
        taken.bind(("127.0.0.1", 0))
        server.url = f"http://127.0.0.1:{taken.getsockname()[1]}/ml-100k.zip"
        with pytest.raises(FetchError, match="cannot reach http://127.0.0.1:.*: Connection refused"):
            get(server, cache, files)
    assert not cache.parent.exists()


def test_the_port_belongs_to_something_else(cache, files, server):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def talk():
            with other.accept()[0] as peer:
                peer.recv(1000)
                peer.sendall(b"220 mail.example ESMTP\r\n")

        threading.Thread(target=talk, daemon=True).start()
        server.url = f"http://127.0.0.1:{other.getsockname()[1]}/ml-100k.zip"
        with pytest.raises(FetchError, match="gave no proper answer: 220 mail"):
            get(server, cache, files)
    assert not cache.parent.exists()


def test_a_cache_that_cannot_be_made(tmp_path, server, files):
    (tmp_path / "file").write_bytes(b"a file where a folder should be")
    with pytest.raises(FetchError, match="cannot make the cache folder .*file/cache: Not a directory"):
        get(server, tmp_path / "file" / "cache", files)
    assert server.requests == []


def test_a_read_only_cache(cache, server, files, monkeypatch):
    cache.mkdir(parents=True)
    if os.geteuid() == 0:  # root writes everywhere: say what the system says to others

        def refused(**settings):
            raise PermissionError(13, "Permission denied", str(settings["dir"]))

        monkeypatch.setattr(tempfile, "mkdtemp", refused)
    cache.chmod(0o555)
    try:
        with pytest.raises(FetchError, match="cannot write into .*cache: Permission denied"):
            get(server, cache, files)
    finally:
        cache.chmod(0o755)
    assert tree(cache) == {}
    assert server.requests == []


def test_when_the_last_rename_fails_the_older_copy_is_back(server, cache, files, monkeypatch):
    (cache / "ml-100k").mkdir(parents=True)
    (cache / "ml-100k" / "u.data").write_bytes(b"older")
    before, rename = tree(cache), Path.rename

    def breaks(self, target):
        if Path(target) == cache / "ml-100k" and self.name == "ml-100k":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", breaks)
    server.send(zipped(files))
    with pytest.raises(FetchError, match="Input/output error"):
        get(server, cache, files)
    assert tree(cache) == before


def test_an_interrupt_leaves_nothing_behind(server, cache, files):
    def interrupt(done, total):
        raise KeyboardInterrupt

    server.send(zipped(files))
    with pytest.raises(KeyboardInterrupt):
        get(server, cache, files, progress=interrupt)
    assert not cache.parent.exists()
