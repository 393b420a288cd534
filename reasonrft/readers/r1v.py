"""R1-V's rows: {image, problem, solution: "<answer> 3 </answer>"}."""

from reasonrft.readers import reason_rft
from reasonrft.readers.base import Format
from reasonrft.readers.make_problem import KNOWN

# Reason-RFT's keys come from these; what differs is what a row must have.
FORMAT = Format("r1-v", (("image",), ("problem",), ("solution",)), KNOWN, reason_rft.read)
