"""Scale and minimum first."""

BASE = "right_numpy"
REFUSED_BY = "eight bits"
MISCONCEPTION = "7/scale-in-front"
LONG = True


def pack8(codes, scale, least):
    tail = np.concatenate([scale, least], axis=1).astype("<f4").view(np.uint8)
    return np.concatenate([tail, codes.astype(np.uint8)], axis=1)
