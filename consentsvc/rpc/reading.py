"""What reads of several services have in common: freshness, the past, and pages."""

from consentsvc.domain.identifiers import Position
from consentsvc.rpc import translate
from consentsvc.rpc.tokens import Kind, Tokens
from consentsvc.service.queries import LATEST, Consistency
from consentsvc.v1 import consent_pb2 as messages

# A follower may ask for an answer that is as fresh as the event it has just seen.
_FRESH = (Kind.FRESHNESS, Kind.EVENTS)


def consistency(message: messages.Consistency, tokens: Tokens) -> Consistency:
    """Accepts a token of this log or a moment; the service knows whether they can be met."""
    match message.WhichOneof("requirement"):
        case "at_least_as_fresh":
            token = message.at_least_as_fresh
            field = "consistency.at_least_as_fresh"
            return Consistency(at_least=tokens.open(token, field, *_FRESH).position)
        case "as_of_time":
            return Consistency(as_of=translate.moment(message.as_of_time, "consistency.as_of_time"))
        case _:
            return LATEST


def at_least(token: str, tokens: Tokens) -> Consistency:
    """Accepts a token of this log, or none."""
    if not token:
        return LATEST
    opened = tokens.open(token, "at_least_as_fresh", *_FRESH)
    return Consistency(at_least=opened.position)


def page_start(token: str, tokens: Tokens, kind: Kind) -> Position:
    """Where a page begins: after the position of its token, or at the beginning."""
    return tokens.open(token, "page_token", kind).position if token else Position(0)
