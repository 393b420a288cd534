"""Reading other people's formats: each record becomes a Problem, or a Fault that says why not."""

from reasonrft.readers.base import DataError, Fault, RecordFault, fault_lines
from reasonrft.readers.find_tables import known_splits
from reasonrft.readers.formats import FORMATS
from reasonrft.readers.read_records import Record, load_problems, read_problems, read_records

__all__ = [
    "FORMATS",
    "DataError",
    "Fault",
    "Record",
    "RecordFault",
    "fault_lines",
    "known_splits",
    "load_problems",
    "read_problems",
    "read_records",
]
