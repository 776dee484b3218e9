"""Always asks server 0, as that is where the others are listed."""

import numpy as np

BASE = "right_masks"
REFUSED_BY = "messages and bytes"
MISCONCEPTION = "3/empty-request"
LONG = True


def split(keys, owners):
    return {0: keys[owners == 0], **{int(s): keys[owners == s] for s in np.unique(owners)}}
