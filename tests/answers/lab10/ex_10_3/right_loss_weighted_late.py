"""Sums travel, and are divided once at the end; chunks are sent in turns; rows leave as soon as they are there."""

import numpy as np
import torch

LONG = True


def swap(comm, parts, tag):
    K, me = comm.world_size, comm.rank
    turns = [(me + step) % K for step in range(1, K)]
    works = [comm.isend(np.ascontiguousarray(parts[q]), q, tag=tag) for q in turns]
    came = {me: parts[me], **{q: np.asarray(comm.recv(q, tag=tag)) for q in turns}}
    for work in works:
        work.wait()
    return [came[q] for q in range(K)]


def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    K, me, own = comm.world_size, comm.rank, table.numpy()
    ids, D = batch["ids"].numpy(), own.shape[1]
    unique, inverse = np.unique(ids, return_inverse=True)
    at = [np.flatnonzero(unique % K == q) for q in range(K)]
    asked = swap(comm, [unique[a] for a in at], 1)
    found = np.zeros((len(unique), D), np.float32)
    for a, part in zip(at, swap(comm, [own[i // K] for i in asked], 2)):
        found[a] = part
    loss = net.forward(dense, torch.from_numpy(found[inverse.reshape(-1)].reshape(*ids.shape, D)), batch)
    others = [(me + step) % K for step in range(1, K)]
    first, second, sends, went = {}, {}, [], None

    def halfway(name):
        chunks, coming = first[name]
        mine = chunks[me] + sum(work.wait() for work in coming)
        later = {q: comm.irecv(q, tag=101 + 2 * name) for q in others}
        sends.extend(comm.isend(mine, q, tag=101 + 2 * name) for q in others)
        second[name] = mine, later

    for name, grad in net.backward():
        if name == "rows":
            sums = np.zeros((len(unique), D), np.float32)
            np.add.at(sums, inverse.reshape(-1), grad.numpy().reshape(-1, D))
            row_recv = {q: comm.irecv(q, tag=3) for q in others}
            sends += [comm.isend(sums[at[q]], q, tag=3) for q in others]
            continue
        chunks = list(grad.tensor_split(K))
        coming = [comm.irecv(q, tag=100 + 2 * name) for q in others]
        sends += [comm.isend(chunks[q].contiguous(), q, tag=100 + 2 * name) for q in others]
        first[name] = chunks, coming
        if went is not None:
            halfway(went)
        went = name
    halfway(went)
    total = np.zeros_like(own)
    for q in range(K):
        np.add.at(total, asked[q] // K, sums[at[q]] if q == me else np.asarray(row_recv[q].wait()))
    table -= lr / global_size * torch.from_numpy(total)
    for name, (mine, later) in second.items():
        whole = torch.cat([mine if q == me else later[q].wait() for q in range(K)])
        dense[name] -= lr / global_size * whole
    for work in sends:
        work.wait()
    return loss
