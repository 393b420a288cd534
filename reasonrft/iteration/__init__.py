"""Rounds of distillation, fine-tuning and reinforcement."""
