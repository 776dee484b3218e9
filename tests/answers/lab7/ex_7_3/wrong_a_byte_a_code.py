"""Four bits in eight."""

BASE = "right_numpy"
REFUSED_BY = "bytes of a row"
MISCONCEPTION = "7/one-code-a-byte"
LONG = True


def pack4(codes, scale, least):
    tail = np.concatenate([scale, least], axis=1).astype("<f2").view(np.uint8)
    return np.concatenate([codes.astype(np.uint8), tail], axis=1)
