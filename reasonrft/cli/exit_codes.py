"""How commands end: well with 0, on bad input with one sentence and 1."""

import sys
from collections.abc import Callable
from typing import Any

from reasonrft.errors import BadInput, printable


def exit_code(command: Callable[..., int], *args: Any, **options: Any) -> int:
    """The command's own exit code; what a person can mend is one sentence, not a traceback."""
    try:
        return command(*args, **options)
    except (BadInput, OSError) as error:
        print(f"reasonrft: {printable(str(error))}", file=sys.stderr)
        return 1
