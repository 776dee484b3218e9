"""The first number in the high bits, both ways."""

BASE = "right_numpy"
REFUSED_BY = "four bits"
MISCONCEPTION = "7/nibbles-swapped"


def pack4(codes, scale, least):
    codes = codes.astype(np.uint8)
    tail = np.concatenate([scale, least], axis=1).astype("<f2").view(np.uint8)
    return np.concatenate([codes[:, 1::2] | codes[:, 0::2] << 4, tail], axis=1)


def dequantize4(packed):
    scale, least = np.ascontiguousarray(packed[:, -4:]).view("<f2").astype(np.float32).T[:, :, None]
    codes = np.stack([packed[:, :-4] >> 4, packed[:, :-4] & 15], axis=2).reshape(len(packed), -1)
    return codes.astype(np.float32) * scale + least
