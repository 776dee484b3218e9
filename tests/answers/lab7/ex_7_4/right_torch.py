"""Autograd finds both gradients."""

import math

import torch

LONG = True


def qr_shapes(R, m):
    return [m, math.ceil(R / m)]


def qr_lookup(ids, remainders, quotients):
    ids, a, b = (torch.as_tensor(part) for part in (ids, remainders, quotients))
    return torch.nn.functional.embedding(ids % len(a), a) * torch.nn.functional.embedding(ids // len(a), b)


def qr_backward(ids, grad, remainders, quotients):
    a, b = torch.tensor(remainders, requires_grad=True), torch.tensor(quotients, requires_grad=True)
    qr_lookup(ids, a, b).backward(torch.tensor(grad))
    return a.grad, b.grad


def qr_wire_bytes(n, D):
    return 2 * (n * D * torch.tensor(0.0).element_size())
