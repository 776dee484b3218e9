"""Codes as int8."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/codes-are-signed"
LONG = True


def dequantize8(packed):
    scale, least = np.ascontiguousarray(packed[:, -8:]).view("<f4").T[:, :, None]
    return packed[:, :-8].view(np.int8).astype(np.float32) * scale + least
