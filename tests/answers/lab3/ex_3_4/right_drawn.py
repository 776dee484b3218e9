"""Draws a permutation of the servers for the free reads; tensors."""

import torch

LONG = True


def hottest(reads, h):
    keys, counts = torch.unique(torch.as_tensor(reads), return_counts=True)
    return keys[torch.sort(-counts, stable=True).indices][:h]


def route_reads(keys, owners, hot, num_servers):
    free = torch.isin(torch.as_tensor(keys), torch.as_tensor(hot))
    n = int(free.sum())
    dealt = torch.arange(n) % num_servers
    servers = torch.as_tensor(owners).clone()
    servers[free] = dealt[torch.randperm(n)]
    return servers


def route_writes(keys, owners, hot, num_servers):
    free = torch.isin(torch.as_tensor(keys), torch.as_tensor(hot))
    return {server: torch.nonzero(free | (torch.as_tensor(owners) == server)).flatten().tolist()
            for server in range(num_servers)}
