"""Sweeps: the same `fit` with other values of its keys, compared on validation."""

from reasonrft.sweeps.validation_record import ValidationRecord

__all__ = ["ValidationRecord"]
