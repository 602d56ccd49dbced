"""What the client raises, as a word for people and an exit code for programs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from consentsvc.cli._exits import Ended, Exit

if TYPE_CHECKING:
    from consentclient import CheckFailed, ConsentError


@contextmanager
def told(target: str) -> Iterator[None]:
    """Ends the program where the client raises an error."""
    from consentclient import ConsentError

    try:
        yield
    except ConsentError as error:
        raise ended(error, target) from error
    except UnicodeEncodeError as error:
        raise Ended(Exit.USAGE, "what was given is not UTF-8") from error
    except OSError as error:
        if error.filename is None:
            raise  # no file that the user named, but what is printed
        raise unusable(error) from error


def ended(error: "ConsentError", target: str) -> Ended:
    """The end that an error makes: nothing was answered, or the service refused to."""
    from consentclient import ConsentUnavailable, RateExceeded

    word = f"{error.message} [{error.reason}]" if error.reason else error.message
    if isinstance(error, ConsentUnavailable | RateExceeded):
        return Ended(Exit.UNKNOWN, f"could not find out from {target}: {word}")
    return Ended(Exit.REFUSED, word)


def refuse_unknown_purpose(failed: "CheckFailed") -> None:
    """Ends the program if a pair of a list failed for what all pairs have in common."""
    from consentclient import UnknownPurpose

    if isinstance(failed.error, UnknownPurpose):
        word = f"purpose {failed.purpose_id}: {failed.error.message} [{failed.error.reason}]"
        raise Ended(Exit.REFUSED, word) from failed.error


def unusable(error: OSError) -> Ended:
    """The end that a file makes which cannot be read or written."""
    words = (error.filename, error.strerror or str(error))
    return Ended(Exit.USAGE, ": ".join(str(one) for one in words if one))
