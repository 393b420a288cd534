"""Comparing runs: tables with intervals, significance of gaps, curves and answers on one page."""
