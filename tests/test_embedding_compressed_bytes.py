"""int8 and int4 rows: FBGEMM's bytes, the stated bounds, and what is refused."""

import numpy as np
import pytest
import torch

from pslab.embedding.compressed import int4, int8

PACK = {int8: torch.ops.quantized.embedding_bag_byte_prepack, int4: torch.ops.quantized.embedding_bag_4bit_prepack}
UNPACK = {int8: torch.ops.quantized.embedding_bag_byte_unpack, int4: torch.ops.quantized.embedding_bag_4bit_unpack}
both = pytest.mark.parametrize("codec", [int8, int4], ids=["int8", "int4"])


def drawn(scale: float, dim: int, rows: int = 60) -> np.ndarray:
    """Rows around 0 and far from it, and constant ones."""
    rng = np.random.default_rng([dim, int(1 / scale * 1e6) % 2**31])
    rows = rng.standard_normal((rows, dim)) + rng.choice([0, 1, -5, 40], (rows, 1)) * rng.standard_normal((rows, 1))
    rows[3], rows[4], rows[5], rows[6] = rows[3, 0], 7, 0.1, 0
    return (rows * scale).astype(np.float32)


def test_the_layouts_byte_by_byte():
    # int8: span 255, so scale 1.0 = 00 00 80 3f; bias -1.0 = 00 00 80 bf, both little-endian.
    assert int8.encode(np.array([[-1, 254, 9.4, 0]], np.float32)).tolist() == [[0, 255, 10, 1, *b"\0\0\x80\x3f",
                                                                                *b"\0\0\x80\xbf"]]
    # int4: span 15, so scale 1.0 = 00 3c; bias 2.0 = 00 40; levels 0 15 1 9, even columns in the low nibbles.
    assert int4.encode(np.array([[2, 17, 3.2, 11]], np.float32)).tolist() == [[0xF0, 0x91, 0x00, 0x3C, 0x00, 0x40]]


@pytest.mark.parametrize("dim", [2, 6, 16, 64, 130])
@pytest.mark.parametrize("scale", [1e-9, 1e-6, 1e-4, 1e-2, 1.0, 30.0])
@both
def test_bytes_are_fbgemms(codec, scale, dim):
    rows = drawn(scale, dim)
    theirs = PACK[codec](torch.from_numpy(rows))
    ours = codec.encode(torch.from_numpy(rows))
    assert ours.dtype == torch.uint8
    assert ours.shape == (60, codec.row_bytes(dim))
    span = rows.max(axis=1) - rows.min(axis=1)
    same = (ours == theirs).all(dim=1).numpy()
    wide = np.ones(60, bool) if codec is int4 else (span >= int8.EPSILON_FROM) | (span == 0)
    assert same[wide].all()
    assert wide.any()
    assert torch.equal(ours[:, -8:], theirs[:, -8:]) or codec is int4            # scale and minimum, whatever the span
    torch.testing.assert_close(codec.decode(theirs), UNPACK[codec](theirs), rtol=0, atol=2.0**-22 * np.abs(rows).max())


def test_row_bytes():
    assert [int8.row_bytes(dim) for dim in (1, 16, 128)] == [9, 24, 136]
    assert [int4.row_bytes(dim) for dim in (2, 16, 128)] == [5, 12, 68]


@pytest.mark.parametrize("scale", [1e-40, 1e-9, 1e-7, 1e-5, 1e-3, 0.1, 10.0, 200.0])
@both
def test_no_value_is_off_by_more_than_the_bound(codec, scale):
    for dim in (2, 16, 66):
        rows = drawn(scale, dim)
        packed = codec.encode(rows)
        off = np.abs(codec.decode(packed).astype(np.float64) - rows).max(axis=1)
        assert (off <= codec.error_bound(rows, packed)).all()
        if codec is int8:                           # half a step, and next to nothing
            size = np.abs(rows.astype(np.float64)).max(axis=1)
            assert (off <= 0.503 * codec.scales(packed) + 4e-7 * size).all()
        else:                                       # in the words of the module: from the float16 of the two ends
            low, high = rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64)
            half = 2.0**-11
            ends = np.maximum(half * np.abs(low), 2.0**-25)
            ends += np.maximum(half * (high - low + half * np.abs(low)), 15 * 2.0**-25)
            assert (off <= (high - low) / 30 * (1 + half) + 2 * ends + 4e-7 * np.abs(rows).max(axis=1)).all()


def test_the_bounds_are_not_loose():
    rows = np.random.default_rng(0).standard_normal((400, 64)).astype(np.float32)
    for codec in (int8, int4):
        packed = codec.encode(rows)
        assert (np.abs(codec.decode(packed) - rows).max(axis=1) / codec.error_bound(rows, packed)).max() > 0.95


@both
def test_constant_rows(codec):
    held = np.repeat(np.array([0.0, -0.0, 1.0, -5.0, 0.25, 1024.0], np.float32)[:, None], 8, axis=1)
    assert np.array_equal(codec.decode(codec.encode(held)), held)       # numbers that float16 holds as well
    others = np.repeat(np.array([0.1, -0.3, 1e-3, 999.9, 3e4], np.float32)[:, None], 8, axis=1)
    got = codec.decode(codec.encode(others))
    if codec is int8:
        assert np.array_equal(got, others)
    else:
        assert (np.abs(got - others) <= np.maximum(2.0**-22 * np.abs(others), 15 * 2.0**-25)).all()


def test_rows_that_are_nearly_constant_keep_their_differences_in_int8():
    # FBGEMM's 1e-8 under the division would give all values of these rows but a few the lowest level.
    for span in (1e-9, 1e-12, 1e-30, 1e-38, 1e-44):
        rows = (np.linspace(0, 1, 256)[None] * span).astype(np.float32)
        packed = int8.encode(rows)
        assert np.abs(int8.decode(packed).astype(np.float64) - rows).max() <= int8.scales(packed)[0] * 0.501
    assert len(np.unique(int8.encode((np.linspace(0, 1, 256)[None] * 1e-9).astype(np.float32))[0, :256])) == 256


@both
def test_empty_and_single(codec):
    assert codec.encode(np.zeros((0, 4), np.float32)).shape == (0, codec.row_bytes(4))
    assert codec.decode(np.zeros((0, codec.row_bytes(4)), np.uint8)).shape == (0, 4)
    assert int8.decode(int8.encode(np.array([[3.5]], np.float32))).tolist() == [[3.5]]


@both
def test_what_is_refused(codec):
    rows = np.ones((5, 4), np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        rows[3, 2] = bad
        with pytest.raises(ValueError, match=f"row 3 holds {bad} in column 2"):
            codec.encode(rows)
    for rows in (np.ones((2, 4), np.int64), np.ones(4, np.float32), np.ones((2, 0), np.float32)):
        with pytest.raises(ValueError, match="floating point numbers"):
            codec.encode(rows)
    with pytest.raises(ValueError, match="row 1 holds inf"):            # too large for float32 itself
        codec.encode(np.array([[0, 0], [0, 1e39]]))
    for packed in (np.zeros((2, codec.EXTRA_BYTES), np.uint8), np.zeros((2, 20)), np.zeros(20, np.uint8)):
        with pytest.raises(ValueError, match="uint8 of shape"):
            codec.decode(packed)


def test_what_int4_and_int8_refuse_by_themselves():
    with pytest.raises(ValueError, match="dim=3; .* an even dim is needed"):
        int4.encode(np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"row 1 has a smallest value beyond float16"):
        int4.encode(np.array([[0, 1], [-70000, 0]], np.float32))
    with pytest.raises(ValueError, match=r"row 0 spans more than 15 steps"):
        int4.encode(np.array([[0, 1e6], [0, 1]], np.float32))
    with pytest.raises(ValueError, match=r"row 1 spans more than float32 can hold"):
        int8.encode(np.array([[0, 1], [-3e38, 3e38]], np.float32))
