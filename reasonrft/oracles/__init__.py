"""Deriving an answer again from what an image shows: scene graphs and states."""
