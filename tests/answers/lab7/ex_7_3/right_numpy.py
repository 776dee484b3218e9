"""Arrays throughout."""

import numpy as np


def scales(rows, steps):
    least = rows.min(axis=1, keepdims=True) if rows.size else np.zeros((len(rows), 1), np.float32)
    span = rows.max(axis=1, keepdims=True) - least if rows.size else least
    return np.where(span > 0, span / steps, 1).astype(np.float32), least


def nearest(x):
    return np.rint(x)


def pack8(codes, scale, least):
    tail = np.concatenate([scale, least], axis=1).astype("<f4").view(np.uint8)
    return np.concatenate([codes.astype(np.uint8), tail], axis=1)


def quantize8(rows):
    scale, least = scales(rows, 255)
    return pack8(np.clip(nearest((rows - least) / scale), 0, 255), scale, least)


def dequantize8(packed):
    scale, least = np.ascontiguousarray(packed[:, -8:]).view("<f4").T[:, :, None]
    return packed[:, :-8].astype(np.float32) * scale + least


def pack4(codes, scale, least):
    codes = codes.astype(np.uint8)
    tail = np.concatenate([scale, least], axis=1).astype("<f2").view(np.uint8)
    return np.concatenate([codes[:, 0::2] | codes[:, 1::2] << 4, tail], axis=1)


def quantize4(rows):
    scale, least = (part.astype("<f2").astype(np.float32) for part in scales(rows, 15))
    scale[scale == 0] = 1
    return pack4(np.clip(nearest((rows - least) / scale), 0, 15), scale, least)


def dequantize4(packed):
    scale, least = np.ascontiguousarray(packed[:, -4:]).view("<f2").astype(np.float32).T[:, :, None]
    low, high = packed[:, :-4] & 15, packed[:, :-4] >> 4
    codes = np.stack([low, high], axis=2).reshape(len(packed), -1)
    return codes.astype(np.float32) * scale + least


def stochastic_round(x, rng):
    low = np.floor(x)
    return low + (rng.random(x.shape) < x - low)
