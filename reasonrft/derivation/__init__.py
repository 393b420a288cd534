"""Deriving an answer again from what a picture shows: scene graphs and states."""
