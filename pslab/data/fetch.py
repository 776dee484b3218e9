"""Bringing data sets into the user's cache, from their publishers, when asked to and never otherwise.

    movielens-100k  terms ─> accepted? ─> download aside ─> look into the zip ─> extract aside ┐
    a9a             terms ─> accepted? ─> download both files aside ───────────────────────────┴─> sha256 ─> rename

Whatever fails on the way, the cache is left as it was. Only the files named in MOVIELENS are taken out of the
archive, each no longer than it should be; an archive with a member that points outside is refused whole.
"""

import hashlib
import http.client
import os
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from pslab.data.folders import A9A_FOLDER, MOVIELENS_FOLDER, DataError, cache_folder

MOVIELENS_URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
MOVIELENS = {  # file: (bytes, sha256)
    "u.data": (1979173, "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"),
    "u.genre": (202, "9757e0d3e6b298159a80dd48eaf938114690e911e39af97a76949ef1663610bb"),
    "u.info": (36, "5b0a40b2e47a729ee6203063f6dcf8790c2e63f5a18663e6ee318a72c5f3c27b"),
    "u.item": (236344, "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701"),
    "u.user": (22628, "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c"),
    "u1.base": (1586544, "ce253ec86c448b44fb3ba9a30d12dcfc2e9210cbde71efada3730c22e9ac212a"),
    "u1.test": (392629, "18c6014a4b2c7324f250a63f8904a7b16b2b19f911129e346141507b0cbac950"),
}
MOVIELENS_TERMS = """\
MovieLens-100K belongs to GroupLens Research, University of Minnesota. Its terms, in short:
  - for research; commercial use needs GroupLens's permission first
  - it may not be passed on without separate permission
  - publications that use it name it (Harper and Konstan 2015, doi:10.1145/2827872)
  - nothing may suggest that the university or GroupLens endorses your work; there is no warranty
The full text: https://files.grouplens.org/datasets/movielens/ml-100k-README.txt"""

A9A_URL = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary/"  # the folder that holds both files
A9A = {
    "a9a": (2329875, "f5d5ffd8d865ff41328e7ee043e4b020816914ff6843ff15b98905ddbedce906"),
    "a9a.t": (1164628, "1f448a153f0320399a7e40836eb207655b0bde0f21fc941cc472193daa9f5de9"),
}
A9A_TERMS = """\
a9a is UCI's Adult data (Becker and Kohavi 1996, doi:10.24432/C5XW20) as the LIBSVM site prepared it. In short:
  - the data are licensed under Creative Commons Attribution 4.0 (CC BY 4.0): name the source when you use them
  - the rows are answers of a census in 1994, on income, age, sex, race and marriage: take them for what they are
The full text: https://archive.ics.uci.edu/dataset/2/adult"""

MAX_DOWNLOAD_BYTES = 64 * 2**20  # the archive has 5 MB; a mirror that sends more than this sends something else
DOWNLOAD_LIMIT_S = 600.0


class FetchError(DataError):
    """The data could not be fetched; the cache is as it was."""


def fetch_movielens(
    url: str = MOVIELENS_URL,
    *,
    accept_terms: bool = False,
    cache: Path | None = None,
    timeout_s: float = 30.0,
    expected: Mapping[str, tuple[int, str]] = MOVIELENS,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Download, check and unpack MovieLens-100K; returns its folder, <cache>/ml-100k.

    accept_terms: must be True, else ValueError with the terms. timeout_s: how long the server may be silent.
    expected: {file: (bytes, sha256)} of what is taken out of the archive. progress(bytes so far, bytes in all or None).
    What is there already and right is not fetched again. Raises FetchError, cache unchanged, for everything that can
    go wrong on the way: network, folder, archive, checksum.
    """
    def bring(aside: Path, fresh: Path) -> None:
        archive = aside / "archive.zip"
        _download(url, archive, timeout_s, progress, "MovieLens-100K")
        _extract(archive, fresh, expected)

    return _fetched(MOVIELENS_FOLDER, MOVIELENS_TERMS, url, accept_terms, cache, expected, bring)


def fetch_a9a(
    url: str = A9A_URL,
    *,
    accept_terms: bool = False,
    cache: Path | None = None,
    timeout_s: float = 30.0,
    expected: Mapping[str, tuple[int, str]] = A9A,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Download and check a9a and a9a.t; returns their folder, <cache>/a9a. As fetch_movielens, but two plain files.

    url: the folder that holds them.
    """

    def bring(aside: Path, fresh: Path) -> None:
        for name, (size, digest) in expected.items():
            _download(f"{url.rstrip('/')}/{name}", fresh / name, timeout_s, progress, "a9a")
            if (fresh / name).stat().st_size != size or _sha256(fresh / name) != digest:
                raise FetchError(f"{name} is not the published file: its sha256 is not {digest[:16]}…")

    return _fetched(A9A_FOLDER, A9A_TERMS, url, accept_terms, cache, expected, bring)


class Source(NamedTuple):
    """A data set that can be fetched: its name in a sentence, its terms, its publisher's address, and what fetches."""

    title: str
    terms: str
    url: str
    fetch: Callable[..., Path]


SOURCES = {
    "movielens-100k": Source("MovieLens-100K", MOVIELENS_TERMS, MOVIELENS_URL, fetch_movielens),
    "a9a": Source("a9a", A9A_TERMS, A9A_URL, fetch_a9a),
}


def _fetched(folder: str, terms: str, url: str, accept_terms: bool, cache: Path | None,
             expected: Mapping[str, tuple[int, str]], bring: Callable[[Path, Path], None]) -> Path:
    """<cache>/folder with the expected files: as it is where they are right, else what bring(aside, fresh) makes."""
    if not accept_terms:
        raise ValueError(f"the terms must be accepted first.\n{terms}")
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"url must begin with http:// or https://, got {url!r}")
    cache = cache_folder() if cache is None else Path(cache)
    target = cache / folder
    if _is_right(target, expected):
        return target
    made = _make_folders(cache)
    aside = None
    try:
        aside = Path(tempfile.mkdtemp(prefix=".fetching-", dir=cache))
        fresh = aside / folder
        fresh.mkdir()
        bring(aside, fresh)
        _put_in_place(fresh, target, aside / "old")
    except OSError as error:
        raise FetchError(f"cannot write into {cache}: {error.strerror or error}") from None
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        for folder_made in made:  # innermost first; only what was made here, and only while empty
            if not any(folder_made.iterdir()):
                folder_made.rmdir()
    return target


def _is_right(folder: Path, expected: Mapping[str, tuple[int, str]]) -> bool:
    try:
        return all(
            (folder / name).stat().st_size == size and _sha256(folder / name) == digest
            for name, (size, digest) in expected.items()
        )
    except OSError:
        return False


def _make_folders(cache: Path) -> list[Path]:
    """Make the cache folder; returns what had to be made, innermost first."""
    made = [folder for folder in (cache, *cache.parents) if not folder.exists()]
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FetchError(f"cannot make the cache folder {cache}: {error.strerror or error}") from None
    return made


def _download(url: str, archive: Path, timeout_s: float, progress, what: str) -> None:
    deadline, done = time.monotonic() + DOWNLOAD_LIMIT_S, 0
    request = urllib.request.Request(url, headers={"User-Agent": "pslab"})
    try:
        answer = urllib.request.urlopen(request, timeout=timeout_s)  # https is verified by default
    except urllib.error.HTTPError as error:
        raise FetchError(f"{url} answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise FetchError(f"cannot reach {url}: {_reason(error.reason)}") from None
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise FetchError(f"{url} gave no proper answer: {_reason(error)}") from None
    with answer, archive.open("wb") as out:
        length = answer.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        while True:
            try:
                piece = answer.read1(1 << 16)
            except (http.client.HTTPException, OSError) as error:
                raise FetchError(f"the download of {url} broke off after {done} bytes: {_reason(error)}") from None
            if not piece:
                break
            out.write(piece)
            done += len(piece)
            if done > MAX_DOWNLOAD_BYTES:
                raise FetchError(f"{url} sends more than {MAX_DOWNLOAD_BYTES} bytes: that is not {what}")
            if time.monotonic() > deadline:
                raise FetchError(f"the download of {url} took longer than {DOWNLOAD_LIMIT_S:g} s ({done} bytes came)")
            if progress is not None:
                progress(done, total)
    if total is not None and done != total:
        raise FetchError(f"the download of {url} broke off: {done} of {total} bytes came")


def _extract(archive: Path, folder: Path, expected: Mapping[str, tuple[int, str]]) -> None:
    """Write the expected files of the archive into `folder`, each checked for length and sha256."""
    try:
        with zipfile.ZipFile(archive) as bundle:
            members: dict[str, list[zipfile.ZipInfo]] = {}
            for info in bundle.infolist():
                members.setdefault(_safe_name(info), []).append(info)
            for name, (size, digest) in expected.items():
                found = members.get(f"{MOVIELENS_FOLDER}/{name}", [])
                if len(found) != 1:
                    raise FetchError(f"the archive holds {MOVIELENS_FOLDER}/{name} {len(found)} times, expected once")
                _copy(bundle, found[0], folder / name, size, digest)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FetchError(f"what came is no zip archive that can be read: {error}") from None


def _safe_name(info: zipfile.ZipInfo) -> str:
    """The member's name; FetchError for one that could land elsewhere, or is a link."""
    name = info.orig_filename
    parts = name.replace("\\", "/").split("/")
    is_link = (info.external_attr >> 16) & 0o170000 == 0o120000
    if name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\0" in name or is_link:
        raise FetchError(f"the archive holds {name!r}, which points outside of its folder: refused, nothing unpacked")
    return name


def _copy(bundle: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, size: int, digest: str) -> None:
    if info.file_size != size:
        raise FetchError(f"{info.filename} in the archive has {info.file_size} bytes, expected {size}")
    with bundle.open(info) as source:
        content = source.read(size + 1)  # never more than that, whatever the archive's headers claim
    if len(content) != size or hashlib.sha256(content).hexdigest() != digest:
        raise FetchError(f"{info.filename} is not the published file: its sha256 is not {digest[:16]}…")
    with path.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _put_in_place(fresh: Path, target: Path, old: Path) -> None:
    """Rename `fresh` to `target`; what stood there is moved to `old` first, and back if that fails."""
    replaced = target.exists()
    if replaced:
        target.rename(old)
    try:
        fresh.rename(target)
    except OSError:
        if replaced:
            old.rename(target)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reason(error) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
