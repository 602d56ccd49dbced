"""Whether a consent may be given, or asked for, as it stands: before anything is recorded.

A no is never refused for what is said here but for a scope that there is not.
"""

from consentsvc.domain.errors import InvalidScope, RoleNotOffered
from consentsvc.domain.instants import Instant
from consentsvc.domain.publication.profile import Profiles
from consentsvc.domain.scope import Reach


def refuse_unsound(reach: Reach, field: str = "scope") -> None:
    """Raises `InvalidScope` for what is none of account, contact, domain and role."""
    if not reach.sound:
        lacking = "domain" if reach.role is not None and reach.domain is None else "contact_id"
        raise InvalidScope.field(f"{field}.{lacking}", "is needed for what lies inside it")


def refuse_unoffered(profiles: Profiles, reach: Reach, now: Instant, field: str = "scope") -> None:
    """Raises `RoleNotOffered` where nobody who publishes the domain has a consent for the role.

    A wider scope is not refused for holding such a role too: it has no effect there.
    """
    refuse_unsound(reach, field)
    domain, role = reach.domain, reach.role
    if domain is not None and role is not None and not profiles.offers(domain, role, now):
        raise RoleNotOffered.field(f"{field}.role", "has no consent to give for this domain")
