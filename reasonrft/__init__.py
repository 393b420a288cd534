"""Reinforcement fine-tuning for visual reasoning (Reason-RFT) on PyTorch Lightning."""

__version__ = "0.1.0"
