"""What can be wrong with a store before it serves anybody."""


class StoreRefused(Exception):
    """The store cannot be opened as it is; the message says what to do about it."""
