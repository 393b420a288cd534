"""Measuring answers."""

from reasonrft.evaluation.accuracies import OfficialScorer, StrictScorer

__all__ = ["OfficialScorer", "StrictScorer"]
