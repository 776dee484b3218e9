"""The filters by themselves: what they do to keys and values, and that nothing is lost."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pslab.comm import Mail
from pslab.ps.filters import KeyCaching, ServerEnd, SignificantlyModified, ValueCompression
from pslab.ps.filters.compression import decode, encode
from pslab.ps.filters.key_caching import KeyLists, digest_of
from pslab.ps.filters.significant import Held

RNG = np.random.default_rng(4)


def sent(tensors):
    """As they arrive: torch tensors."""
    return [torch.from_numpy(tensor) if isinstance(tensor, np.ndarray) else tensor for tensor in tensors]


# ---- value compression ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["fp16", "bf16", "int8"])
@pytest.mark.parametrize("shape", [(40, 5), (1, 1), (3, 1), (0, 4)])
def test_compressed_values_and_their_bytes(kind, shape):
    vals = (RNG.standard_normal(shape) * 10.0**RNG.integers(-3, 4, shape)).astype(np.float32)
    tensors = encode(kind, vals)
    assert sum(tensor.nbytes for tensor in tensors) == shape[0] * ValueCompression(kind).row_bytes(shape[1])
    got = decode(kind, sent(tensors))
    assert got.dtype == np.float32
    assert got.flags.writeable
    if kind == "int8":
        scale = np.abs(vals).max(axis=1, initial=0, keepdims=True) / 127
        assert (np.abs(got - vals) <= scale * 0.50001).all()
        largest = np.abs(vals).argmax(axis=1) if vals.size else np.empty(0, int)
        rows = np.arange(shape[0])
        np.testing.assert_allclose(got[rows, largest], vals[rows, largest], rtol=1e-6)
    else:
        dtype = torch.float16 if kind == "fp16" else torch.bfloat16
        assert np.array_equal(got, torch.from_numpy(vals).to(dtype).to(torch.float32).numpy())      # torch's own
        tiny = 6.2e-5 if kind == "fp16" else 0
        assert (np.abs(got - vals) <= np.abs(vals) * (2**-11 if kind == "fp16" else 2**-8) + tiny * 2**-11).all()


def test_whole_numbers_of_a_row_up_to_127_are_exact_in_int8():
    vals = np.array([[127, -3, 0, 64], [-127, 1, 2, 3], [0, 0, 0, 0]], np.float32)
    assert np.array_equal(decode("int8", sent(encode("int8", vals))), vals)


def test_what_does_not_fit():
    vals = np.array([[1e6, -1e6, 65504.0, 1.0], [np.inf, -np.inf, np.nan, 2.0]], np.float32)
    halves = decode("fp16", sent(encode("fp16", vals)))
    np.testing.assert_array_equal(halves, [[65504, -65504, 65504, 1], [np.inf, -np.inf, np.nan, 2]])
    brains = decode("bf16", sent(encode("bf16", vals)))
    np.testing.assert_array_equal(brains[1], vals[1])
    codes = decode("int8", sent(encode("int8", vals)))
    assert np.isfinite(codes[0]).all()
    assert not np.isfinite(codes[1]).any()


@pytest.mark.parametrize(("kind", "tensors"), [
    ("fp16", [torch.zeros(2, 2)]), ("fp16", []), ("int8", [torch.zeros(2, 2, dtype=torch.int8)]),
    ("int8", [torch.zeros(2, 2, dtype=torch.int8), torch.zeros(3)]), ("zip", [torch.zeros(2, 2)]),
    ("fp16", [torch.zeros(2, dtype=torch.float16)])])
def test_tensors_that_are_no_compressed_values(kind, tensors):
    with pytest.raises(ValueError, match=f"compressed as '{kind}' came as"):
        decode(kind, tensors)


# ---- significantly modified -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0, 1, 7, 10**6])
def test_what_was_sent_and_what_is_held_is_what_was_pushed(threshold):
    held, model, out = Held(threshold, 3), {}, {}
    pushed = sent_rows = 0
    for step in range(60):
        keys = np.unique(RNG.integers(-50, 50, RNG.integers(1, 30)))
        keys = range(3, 20) if step % 7 == 0 else keys
        vals = RNG.integers(-2, 3, (len(keys), 3)).astype(np.float32)
        before = vals.copy()
        some, rows = held.significant(keys, vals)
        assert np.array_equal(vals, before)
        assert len(some) == len(rows)
        for key, row in zip(keys, vals):
            model[key] = model.get(key, 0) + row
        for key, row in zip(some, rows):
            assert np.abs(row).max() >= threshold
            out[key] = out.get(key, 0) + row
        for key in set(keys) - set(some):
            assert np.abs(model[key] - out.get(key, 0)).max() < threshold
        pushed, sent_rows = pushed + len(keys), sent_rows + len(some)
    assert held.saved_rows == pushed - sent_rows
    assert (held.saved_rows == 0) == (threshold == 0)
    keys, rows = held.flush()
    assert (np.diff(keys) > 0).all()
    for key, row in zip(keys.tolist(), rows):
        assert row.any()
        out[key] = out.get(key, 0) + row
    assert all(np.array_equal(out.get(key, np.zeros(3)), row) for key, row in model.items())
    assert held.rows == len(held.flush()[0]) == 0


def test_a_value_that_reaches_the_threshold_takes_its_row_along():
    held = Held(1.0, 2)
    assert len(held.significant(np.array([5, 8]), np.array([[0.4, -0.7], [1.0, 0.0]], np.float32))[0]) == 1
    _, rows = held.significant(np.array([5]), np.array([[0.1, -0.5]], np.float32))
    np.testing.assert_allclose(rows, [[0.5, -1.2]], rtol=1e-6)
    _, rows = held.significant(np.array([5]), np.array([[np.nan, 0.0]], np.float32))
    assert np.isnan(rows[0, 0])                             # not held back for ever


def test_rows_that_are_set_or_taken_hold_nothing():
    held = Held(100, 1)
    for _ in range(2):
        held.significant(np.array([1, 2, 3]), np.ones((3, 1), np.float32))
    held.drop(np.array([2, 9]))
    assert held.take(range(1, 3), np.ones((2, 1), np.float32)).tolist() == [[3.0], [1.0]]
    assert [part.tolist() for part in held.flush()] == [[3], [[2.0]]]


# ---- key caching ----------------------------------------------------------------------------------------------------


def test_the_least_recently_used_list_leaves():
    lists = KeyLists()
    for digest in (1, 2, 3):
        lists.add(digest, np.arange(digest), capacity=3)
    assert lists.get(1) is not None
    lists.add(4, np.arange(4), capacity=3)
    assert lists.get(2) is None
    assert [len(lists.get(digest)) for digest in (3, 1, 4)] == [3, 1, 4]
    lists.add(5, np.arange(5), capacity=1)
    assert len(lists) == 1


def test_a_hash_stands_for_keys_and_their_order_in_every_process():
    keys = np.array([2, 5, 7])
    assert digest_of(keys) == digest_of(np.array([2, 0, 5, 0, 7])[::2])
    assert len({digest_of(np.array(some)) for some in ([2, 5, 7], [5, 2, 7], [2, 5], [2, 5, 7, 7], [2, 5, 8])}) == 5
    code = "import hashlib, struct; print(int.from_bytes(hashlib.blake2b(struct.pack('<3q', 2, 5, 7), " \
           "digest_size=8).digest(), 'little', signed=True))"
    assert digest_of(keys) == int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)


def letter(keys, number=1, kind="push", by_hash=False, src=0, lists=4, **meta):
    keys = np.array(keys)
    brought = torch.tensor([digest_of(keys)]) if by_hash else torch.from_numpy(keys)
    return Mail(src, kind, {"t": 0, "q": number, "h": [lists, len(keys)], **meta},
                [brought, torch.full((len(keys), 1), float(number))])


def numbers_of(letters):
    return [mail.meta["q"] for mail in letters]


def test_a_known_hash_is_opened_to_its_keys():
    end = ServerEnd(9)
    for number, by_hash in ((1, False), (2, True)):
        (opened,), answers = end.open(letter([2, 5, 7], number, by_hash=by_hash))
        assert not answers
        assert opened.tensors[0].tolist() == [2, 5, 7]
        assert opened.meta == {"t": 0, "q": number}
    (other,), _ = end.open(letter([2, 5, 7], 3, by_hash=False, src=1))
    assert other.src == 1


def test_an_unknown_hash_is_asked_for_and_letters_keep_their_order():
    end = ServerEnd(9)
    ready, [(dst, question)] = end.open(letter([2, 5, 7], 1, by_hash=True))
    assert (ready, dst, question.kind, question.src) == ([], 0, "which", 9)
    assert question.meta == {"t": 0, "d": digest_of(np.array([2, 5, 7]))}
    clock = Mail(0, "clock", {"c": 1, "q": 2}, [])
    for held in (clock, letter([2, 5, 7], 1, by_hash=True)):
        assert end.open(held) == ([], [(0, question)])                              # perhaps the question was lost
    other = Mail(1, "clock", {"c": 1}, [])
    assert end.open(other) == ([other], [])                                         # another worker's are not held
    ready, answers = end.open(Mail(0, "keys", question.meta, [torch.tensor([2, 5, 7])]))
    assert not answers
    assert numbers_of(ready) == [1, 2, 1]
    assert ready[0].tensors[0].tolist() == ready[2].tensors[0].tolist() == [2, 5, 7]
    assert end.open(clock) == ([clock], [])                                         # nothing is held any more


class Lent(Mail):
    """Its tensors lie in the sender's memory, and are gone after release unless they were asked for before."""

    def __init__(self, *parts, tensors):
        super().__init__(*parts)
        self._there, self._kept = tensors, None

    @property
    def tensors(self):
        if self._kept is None:
            assert self._there is not None, "released before"
            self._kept = [tensor.clone() for tensor in self._there]
        return self._kept

    @tensors.setter
    def tensors(self, tensors):
        self._kept = tensors or None

    def release(self):
        self._there = None


def test_letters_that_wait_outlast_their_release():
    end = ServerEnd(9)
    _, [(_, question)] = end.open(letter([2, 5, 7], 1, by_hash=True))
    waiting = Lent(0, "push", {"t": 0, "q": 2, "r": [0, 1]}, tensors=[torch.ones(1, 1)])
    assert not end.open(waiting)[0]
    waiting.release()
    ready, _ = end.open(Mail(0, "keys", question.meta, [torch.tensor([2, 5, 7])]))
    assert numbers_of(ready) == [1, 2]
    assert ready[1].tensors[0].tolist() == [[1.0]]


def test_lists_are_known_by_worker_and_table():
    end = ServerEnd(9)
    end.open(letter([2, 5], 1))
    assert end.open(letter([2, 5], 1, by_hash=True, src=1))[1]
    assert end.open(letter([2, 5], 2, by_hash=True, t=1))[1]


def test_a_letter_with_its_keys_frees_those_that_wait_for_them():
    end = ServerEnd(9)
    end.open(letter([2, 5, 7], 1, by_hash=True))
    ready, _ = end.open(letter([2, 5, 7], 2))
    assert numbers_of(ready) == [1, 2]


def test_letters_whose_keys_are_lost_are_forgotten_and_come_again():
    end = ServerEnd(9)
    _, [(_, question)] = end.open(letter([2, 5, 7], 1, by_hash=True))
    end.open(Mail(0, "clock", {"c": 1, "q": 7}, []))
    ready, _ = end.open(Mail(0, "keys", question.meta, []))
    assert numbers_of(ready) == [7]
    assert numbers_of(end.open(letter([2, 5, 7], 1))[0]) == [1]


def test_as_many_lists_as_the_letter_says():
    end = ServerEnd(9)
    for keys in ([1, 2], [3, 4], [5, 6]):
        end.open(letter(keys, lists=2))
    assert not end.open(letter([3, 4], 4, by_hash=True, lists=2))[1]
    assert end.open(letter([1, 2], 5, by_hash=True, lists=2))[1]


@pytest.mark.parametrize("meta", [{"h": [4, 9]}, {"h": 3}, {"z": "zip"}, {"z": "fp16"}, {"y": "zip"}])
def test_letters_that_no_filter_made_are_not_let_through(meta):
    mail = letter([2, 5, 7])
    mail.meta = {"t": 0, "q": 1, **meta}
    (opened,), _ = ServerEnd(9).open(mail)
    assert opened.kind.startswith("push (filtered: ")


# ---- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "words"), [
    (lambda: KeyCaching(0), "lists=0; a whole number from 1 to 64"), (lambda: KeyCaching(65), "lists=65"),
    (lambda: ValueCompression("fp8"), "kind='fp8'; allowed: fp16, bf16, int8"),
    (lambda: ValueCompression("fp16", pulls=1), "pulls=1"), (lambda: SignificantlyModified(-1), "threshold=-1"),
    (lambda: SignificantlyModified(float("nan")), "threshold=nan"), (lambda: SignificantlyModified(None), "threshold")])
def test_filters_refuse(make, words):
    with pytest.raises(ValueError, match=words):
        make()
