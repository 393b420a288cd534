"""VLM-R1's lines: {id, image, conversations: [{from: human, value}, {from: gpt, value}]}."""

from reasonrft.readers import sharegpt
from reasonrft.readers.base import Format
from reasonrft.readers.make_problem import KNOWN

# The rows are ShareGPT's; what differs is the ":"-separated list of files (see sources.py).
FORMAT = Format("vlm-r1", (("image",), ("conversations",)), KNOWN, sharegpt.read)
