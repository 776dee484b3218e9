"""A truth value of numpy's, and the rule turned round."""

import numpy as np

LONG = True


def may_begin(commits, me, s):
    lead = commits[me] - np.asarray(commits)
    return lead.max() <= s
