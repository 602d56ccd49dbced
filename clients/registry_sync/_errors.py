"""What a command to a registry can end with.

"Refused" and "could not find out" are two errors: only the second is worth trying again.
"""


class RegistryError(Exception):
    """What a command can end with."""


class Refused(RegistryError):
    """The registry will not do this as it was asked, however often it is asked.

    `resent` says that the answer to an earlier attempt was lost: that one may have been carried
    out, and be the reason of the refusal. Look before you decide.
    """

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        self.resent = False
        super().__init__(code, message)

    def __str__(self) -> str:
        # The registry's own text is kept out: it may quote what was sent, and errors are logged.
        return f"the registry refused with {self.code}"


class LoginRefused(Refused):
    """It will not let us in. No command was sent; to try again soon may lock the account."""

    def __str__(self) -> str:
        return f"the registry refused the login with {self.code}"


class RegistryUnavailable(RegistryError):
    """It could not be found out what the registry did: it may have been carried out or not."""


class Unsayable(ValueError):
    """What EPP has no words for, by the name of the field: nothing was sent."""
