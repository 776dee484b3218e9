"""7.3: rows of eight and of four bits, each with a scale and a minimum of its own, in FBGEMM's layout.

    int8   | code 0 | code 1 | … | code D-1 | scale, float32 | minimum, float32 |          D + 8 bytes
    int4   | 1 0 | 3 2 | … | scale, float16 | minimum, float16 |                            D/2 + 4 bytes
             └ the first number in the low four bits, the second in the high ones

    scale = (max − min) / 255 or / 15        code = nearest to (x − min) / scale        x ≈ code · scale + min

Which code a number halfway between two gets is nobody's matter here: judged are size, layout and error.
"""

from __future__ import annotations

import numpy as np

from pslab.grade import Case, Criterion, Exercise, Verdict

from .lab7_codes_texts import MISCONCEPTIONS
from .lab7_common import FORBIDDEN, first_of, numbers, short
from .lab7_programs import rounded

NAMES = ("quantize8", "dequantize8", "quantize4", "dequantize4", "stochastic_round")
LEVELS, SCALE_BYTES = {8: 255, 4: 15}, {8: 4, 4: 2}
FLOAT = {8: np.dtype("<f4"), 4: np.dtype("<f2")}
DRAWS, SIGMAS = 10_000, 5


# ---- references -----------------------------------------------------------------------------------------------------


def width(bits: int, D: int) -> int:
    return D * bits // 8 + 2 * SCALE_BYTES[bits]


def codes_of(packed: np.ndarray, bits: int, D: int, swapped: bool = False) -> np.ndarray:
    """(n, D) codes of packed rows."""
    codes = packed[:, :D * bits // 8]
    if bits == 8:
        return codes.astype(np.int64)
    low, high = codes & 15, codes >> 4
    return np.stack([high, low] if swapped else [low, high], axis=2).reshape(len(packed), D).astype(np.int64)


def tail_of(packed: np.ndarray, bits: int, D: int) -> np.ndarray:
    """(n, 2): scale and minimum, as float64."""
    tail = np.ascontiguousarray(packed[:, D * bits // 8:])
    with np.errstate(invalid="ignore"):                  # any bytes may come, those of no number too
        return tail.view(FLOAT[bits]).astype(np.float64)


def decoded(packed: np.ndarray, bits: int, D: int, how: str = "") -> np.ndarray:
    """(n, D) float64: what packed rows mean, or mean to somebody who reads them in another way."""
    codes = codes_of(packed, bits, D, swapped=how == "7/nibbles-swapped")
    if how == "7/scale-in-front":
        packed = np.concatenate([packed[:, 2 * SCALE_BYTES[bits]:], packed[:, :2 * SCALE_BYTES[bits]]], axis=1)
        codes = codes_of(packed, bits, D)
    scale, least = tail_of(packed, bits, D).T[:, :, None]
    if how == "7/codes-are-signed":
        codes = codes - (LEVELS[bits] + 1) * (codes > LEVELS[bits] // 2)
    if how == "7/scale-and-minimum-exchanged":
        scale, least = least, scale
    return codes * scale + (0 if how == "7/minimum-forgotten" else least)


def packed_rows(rng, bits: int, n: int, D: int) -> np.ndarray:
    """Rows packed as they should be, from codes that are drawn."""
    codes = rng.integers(0, LEVELS[bits] + 1, (n, D)).astype(np.uint8)
    if bits == 4:
        codes = codes[:, 0::2] | codes[:, 1::2] << 4
    tail = np.stack([rng.uniform(0.01, 2, n), rng.uniform(-9, 9, n)], axis=1).astype(FLOAT[bits])
    return np.concatenate([codes, tail.view(np.uint8).reshape(n, 2 * SCALE_BYTES[bits])], axis=1)


def bound(rows: np.ndarray, bits: int) -> np.ndarray:
    """(n, 1): half a step, and for four bits what float16 makes of scale and minimum; float32 leaves a little, too."""
    low, high = rows.min(axis=1, keepdims=True).astype(float), rows.max(axis=1, keepdims=True).astype(float)
    size = np.abs(low) + 2 * (high - low)
    return (high - low) / LEVELS[bits] / 2 + size * (2.0 ** -11 if bits == 4 else 2.0 ** -21) + (bits == 4) * 2.0 ** -23


# ---- rows -----------------------------------------------------------------------------------------------------------


def tables(rng) -> dict[str, np.ndarray]:
    """{label: rows (n, D) float32}: of different sizes and places, so that one scale for all shows."""
    def drawn(n, D, scale=1.0, shift=0.0):
        return (rng.normal(size=(n, D)) * scale * 10.0 ** rng.uniform(-2, 1, (n, 1)) + shift).astype(np.float32)

    return {"six rows of 12": drawn(6, 12), "rows far from zero": drawn(5, 16, 0.5, 20.0), "one row of 4": drawn(1, 4),
            "rows of 64": drawn(9, 64, 0.1)}


def constants(rng) -> np.ndarray:
    """Rows in which all numbers are the same: such that float16 holds them, zero and a large one among them."""
    values = np.concatenate([[0.0, 1.0, -3.0, 0.5, 1024.0], rng.integers(-200, 200, 4) / 16])
    return np.repeat(values[:, None], 12, axis=1).astype(np.float32)


# ---- judges ---------------------------------------------------------------------------------------------------------


def _packed(answers, bits: int, rows: np.ndarray, where: str):
    """(packed (n, width) uint8, None), or (None, what is wrong with its form)."""
    n, D = rows.shape
    value = numbers(answers.call(f"quantize{bits}", rows))
    need = f"({n}, {width(bits, D)}) uint8: {D * bits // 8} bytes of codes, {2 * SCALE_BYTES[bits]} of scale, minimum"
    if value is None or value.ndim != 2 or value.dtype != np.uint8 or len(value) != n:
        said = short(value) if value is None else f"{value.shape} {value.dtype}"
        return None, Verdict(False, need, said, where, "all/bad-value")
    if value.shape[1] != width(bits, D):
        why = {D * bits // 8: "7/no-scale-kept", D + 2 * SCALE_BYTES[bits]: "7/one-code-a-byte",
               D * bits // 8 + 8: "7/wide-scales"}.get(value.shape[1], "7/wrong-width")
        return None, Verdict(False, need, f"{value.shape[1]} bytes a row", where, why, ratio=None)
    return value, None


def widths(answers, case: Case) -> Verdict:
    for where, rows in tables(case.rng).items():
        for bits in (8, 4):
            _, wrong = _packed(answers, bits, rows, f"quantize{bits}, {where}")
            if wrong:
                return wrong
    return Verdict(True, seen="D + 8 and D/2 + 4 bytes a row")


def within_half_a_step(bits: int):
    """A judge of quantize, read by the layout, and of dequantize, given rows packed by the layout."""
    def judge(answers, case: Case) -> Verdict:
        for label, rows in tables(case.rng).items():
            where, D = f"quantize{bits}, {label}", rows.shape[1]
            packed, wrong = _packed(answers, bits, rows, where)
            if wrong:
                return wrong
            error = np.abs(decoded(packed, bits, D) - rows)
            if not (error <= bound(rows, bits)).all():
                row, at = np.argwhere(~(error <= bound(rows, bits)))[0].tolist()
                return Verdict(False, f"codes · scale + minimum within {bound(rows, bits)[row, 0]:.4g} of the number",
                               f"{decoded(packed, bits, D)[row, at]:.6g} for {rows[row, at]:.6g}",
                               f"{where}; row {row}, number {at}", _why_far(packed, rows, bits))
            given = packed_rows(case.rng, bits, len(rows), D)
            back = numbers(answers.call(f"dequantize{bits}", given))
            if back is None or back.shape != rows.shape or back.dtype.kind != "f":
                said = short(back) if back is None else f"{back.shape} {back.dtype}"
                return Verdict(False, f"{rows.shape} float32", said, f"dequantize{bits}, {label}", "all/bad-value")
            right = decoded(given, bits, D)
            tolerance = 2.0 ** -9 if bits == 4 else 1e-4                # products in float16 or float32 both pass
            far = ~(np.abs(back - right) <= tolerance * np.maximum(1, np.abs(right)))
            if far.any():
                row, at = np.argwhere(far)[0].tolist()
                ways = ("7/nibbles-swapped", "7/scale-and-minimum-exchanged", "7/minimum-forgotten",
                        "7/codes-are-signed")
                with np.errstate(all="ignore"):
                    why = next((way for way in ways[bits == 8:] if np.allclose(back, decoded(given, bits, D, way),
                                                                               rtol=1e-3, atol=1e-3)), "7/wrong-number")
                return Verdict(False, f"{right[row, at]:.6g}", f"{back[row, at]:.6g}",
                               f"dequantize{bits}, {label}; row {row}, number {at}", why)
        return Verdict(True, seen=f"every number within half a step, at {bits} bits")
    return judge


def _why_far(packed, rows, bits) -> str:
    """Which slip packs rows like this."""
    D, limit = rows.shape[1], bound(rows, bits)
    with np.errstate(all="ignore"):
        for way in ("7/nibbles-swapped", "7/scale-and-minimum-exchanged", "7/scale-in-front"):
            if way == "7/nibbles-swapped" and bits == 8:
                continue
            if (np.abs(decoded(packed, bits, D, way) - rows) <= limit).all():
                return way
        scale = tail_of(packed, bits, D)[:, 0]
        if len(rows) > 1 and np.ptp(scale) == 0:
            return "7/one-scale-for-all"
        span = np.ptp(rows.astype(float), axis=1)
        largest = np.abs(rows).max(axis=1)
        if np.allclose(scale * (LEVELS[bits] + 1), span, rtol=1e-3):
            return "7/a-step-too-many"
        if any(np.allclose(scale * steps, largest, rtol=1e-3) for steps in (LEVELS[bits], LEVELS[bits] // 2)):
            return "7/no-minimum"
        off = decoded(packed, bits, D) - rows
        if (off <= limit).all() and (np.abs(off) <= 2.05 * limit).all():
            return "7/rounded-down"
    return "7/wrong-codes"


def constant_rows(answers, case: Case) -> Verdict:
    rows = constants(case.rng)
    for bits in (8, 4):
        packed, wrong = _packed(answers, bits, rows, f"quantize{bits}, constant rows")
        if wrong:
            return wrong
        for who, back in (("codes · scale + minimum", decoded(packed, bits, rows.shape[1])),
                          (f"dequantize{bits}", numbers(answers.call(f"dequantize{bits}", packed)))):
            if back is None or back.shape != rows.shape or not (back == rows).all():
                row = 0 if back is None or back.shape != rows.shape else int(np.argwhere(~(back == rows))[0, 0])
                said = short(back) if back is None or back.shape != rows.shape else f"{back[row, 0]:.6g}"
                return Verdict(False, f"{rows[row, 0]:g} exactly", f"{said} by {who}", f"quantize{bits}, a row of "
                               f"{rows.shape[1]} equal numbers", "7/scale-of-a-constant-row")
    return Verdict(True, seen=f"{len(rows)} rows of equal numbers, exact")


def by_chance(answers, case: Case) -> Verdict:
    """Whole numbers beside x only, and on average x: within five sigma of 10,000 draws."""
    values = [0.2, 0.5, 3.75, -1.3, -0.9, 12.0, -4.0, round(float(case.rng.uniform(-50, 50)), 3)]
    jobs = [(value, DRAWS, int(case.rng.integers(2**31))) for value in values]
    made = answers.run("stochastic_round", 1, jobs, within=rounded, trace=False).results[0]
    for value, seen in zip(values, made):
        where = f"{value}, rounded {DRAWS:,} times"
        if not isinstance(seen, np.ndarray) or seen.shape != (DRAWS,) or seen.dtype.kind not in "iuf":
            said = seen if isinstance(seen, str) else f"{seen.shape} {seen.dtype}"
            return Verdict(False, f"({DRAWS:,},) whole numbers", said, where, "all/bad-value")
        low = np.floor(value)
        strange = ~np.isin(seen, (low, np.ceil(value)))
        if strange.any():
            why = "7/not-a-whole-number" if (seen != np.round(seen)).any() else "7/further-than-the-neighbours"
            return Verdict(False, f"{low:g} or {np.ceil(value):g}", f"{seen[strange][0]:g}", where, why)
        p = value - low
        error, sigma = seen.mean() - value, np.sqrt(p * (1 - p) / DRAWS)
        if abs(error) > SIGMAS * sigma:
            ups = float((seen > low).mean())
            why = "7/rounded-to-the-nearest" if ups in (0.0, 1.0) and ups == float(p > 0.5) else \
                "7/always-the-same" if ups in (0.0, 1.0) else \
                "7/heads-or-tails" if abs(ups - 0.5) < 0.03 else "7/chance-exchanged" if abs(ups - 1 + p) < 0.03 else \
                "7/biased"
            expected = f"{value:g} on average, within {SIGMAS * sigma:.4f}"
            return Verdict(False, expected, f"{seen.mean():.4f}", where, why)
    return Verdict(True, seen=f"{len(values)} numbers, on average themselves")


CODES = Exercise(
    id="7.3", lab="7", title="Rows of eight and of four bits", names=NAMES,
    signature="def quantize8(rows (n, D) float32) -> (n, D + 8) uint8; def dequantize8(packed) -> (n, D) float32\n"
              "def quantize4(rows (n, D) float32) -> (n, D/2 + 4) uint8; def dequantize4(packed) -> (n, D) float32\n"
              "def stochastic_round(x (n,), rng: np.random.Generator) -> (n,) whole numbers",
    points=30, minutes=30, difficulty=4, core=False, prerequisites=("6",), forbidden=FORBIDDEN,
    goal="Each row has a scale, (max - min)/255 or /15, and its minimum; codes are the nearest whole numbers to "
         "(x - min)/scale. int8: D codes, then scale and minimum as float32. int4: two codes a byte, the first in the "
         "low four bits, then scale and minimum as float16. A row of equal numbers comes back exactly. "
         "stochastic_round: the whole number below x or above it, such that the mean is x.",
    example="row [0, 1, 2, 15] at 4 bits: codes 0 1 2 15, bytes 16 242, scale 1.0, minimum 0.0: 16 242 0 60 0 0",
    hints=(
        "min(axis=1, keepdims=True) gives each row its own. What is the scale of a row of equal numbers, and what do "
        "you divide by it? Any scale but 0 will do, for its codes are 0.",
        "Bytes of floats: scale.astype('<f4').view(np.uint8), (n, 1) becomes (n, 4); back with .view('<f4') on a "
        "contiguous array. Two codes: first | second << 4; back with byte & 15 and byte >> 4.",
        "int4: compute scale and minimum, make them float16, and take the codes with these rounded values, clipped to "
        "0 … 15. stochastic: low = np.floor(x); low + (rng.random(x.shape) < x - low).",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("bytes of a row", widths, 5),
        Criterion("eight bits", within_half_a_step(8), 7),
        Criterion("four bits", within_half_a_step(4), 7),
        Criterion("a constant row", constant_rows, 3),
        Criterion("rounding by chance", by_chance, 4),
        Criterion("other rows", first_of((within_half_a_step(8), within_half_a_step(4), constant_rows, by_chance),
                                         "other rows, both widths; other numbers by chance"), 4, hidden=True),
    ),
)
