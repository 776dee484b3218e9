"""A kill, a power cut or a full disk at any moment: no row is torn, none older than the last flush, nothing is lost."""

import errno
import os
import random
import signal

import numpy as np
import pytest
from tiers_faults import Crash, System

from pslab.embedding.tiers import DiskStore, MemoryStore, RowLayout, TieredStore, TieredTable
from pslab.embedding.tiers.disk import DiskStore as Disk
from pslab.embedding.tiers.journal import Journal
from pslab.embedding.tiers.rawfile import RawFile
from pslab.ps import SGD

R, WIDTH = 11, 5
@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch):
    """Nothing here has to outlive a power cut, and syncing takes as long as others keep the disk busy."""
    monkeypatch.setattr(RawFile, "system", System())


SMALL = {"write_back_bytes": 5 * 64, "log_bytes": 700}        # a batch of four or five rows, a journal of a few batches


def row(id, version):
    """What version `version` of a row holds: every value names both; version 0 is zeros."""
    return (np.arange(1, WIDTH + 1) * version + (100 * id if version else 0)).astype(np.float32)


class Job:
    """Writes versions of rows and flushes now and then; knows what must be there afterwards."""

    def __init__(self, path, in_tiers=False):
        self.path, self.in_tiers = path, in_tiers
        self.written, self.flushed, self.store, self.disk = np.zeros(R, int), np.zeros(R, int), None, None

    def open(self):
        self.disk = self.store = DiskStore(self.path, R, WIDTH, **SMALL)
        if self.in_tiers:
            self.store = TieredStore(self.disk, TieredStore(_like(self.disk), 1 << 20).bytes_for(4))

    def run(self, rounds=14, seed=0):
        self.open()
        draw = np.random.default_rng(seed)
        for at in range(rounds):
            ids = draw.permutation(R)[:draw.integers(1, 5)] if at % 3 else np.arange(at % 4, at % 4 + 4)
            self.written[ids] += 1                              # from here on it may be on the disk
            self.store.write(ids, np.stack([row(id, self.written[id]) for id in ids]))
            self.store.steps = at + 1
            if at % 3 == 1:
                self.store.flush()
                self.flushed = self.written.copy()
        self.store.close()
        self.flushed = self.written.copy()

    def check(self, store):
        rows = store.read(np.arange(R))
        for id, got in enumerate(rows):
            version = round(float(got[1] - got[0]))
            assert np.array_equal(got, row(id, version)), f"row {id} is torn: {got}"
            assert version >= self.flushed[id], f"row {id} is of version {version}, {self.flushed[id]} was flushed"
            assert version <= self.written[id]
        return rows


def _like(disk):
    like = MemoryStore(disk.num_rows, disk.width)
    like.buffer_bytes = disk.buffer_bytes
    return like


def crashed(tmp_path, name, system, in_tiers=False):
    """A job under `system`, until it ends or crashes; its Job."""
    path = os.fspath(tmp_path / name)
    for file in (path, f"{path}.log", f"{path}.new"):
        if os.path.exists(file):
            os.unlink(file)
    job, RawFile.system = Job(path, in_tiers), system
    try:
        job.run()
    except Crash:
        if job.disk is not None:
            job.disk.abandon()
    finally:
        RawFile.system = System()
    return job


def survives(job, draw=None):
    """The job's table after its crash, and after another one in the middle of opening it; then it is used on."""
    if draw is not None:
        RawFile.system = System(crash_at=draw.randint(1, 12), part=draw.random())
        try:
            DiskStore(job.path, R, WIDTH, **SMALL).abandon()
        except Crash:
            pass
        finally:
            RawFile.system = System()
    RawFile.system = System()                                   # nothing of it has to outlive the test: no fsync
    with DiskStore(job.path, R, WIDTH, **SMALL) as store:
        recovered = store.recovered
        before = job.check(store)
        store.write([3, 0], np.stack([row(3, 77), row(0, 77)]))
    with DiskStore(job.path, R, WIDTH, **SMALL) as store:
        assert store.recovered == 0
        before[[3, 0]] = row(3, 77), row(0, 77)
        assert np.array_equal(store.read(np.arange(R)), before)
    RawFile.system = System()
    return recovered


@pytest.mark.parametrize("in_tiers", [False, True], ids=["disk", "tiers"])
@pytest.mark.parametrize("power", [False, True], ids=["kill", "power cut"])
def test_a_crash_at_every_write_and_sync(power, in_tiers, tmp_path):
    whole = System()
    assert (crashed(tmp_path, "t", whole, in_tiers).flushed > 0).sum() > 8
    assert whole.changes > 60
    recovered = []
    for at in range(1, whole.changes + 1):
        draw = random.Random(at)
        part = draw.choice((0.0, 0.5, 1.0, draw.random()))
        job = crashed(tmp_path, "t", System(crash_at=at, part=part, power=draw if power else None), in_tiers)
        recovered.append(survives(job, draw if at % 2 else None))
    assert sum(map(bool, recovered)) > 10                       # the journal was needed


def _no_journal(self, ids, blocks, steps):
    """Rows go in place at once."""


def _unsynced(self, ids, blocks, steps, append=Journal.append):
    self.file.sync, sync = lambda: None, self.file.sync
    append(self, ids, blocks, steps)
    self.file.sync = sync


def _early(self):
    """Emptied before the file is synced."""
    self._journal.clear()


@pytest.mark.parametrize(("where", "name", "fault", "power"), [
    (Journal, "append", _no_journal, False), (Journal, "append", _unsynced, True),
    (Disk, "_empty_journal", _early, True),
    (Journal, "batches", lambda self: iter(()), False), (Disk, "_flush", lambda self: None, False)],
    ids=["no journal", "journal not synced", "journal emptied early", "no recovery", "a flush that does nothing"])
def test_the_check_of_crashes_finds_a_wrong_scheme(where, name, fault, power, tmp_path, monkeypatch):
    monkeypatch.setattr(where, name, fault)
    wrong = 0
    for at in range(8, 70):
        draw = random.Random(at)
        job = crashed(tmp_path, "t", System(crash_at=at, part=draw.random(), power=draw if power else None))
        try:
            with DiskStore(job.path, R, WIDTH, **SMALL) as store:
                job.check(store)
        except (AssertionError, ValueError):                    # ValueError: the checksum of a torn row
            wrong += 1
    assert wrong > 0


@pytest.mark.parametrize("in_tiers", [False, True], ids=["disk", "tiers"])
def test_a_full_disk_loses_nothing(in_tiers, tmp_path):
    whole = System()
    crashed(tmp_path, "t", whole, in_tiers)
    told = 0
    for at in range(8, whole.changes, 3):
        system = System(full_from=at, part=random.Random(at).choice((0.0, 0.4)))
        path = os.fspath(tmp_path / f"full{at}")
        job, RawFile.system = Job(path, in_tiers), system
        try:
            job.open()
            for version in range(1, 5):
                for lo in range(0, R, 4):
                    ids = np.arange(lo, min(lo + 4, R))
                    rows = np.stack([row(id, version) for id in ids])
                    job.written[ids] = version                  # also where it raises, some may have been taken
                    for _ in range(2):
                        try:
                            job.store.write(ids, rows)
                            break
                        except OSError as error:
                            refused(error, path)
                            told += 1
                            if not in_tiers:
                                job.check(job.store)            # what it took before is there
                            system.full_from = None             # room is made
                    job.flushed[ids] = version                  # for check: nothing less may be read
                    job.check(job.disk) if not in_tiers else None
                    if version == 3:
                        system.full_from = system.changes + at % 7
                try:
                    job.store.flush()
                except OSError as error:
                    refused(error, path)
                    told += 1
                    assert np.array_equal(job.store.peek([1, 2]), [row(1, version), row(2, version)]) or in_tiers
                    system.full_from = None
                    job.store.flush()
            job.store.close()
        finally:
            RawFile.system = System()
        with DiskStore(path, R, WIDTH) as store:
            assert np.array_equal(store.read(np.arange(R)), [row(id, 4) for id in range(R)])
    assert told > 20


def refused(error, path):
    assert error.errno == errno.ENOSPC
    assert error.filename in (path, f"{path}.log")
    assert "bytes at offset" in str(error)
    assert "make room and flush again" in str(error)


def test_closing_on_a_full_disk_can_be_tried_again(tmp_path):
    store = DiskStore(tmp_path / "t", R, WIDTH, **SMALL)
    store.write([2], [row(2, 1)])
    RawFile.system = System(full_from=1)
    try:
        with pytest.raises(OSError, match="No space left"):
            store.close()
        assert np.array_equal(store.read([2]), [row(2, 1)])
    finally:
        RawFile.system = System()
    store.close()
    with DiskStore(tmp_path / "t") as store:
        assert np.array_equal(store.read([2]), [row(2, 1)])


def train_for_ever(path, told):
    """In a process of its own: steps of 200 rows, a flush after every tenth."""
    table = TieredTable(TieredStore(DiskStore(path, 4000, first=LAYOUT, write_back_bytes=20_000, log_bytes=200_000),
                                    140_000), LAYOUT)
    draw = np.random.default_rng(0)
    for step in range(1, 100_000):
        table.update(draw.permutation(4000)[:200], -np.ones((200, 6), np.float32))
        if step % 10 == 0:
            table.flush()
            os.write(told, b"%d\n" % step)


LAYOUT = RowLayout(6, SGD(1.0))     # by gradients of -1, every value of a row is the number of its steps


@pytest.mark.parametrize("flushes", [1, 7, 12])
def test_a_real_kill(flushes, tmp_path):
    path, (heard, told) = os.fspath(tmp_path / "t"), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(heard)
            train_for_ever(path, told)
        finally:
            os._exit(1)
    os.close(told)
    with os.fdopen(heard) as lines:
        try:
            flushed = [int(lines.readline()) for _ in range(flushes)][-1]
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        flushed = max([flushed, *map(int, lines.read().split())])
    draw, least = np.random.default_rng(0), np.zeros(4000, int)
    for _ in range(flushed):
        least[draw.permutation(4000)[:200]] += 1
    most = least.copy()
    for _ in range(20):                                         # it got no further than into the second flush from here
        most[draw.permutation(4000)[:200]] += 1
    with DiskStore(path, first=LAYOUT) as store:
        rows = store.read(np.arange(4000))
    assert (rows == rows[:, :1]).all()                          # not torn
    assert (rows[:, 0] >= least).all()
    assert (rows[:, 0] <= most).all()
