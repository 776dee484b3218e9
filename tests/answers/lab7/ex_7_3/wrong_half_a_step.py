"""Half a step more, to be fair."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/wrong-number"
LONG = True


def dequantize8(packed):
    scale, least = np.ascontiguousarray(packed[:, -8:]).view("<f4").T[:, :, None]
    return (packed[:, :-8].astype(np.float32) + 0.5) * scale + least
