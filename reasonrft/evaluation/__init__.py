"""Measuring answers."""

from reasonrft.evaluation.scorers import OfficialScorer, StrictScorer

__all__ = ["OfficialScorer", "StrictScorer"]
