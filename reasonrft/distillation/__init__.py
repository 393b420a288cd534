"""Sampling a policy's own answers, and choosing those that it is to learn from."""
