"""All workers at once."""


def easgd_step(locals_, centre, alpha):
    pull = alpha * (locals_ - centre)
    return locals_ - pull, centre + pull.sum(axis=0)


def alpha_limit(K):
    return 2 / (K + 1)
