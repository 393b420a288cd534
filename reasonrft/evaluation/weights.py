"""Telling apart policies that differ in their weights alone."""

import hashlib

import torch
from torch import nn


def weights_digest(module: nn.Module) -> str:
    """A hash of all parameters; of a rank's own shards where they are sharded."""
    digest = hashlib.sha256()
    for name, parameter in module.named_parameters():
        tensor = parameter.data
        tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
