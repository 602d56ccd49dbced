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


class PolicyDiffers(RegistryError):
    """The registry shows by default and is taken for one that hides, or the other way round.

    What it is told to hide, or to show, would not be what is meant.
    """

    def __init__(self, *, hides: bool) -> None:
        says, taken = ("hides", "shows") if hides else ("shows", "hides")
        super().__init__(
            f"its greeting says that it {says} by default, and its profile that it {taken}"
        )


class PutOff(RegistryError):
    """All that is left to do rests, the first of it for so many seconds.

    `accepted`: none of it has failed, it is only not in force yet.
    """

    def __init__(self, number: int, seconds: float, *, accepted: bool) -> None:
        self.seconds = seconds
        self.accepted = accepted
        why = "accepted and not in force yet" if accepted else "not answered for certain"
        super().__init__(f"{number} commands were {why}")


class FollowerUnknown(Exception):
    """The consent service waits for no follower of this name."""

    def __init__(self, follower: str) -> None:
        super().__init__(f"the consent service does not wait for {follower!r}")


class Unsayable(ValueError):
    """What EPP has no words for, by the name of the field: nothing was sent."""
