"""Files every letter under its round and sender, in NumPy, and looks whether the open round is complete."""

import numpy as np
import torch

LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    filed = {r: {} for r in range(rounds)}
    w, done = w.numpy().copy(), 0
    while done < rounds:
        letter = comm.poll()
        filed[letter.meta["round"]][letter.src] = letter.tensors[0].numpy()
        while done < rounds and len(filed[done]) == len(workers):
            total = np.zeros_like(w)
            for _, gradient in sorted(filed[done].items()):
                total += gradient
            w = (w - lr * total / len(workers)).astype(np.float32)
            done += 1
            for worker in workers:
                comm.post(worker, "rows", {"round": done}, [torch.from_numpy(w)])
    return torch.from_numpy(w)
