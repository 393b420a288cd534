"""Measuring answers."""

from reasonrft.evaluation.accuracies import OfficialAccuracy, StrictAccuracy

__all__ = ["OfficialAccuracy", "StrictAccuracy"]
