"""Telling apart policies that differ in their weights alone."""

import hashlib

import torch
from torch import nn

from reasonrft.policy.sharding import full_parameters


def weights_digest(module: nn.Module) -> str:
    """A hash of all parameters, whole ones also where they are sharded: all ranks call this."""
    digest = hashlib.sha256()
    for name, tensor in full_parameters(module):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
