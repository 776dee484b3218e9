"""KeyedJaggedTensor against plain Python lists of lists."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pslab.data import JaggedTensor, KeyedJaggedTensor

# Three rows: users 7 2 7; genres [0 4] [] [5]. The picture of the module's docstring.
KEYS, VALUES, LENGTHS = ["user", "genre"], [7, 2, 7, 0, 4, 5], [1, 1, 1, 2, 0, 1]


def build(bags: dict[str, list[list[int]]]) -> KeyedJaggedTensor:
    """From {key: list of bags}, without any of the code under test but the constructor."""
    rows = [bag for per_key in bags.values() for bag in per_key]
    return KeyedJaggedTensor(list(bags), [i for bag in rows for i in bag], [len(bag) for bag in rows])


def lists(kjt: KeyedJaggedTensor) -> dict[str, list[list[int]]]:
    return {key: bag.to_list() for key, bag in kjt.to_dict().items()}


bag = st.lists(st.integers(0, 2**40), max_size=4)


@st.composite
def bags_of(draw, keys=None):
    rows = draw(st.integers(0, 6))
    keys = keys or draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True))
    return {key: draw(st.lists(bag, min_size=rows, max_size=rows)) for key in keys}


def test_the_picture():
    kjt = KeyedJaggedTensor(KEYS, VALUES, LENGTHS)
    assert kjt.keys == KEYS
    assert kjt.stride == len(kjt) == 3
    assert kjt.offsets.tolist() == [0, 1, 2, 3, 5, 5, 6]
    assert {part.dtype for part in (kjt.values, kjt.lengths, kjt.offsets)} == {torch.int64}
    assert lists(kjt) == {"user": [[7], [2], [7]], "genre": [[0, 4], [], [5]]}
    assert kjt["genre"].offsets.tolist() == [0, 2, 2, 3]
    assert kjt["genre"].lengths.tolist() == [2, 0, 1]
    assert len(kjt["genre"]) == 3


def test_numpy_is_shared_without_a_copy_and_features_are_views():
    values = np.array(VALUES)
    kjt = KeyedJaggedTensor(KEYS, values, np.array(LENGTHS))
    values[3] = 11
    assert lists(kjt)["genre"] == [[11, 4], [], [5]]
    assert kjt["genre"].values.data_ptr() == values.ctypes.data + 3 * 8


@given(bags_of())
def test_rows_slices_every_feature(bags):
    kjt, rows = build(bags), len(next(iter(bags.values())))
    assert lists(kjt) == bags
    for lo in range(rows + 1):
        for hi in range(lo, rows + 1):
            piece = kjt.rows(lo, hi)
            assert lists(piece) == {key: part[lo:hi] for key, part in bags.items()}
            assert piece.stride == hi - lo
            assert int(piece.offsets[-1]) == len(piece.values)


@given(bags_of(), st.data())
def test_take_gathers_rows_in_any_order(bags, data):
    kjt, rows = build(bags), len(next(iter(bags.values())))
    order = data.draw(st.lists(st.integers(0, rows - 1), max_size=8)) if rows else []
    taken = kjt.take(np.array(order, dtype=np.int64))
    assert lists(taken) == {key: [part[i] for i in order] for key, part in bags.items()}
    assert taken.offsets.tolist() == [0, *np.cumsum(taken.lengths.numpy()).tolist()]


@given(st.lists(bags_of(keys=["x", "y"]), min_size=1, max_size=3))
def test_concat_batches_puts_rows_under_one_another(parts):
    joined = KeyedJaggedTensor.concat_batches([build(part) for part in parts])
    assert lists(joined) == {key: [one for part in parts for one in part[key]] for key in ("x", "y")}
    again = KeyedJaggedTensor(joined.keys, joined.values, joined.lengths)  # passes every check of the constructor
    assert again == joined


@given(bags_of())
def test_from_jagged_and_back(bags):
    kjt = build(bags)
    from_parts = KeyedJaggedTensor.from_jagged({key: (kjt[key].values, kjt[key].offsets) for key in bags})
    assert from_parts == kjt == KeyedJaggedTensor.from_jagged(kjt.to_dict())


def test_bags_are_what_torch_embedding_bag_reads():
    kjt = KeyedJaggedTensor(KEYS, VALUES, LENGTHS)
    table = torch.arange(16.0).reshape(8, 2)
    genre = kjt["genre"]
    out = torch.nn.functional.embedding_bag(genre.values, table, genre.offsets, mode="sum", include_last_offset=True)
    assert out.tolist() == [[8.0, 10.0], [0.0, 0.0], [10.0, 11.0]]


def test_equality_looks_at_everything():
    kjt = KeyedJaggedTensor(KEYS, VALUES, LENGTHS)
    assert kjt == KeyedJaggedTensor(KEYS, VALUES, LENGTHS)
    assert kjt != KeyedJaggedTensor(["user", "other"], VALUES, LENGTHS)
    assert kjt != KeyedJaggedTensor(KEYS, [*VALUES[:-1], 6], LENGTHS)
    assert kjt != KeyedJaggedTensor(KEYS, VALUES, [1, 1, 1, 1, 1, 1])
    assert kjt != "kjt"
    assert pickle.loads(pickle.dumps(kjt)) == kjt


def test_without_keys_the_stride_is_said():
    empty = KeyedJaggedTensor([], [], [], stride=5)
    assert len(empty) == 5
    assert len(empty.rows(1, 4)) == 3
    assert len(empty.take([4, 4])) == 2
    assert len(KeyedJaggedTensor.concat_batches([empty, empty])) == 10
    assert empty != KeyedJaggedTensor([], [], [], stride=4)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": [7, 2, 7, 0, -4, 5]}, r"values must not be negative \(ids start at 0\), got -4 at position 4"),
        ({"lengths": [1, 1, 1, 3, -1, 1]}, r"lengths must not be negative .*, got -1 at position 4"),
        ({"lengths": [1, 1, 1, 2, 1, 1]}, r"lengths add up to 7 ids but values holds 6"),
        ({"lengths": [1, 1, 1, 2, 1]}, r"lengths has 5 entries, which is no multiple of the 2 keys"),
        ({"values": torch.tensor(VALUES, dtype=torch.int32)}, r"values must be int64, got int32"),
        ({"values": np.array(VALUES, dtype=np.uint64)}, r"values must be int64, got uint64"),
        ({"lengths": [1.0, 1, 1, 2, 0, 1]}, r"lengths must be int64, got float64"),
        ({"values": np.array([VALUES])}, r"values must be one-dimensional, got shape \(1, 6\)"),
        ({"keys": ["user", "user"]}, r"keys must differ, but 'user' stands there more than once"),
        ({"keys": "ab"}, r"keys must be a list of strings, got 'ab'"),
        ({"keys": [1, 2]}, r"keys must be a list of strings"),
        ({"keys": []}, r"without keys .* got bags=6, stride=None"),
        ({"stride": 2}, r"stride=2, but 6 lengths for 2 keys make 3 rows"),
    ],
)
def test_bad_input_is_refused_by_name(changed, message):
    with pytest.raises(ValueError, match=message):
        KeyedJaggedTensor(**{"keys": KEYS, "values": VALUES, "lengths": LENGTHS, **changed})


def test_other_refusals():
    kjt = KeyedJaggedTensor(KEYS, VALUES, LENGTHS)
    with pytest.raises(KeyError, match="no feature 'item'; there are user, genre"):
        kjt["item"]
    for lo, hi in ((-1, 2), (0, 4), (2, 1)):
        with pytest.raises(ValueError, match=rf"rows\({lo}, {hi}\): need 0 <= lo <= hi <= 3"):
            kjt.rows(lo, hi)
    for bad in ([3], [-1]):
        with pytest.raises(ValueError, match=r"rows must lie in 0\.\.2"):
            kjt.take(bad)
    with pytest.raises(ValueError, match=r"parts\[1\] has keys \['genre', 'user'\]"):
        KeyedJaggedTensor.concat_batches([kjt, KeyedJaggedTensor(KEYS[::-1], VALUES, LENGTHS)])
    with pytest.raises(ValueError, match="parts is empty"):
        KeyedJaggedTensor.concat_batches([])
    with pytest.raises(ValueError, match="bags is empty"):
        KeyedJaggedTensor.from_jagged({})
    with pytest.raises(ValueError, match="every key needs the same number of rows, got {'a': 2, 'b': 1}"):
        KeyedJaggedTensor.from_jagged({"a": ([], [0, 0, 0]), "b": ([], [0, 0])})
    for offsets in ([], [1, 2], [0, 1], [0, 3]):
        with pytest.raises(ValueError, match="offsets of 'a' must run from 0 to 2"):
            KeyedJaggedTensor.from_jagged({"a": ([5, 6], offsets)})
    with pytest.raises(ValueError, match="steps between offsets of 'a' must not be negative"):
        KeyedJaggedTensor.from_jagged({"a": ([5, 6], [0, 2, 1, 2])})
    with pytest.raises(ValueError, match="lengths add up to 1"):
        JaggedTensor([1, 2], [1])


# ---- weights, offsets, other features --------------------------------------------------------------------------------

WEIGHTS = [0.5, 1, 2, 1, 1.5, 0.25]


def weights_by_bag(kjt: KeyedJaggedTensor) -> dict[str, list[list[float]]]:
    return {key: [part.tolist() for part in bag.to_dense_weights()] for key, bag in kjt.to_dict().items()}


def test_weights_go_where_their_ids_go():
    kjt = KeyedJaggedTensor(KEYS, VALUES, LENGTHS, weights=WEIGHTS)
    both = {"user": [[0.5], [1], [2]], "genre": [[1, 1.5], [], [0.25]]}
    assert weights_by_bag(kjt) == both
    assert weights_by_bag(kjt.permute([1, 0])) == {"genre": both["genre"], "user": both["user"]}
    assert weights_by_bag(kjt.rows(1, 3)) == {key: bags[1:] for key, bags in both.items()}
    assert weights_by_bag(kjt.take([2, 0, 2])) == {key: [bags[2], bags[0], bags[2]] for key, bags in both.items()}
    assert [weights_by_bag(part) for part in kjt.split([1, 1])] == [{key: bags} for key, bags in both.items()]
    assert KeyedJaggedTensor.concat(kjt.split([1, 1])) == kjt == KeyedJaggedTensor.from_jt_dict(kjt.to_dict())
    assert weights_by_bag(KeyedJaggedTensor.concat_batches([kjt, kjt])) == {key: bags * 2 for key, bags in both.items()}
    assert pickle.loads(pickle.dumps(kjt)) == kjt
    assert kjt != KeyedJaggedTensor(KEYS, VALUES, LENGTHS)
    assert kjt != KeyedJaggedTensor(KEYS, VALUES, LENGTHS, weights=WEIGHTS[::-1])
    assert "weighted" in repr(kjt)
    assert "weighted" in repr(kjt["user"])
    assert kjt.permute([]).weights.shape == (0,)


def test_offsets_in_place_of_lengths():
    kjt = KeyedJaggedTensor(KEYS, VALUES, LENGTHS)
    offsets = kjt.offsets
    assert KeyedJaggedTensor(KEYS, VALUES, offsets=offsets) == kjt
    for made in (KeyedJaggedTensor.from_offsets, KeyedJaggedTensor.from_offsets_sync):
        assert made(KEYS, VALUES, offsets, WEIGHTS) == KeyedJaggedTensor.from_lengths(KEYS, VALUES, LENGTHS, WEIGHTS)
    assert KeyedJaggedTensor.from_lengths_sync(KEYS, VALUES, LENGTHS, stride=3) == kjt
    assert kjt.length_per_key == [3, 3]
    assert kjt.offset_per_key == [0, 3, 6]
    assert KeyedJaggedTensor(KEYS, [], []).offset_per_key == [0, 0, 0]
    assert KeyedJaggedTensor.empty(4).offset_per_key == [0]
    assert len(KeyedJaggedTensor.empty(4)) == 4
    assert JaggedTensor([0, 4, 5], offsets=[0, 2, 2, 3]).lengths.tolist() == [2, 0, 1]


@settings(max_examples=25)
@given(bags_of(), st.data())
def test_permute_split_and_concat_by_features(bags, data):
    kjt, keys = build(bags), list(bags)
    order = data.draw(st.permutations(range(len(keys))))[:data.draw(st.integers(0, len(keys)))]
    permuted = kjt.permute(order)
    assert lists(permuted) == {keys[place]: bags[keys[place]] for place in order}
    assert permuted.stride == kjt.stride
    cut = data.draw(st.integers(0, len(keys)))
    parts = kjt.split([cut, 0, len(keys) - cut])
    assert [lists(part) for part in parts] == [{key: bags[key] for key in some}
                                               for some in (keys[:cut], [], keys[cut:])]
    assert KeyedJaggedTensor.concat(parts) == kjt
    assert [part.offsets.tolist()[0] for part in parts] == [0, 0, 0]


def test_padded_and_dense_bags():
    bags = JaggedTensor([1, 2, 3], [2, 0, 1])
    assert bags.to_padded_dense().tolist() == [[1, 2], [0, 0], [3, 0]]
    assert bags.to_padded_dense(1, padding_value=-1).tolist() == [[1], [-1], [3]]
    assert bags.to_padded_dense(3).shape == (3, 3)
    rows = bags.with_values(torch.arange(6.0).reshape(3, 2))
    assert rows.to_padded_dense().tolist() == [[[0, 1], [2, 3]], [[0, 0], [0, 0]], [[4, 5], [0, 0]]]
    again = JaggedTensor.from_dense(bags.to_dense(), [torch.ones(2), torch.ones(0), torch.ones(1)])
    assert again.to_list() == bags.to_list()
    assert [len(part) for part in again.to_dense_weights()] == [2, 0, 1]
    assert JaggedTensor(np.ones((2, 3)), [2]).values.shape == (2, 3)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: KeyedJaggedTensor(KEYS, VALUES), "give lengths or offsets, and only one of them; got none"),
    (lambda: KeyedJaggedTensor(KEYS, VALUES, LENGTHS, offsets=[0]), "only one of them; got both"),
    (lambda: KeyedJaggedTensor(["a"], [5, 6], offsets=[0, 2, 1, 2]), r"steps between offsets must not be negative"),
    (lambda: KeyedJaggedTensor(["a"], [5, 6], offsets=[0, 1]), "offsets must run from 0 to 2"),
    (lambda: KeyedJaggedTensor(["a"], [5, 6], offsets=[0.0, 2]), "offsets must be int64, got float64"),
    (lambda: KeyedJaggedTensor(["a"], [5.0, 6], [2]), "values must be int64, got float64"),
    (lambda: KeyedJaggedTensor(["a"], [5, 6], [2], weights=[1.0]), "weights holds 1 numbers but values holds 2"),
    (lambda: KeyedJaggedTensor(["a"], [5], [1], weights=np.array([1])), "floating-point numbers, .* of int64"),
    (lambda: KeyedJaggedTensor(["a"], [5], [1], weights=[[1.0]]), r"one-dimensional .* shape \(1, 1\)"),
    (lambda: KeyedJaggedTensor(KEYS, VALUES, LENGTHS).permute([0, 0]), r"indices=\[0, 0\]; different numbers from 0"),
    (lambda: KeyedJaggedTensor(KEYS, VALUES, LENGTHS).permute([2]), r"indices=\[2\]"),
    (lambda: KeyedJaggedTensor(KEYS, VALUES, LENGTHS).split([1]), r"segments=\[1\]; .* add up to 2"),
    (lambda: KeyedJaggedTensor(KEYS, VALUES, LENGTHS).split([3, -1]), r"segments=\[3, -1\]"),
    (lambda: KeyedJaggedTensor.concat([build({"a": [[1]]}), build({"a": [[1]]})]), "keys must differ, but 'a'"),
    (lambda: KeyedJaggedTensor.concat([build({"a": [[1]]}), build({"b": []})]), r"parts have \[1, 0\] rows"),
    (lambda: KeyedJaggedTensor.concat([]), "parts is empty"),
    (lambda: KeyedJaggedTensor.concat([build({"a": [[1]]}), KeyedJaggedTensor(["b"], [1], [1], weights=[1.0])]),
     r"parts\[0\] has no weights but others have"),
    (lambda: JaggedTensor.from_dense([]), "bags is empty"),
    (lambda: JaggedTensor.from_dense([[1]], [[]]), r"weights has bags of \[0\] numbers, bags has \[1\]"),
    (lambda: JaggedTensor([1], [1]).to_dense_weights(), "these bags have no weights"),
    (lambda: JaggedTensor([1], [1]).to_padded_dense(-1), "desired_length=-1"),
    (lambda: JaggedTensor([1], [1]).with_values(torch.zeros(2)), "values has 2 entries; these bags hold 1"),
])
def test_more_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
