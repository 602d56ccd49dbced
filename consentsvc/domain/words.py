"""Words: the members of small closed vocabularies."""

import enum


class Word(enum.Enum):
    """A member of a vocabulary. There is one of each, so it is told from others by what it is."""

    # Python 3.11's own hashes the name anew each time, in Python: where words are the keys of
    # everything, that was a quarter of all the time.
    __hash__ = object.__hash__
