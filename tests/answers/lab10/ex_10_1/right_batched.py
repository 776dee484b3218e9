"""All products by one batched product, the lower triangle."""

import torch


def dot_interaction(dense, bags):
    v = torch.cat([dense.unsqueeze(1), bags], 1)
    gram = v @ v.transpose(1, 2)
    return torch.cat([dense, chosen(gram)], 1)


def chosen(gram):
    i, j = torch.tril_indices(gram.shape[1], gram.shape[1], -1)
    return gram[:, i, j]
