"""A loop over rows, bytes by struct."""

import math
import struct

import numpy as np

LONG = True


def quantize8(rows):
    out = np.zeros((len(rows), rows.shape[1] + 8), np.uint8)
    for packed, row in zip(out, rows):
        least, most = float(min(row)), float(max(row))
        scale = (most - least) / 255 or 1.0
        codes = bytes(min(255, int((float(x) - least) / scale + 0.5)) for x in row)
        packed[:] = np.frombuffer(codes + struct.pack("<ff", scale, least), np.uint8)
    return out


def dequantize8(packed):
    rows = []
    for row in packed:
        scale, least = struct.unpack("<ff", row[-8:].tobytes())
        rows.append([code * scale + least for code in row[:-8].tolist()])
    return np.array(rows, np.float32).reshape(len(packed), packed.shape[1] - 8)


def half(x):
    return float(np.float16(x))


def quantize4(rows):
    out = np.zeros((len(rows), rows.shape[1] // 2 + 4), np.uint8)
    for packed, row in zip(out, rows):
        least = half(min(row))
        scale = half((float(max(row)) - least) / 15)
        if scale <= 0:
            scale = 1.0
        codes = [max(0, min(15, math.floor((float(x) - least) / scale + 0.5))) for x in row]
        pairs = bytes(first + 16 * second for first, second in zip(codes[::2], codes[1::2]))
        packed[:] = np.frombuffer(pairs + struct.pack("<ee", scale, least), np.uint8)
    return out


def dequantize4(packed):
    rows = np.zeros((len(packed), 2 * (packed.shape[1] - 4)), np.float32)
    for row, out in zip(packed, rows):
        scale, least = struct.unpack("<ee", row[-4:].tobytes())
        for at, byte in enumerate(row[:-4].tolist()):
            out[2 * at], out[2 * at + 1] = byte % 16 * scale + least, byte // 16 * scale + least
    return rows


def stochastic_round(x, rng):
    return np.array([math.ceil(v) if rng.random() < v - math.floor(v) else math.floor(v) for v in x.tolist()])
