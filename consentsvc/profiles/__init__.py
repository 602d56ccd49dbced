"""Registry profiles: what each registry publishes and takes as a wish, as data.

One TOML file for each registry, named after its id; README.md says what is in one. Those here come
with the package. A registrar has a folder of its own besides, and what is in it goes first.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from consentsvc.domain.publication.profile import Profiles
from consentsvc.profiles._reading import Layer, Reading
from consentsvc.toml_reading import File, Mistake

__all__ = ["Mistake", "ProfilesInvalid", "load"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ProfilesInvalid(Exception):
    """The files hold no profiles. Prints as its mistakes, one to a line."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = tuple(mistakes)


def load(folder: Path | None = None, more: Mapping[str, str] = _NOTHING) -> Profiles:
    """The profiles that come with the package, and those in the folder, which replace them by id.

    `more` are further files by their names, which go before both. Raises `ProfilesInvalid` with
    every mistake in every file, and `OSError` if one of them cannot be opened.
    """
    layers = [_layer(_found(resources.files(__name__)))]
    if folder is not None:
        layers.append(_layer(_found(folder), f"{folder}/"))
    layers.append(_layer((name, text.encode()) for name, text in more.items()))
    reading = Reading(layers)
    profiles = reading.profiles()
    mistakes = [one for layer in layers for file in layer.values() for one in file.mistakes()]
    if mistakes:
        raise ProfilesInvalid(mistakes)
    return Profiles(profiles)


def _found(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            yield entry.name, entry.read_bytes()


def _layer(found: "Iterator[tuple[str, bytes]]", prefix: str = "") -> Layer:
    return {name.removesuffix(".toml"): File(prefix + name, content) for name, content in found}
