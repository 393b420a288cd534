"""What a person gets to see when their input is wrong."""


class BadInput(ValueError):
    """Wrong input; the message is one sentence that says where, and what would be accepted."""
