"""Telling apart policies that differ in their weights alone."""

import hashlib

import torch
from torch import nn

from reasonrft.policy.sharding import gather


def weights_digest(module: nn.Module) -> str:
    """A hash of all parameters, whole ones also where they are sharded: all ranks call this."""
    digest = hashlib.sha256()
    for name, parameter in module.named_parameters():
        tensor = gather(parameter)
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
