"""Handwritten digits, 8 × 8 pixels: 1,797 pictures that come with scikit-learn.

    pixels (n, 64) float32 in 0..1        labels (n,) int64 in 0..9        four in five to train on, the rest to test on

The pictures are the test part of UCI's "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak 1998, CC BY
4.0). They are read from an installed scikit-learn; without it, digits of a printed alphabet are made, moved about and
made noisy, and the note says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pslab.data.feeding import _check_count
from pslab.data.folders import MissingData

NAMES = ("auto", "digits", "made")
_ROWS, _TRAIN = 1797, 1437
# Five rows of three pixels a digit, as on a pocket calculator; 0 to 9.
_GLYPHS = ("111101101101111", "010110010010111", "111001111100111", "111001111001111", "101101111001001",
           "111100111001111", "111100111101111", "111001010010010", "111101111101111", "111101111001111")


@dataclass(frozen=True)
class Pictures:
    """pixels (n, 64) float32 in 0..1, row by row; labels (n,) int64 in 0..9."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows) -> Pictures:
        """Those pictures: a slice, or numbers."""
        return Pictures(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True)
class DigitData:
    """Pictures to train on and to test on. made: whether they stand in for real ones; note says where from."""

    name: str
    train: Pictures
    test: Pictures
    made: bool
    note: str


def digit_data(name: str = "auto", seed: int = 0) -> DigitData:
    """"digits" from scikit-learn; "made" from the seed; "auto": scikit-learn's where it is installed, else made.

    Which fifth is test is drawn once and for all, from a seed of its own. ValueError for another name; MissingData
    (a ValueError) where "digits" is asked for and scikit-learn is not installed.
    """
    if name not in NAMES:
        raise ValueError(f"data={name!r}; allowed: {', '.join(NAMES)}")
    _check_count("seed", seed, 0)
    why = ""
    if name != "made":
        found = _sklearn_digits()
        if found is not None:
            return _split("digits", *found, False, "digits of scikit-learn")
        why = "scikit-learn is not installed (`pip install scikit-learn`)"
        if name == "digits":
            raise MissingData(f"the digits come with scikit-learn: {why}")
    return _split("made digits", *_made(seed), True,
                  f"digits of a printed alphabet, made from seed {seed}" + (f"; not handwritten: {why}" if why else ""))


def _sklearn_digits() -> tuple[np.ndarray, np.ndarray] | None:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        return None
    pixels, labels = load_digits(return_X_y=True)
    return (pixels / 16).astype(np.float32), labels.astype(np.int64)


def _split(name: str, pixels: np.ndarray, labels: np.ndarray, made: bool, note: str) -> DigitData:
    order = np.random.default_rng(64).permutation(len(labels))
    pictures = Pictures(pixels, labels)
    train, test = pictures[order[:_TRAIN]], pictures[order[_TRAIN:]]
    return DigitData(name, train, test, made,
                     f"{note}: {len(train)} pictures to train on, {len(test)} to test on")


def _made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Each glyph, twice as wide, at one of 2 × 2 places of the picture, with uneven ink, and noise everywhere."""
    rng = np.random.default_rng([seed, 64])
    labels = np.arange(_ROWS) % 10
    glyphs = np.array([[int(bit) for bit in glyph] for glyph in _GLYPHS], np.float32)
    glyphs = glyphs.reshape(10, 5, 3).repeat(2, axis=2)
    pixels = np.zeros((_ROWS, 8, 8), np.float32)
    down, right = rng.integers(1, 3, _ROWS), rng.integers(0, 2, _ROWS)
    for i, label in enumerate(labels):
        pixels[i, down[i]:down[i] + 5, right[i]:right[i] + 6] = glyphs[label] * rng.uniform(0.5, 1.0, (5, 6))
    pixels += rng.normal(0, 0.1, pixels.shape).astype(np.float32)
    return np.clip(pixels, 0, 1).reshape(_ROWS, 64), labels.astype(np.int64)
