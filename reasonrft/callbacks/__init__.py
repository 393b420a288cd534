"""What watches a run and writes down what it sees."""

from reasonrft.callbacks.export import ExportPolicy

__all__ = ["ExportPolicy"]
