"""Minimum, then scale."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/scale-and-minimum-exchanged"
LONG = True


def pack8(codes, scale, least):
    tail = np.concatenate([least, scale], axis=1).astype("<f4").view(np.uint8)
    return np.concatenate([codes.astype(np.uint8), tail], axis=1)


def dequantize8(packed):
    least, scale = np.ascontiguousarray(packed[:, -8:]).view("<f4").T[:, :, None]
    return packed[:, :-8].astype(np.float32) * scale + least
