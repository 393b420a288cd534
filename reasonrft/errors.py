"""What a person gets to see when their input is wrong."""


class BadInput(ValueError):
    """Wrong input; the message is one sentence that says where, and what would be accepted."""


class Stopped(Exception):
    """The run was asked to end while it waited for something."""


def check_at_least(least: float, **options: float | None) -> None:
    """Refuse options that are given and below a bound, or not a number."""
    for name, value in options.items():
        if value is not None and not value >= least:
            raise BadInput(f"{name} must be at least {least}, not {value}")
