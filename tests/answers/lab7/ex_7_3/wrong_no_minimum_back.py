"""The minimum is not added."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/minimum-forgotten"
LONG = True


def dequantize8(packed):
    scale, _ = np.ascontiguousarray(packed[:, -8:]).view("<f4").T[:, :, None]
    return packed[:, :-8].astype(np.float32) * scale
