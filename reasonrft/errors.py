"""What a person gets to see when their input is wrong."""


class BadInput(ValueError):
    """Wrong input; the message is one sentence that says where, and what would be accepted."""


class Stopped(Exception):
    """The run was asked to end while it waited for something."""


def printable(text: str) -> str:
    """Text for a terminal, its lines kept: a control character could make the terminal do things.

    Names of files, ids of records and what servers answer stand in messages.
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode()
        for char in text
    )


def check_at_least(least: float, **options: float | None) -> None:
    """Refuse options that are given and below a bound, or not a number."""
    for name, value in options.items():
        if value is not None and not value >= least:
            raise BadInput(f"{name} must be at least {least}, not {value}")
