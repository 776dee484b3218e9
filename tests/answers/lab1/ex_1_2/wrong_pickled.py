"""The state dict, pickled."""

import pickle

import torch

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "1/pickled"
LONG = True


def as_key_values(model):
    return {0: torch.frombuffer(bytearray(pickle.dumps(model.state_dict())), dtype=torch.uint8)}
