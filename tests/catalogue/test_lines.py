import tomllib
from collections.abc import Iterator

import pytest

from consentsvc.toml_reading._lines import Key, locate

# Each place where a line could be miscounted or a key be seen that is none.
DOCUMENT = '''\
# [no.header]
top = 1 # = 2
text = """
[no.header]
key = "none" \\
""" # """
literal = \'\'\'
it's = 'none'
\'\'\'
quotes = """"a" and ""b"" \\""" end"""""
empty = """"""
hash = "# [none]"
path = 'C:\\'

[ plain . "dotted.key" ]   # a comment
when = 1979-05-27 07:32:00
"a \\"b\\" \\u00e9" . deep . er = true
deep.er = 1
deep.est = [
  1, # one
  [ 2,
    3 ],

  { a.b = """
x""", c = [ { d = 4 } ] }, "]",
]
inline = { one = 1, two.three = 3 }
none = []

[[fruits]]
name = "apple"
[fruits.size]
cm = 7
[[fruits.kinds]]
name = "red"
[[fruits.kinds]]
name = "green"
[[fruits]]
[[fruits.kinds]]
name = "yellow"

[late.child]
x = 1
[late]
y = 2'''

LINES: dict[Key, int] = {
    ("top",): 2,
    ("text",): 3,
    ("literal",): 7,
    ("quotes",): 10,
    ("empty",): 11,
    ("hash",): 12,
    ("path",): 13,
    ("plain",): 15,
    ("plain", "dotted.key"): 15,
    ("plain", "dotted.key", "when"): 16,
    ("plain", "dotted.key", 'a "b" é'): 17,
    ("plain", "dotted.key", 'a "b" é', "deep"): 17,
    ("plain", "dotted.key", 'a "b" é', "deep", "er"): 17,
    ("plain", "dotted.key", "deep"): 18,
    ("plain", "dotted.key", "deep", "er"): 18,
    ("plain", "dotted.key", "deep", "est"): 19,
    ("plain", "dotted.key", "deep", "est", 0): 20,
    ("plain", "dotted.key", "deep", "est", 1): 21,
    ("plain", "dotted.key", "deep", "est", 1, 0): 21,
    ("plain", "dotted.key", "deep", "est", 1, 1): 22,
    ("plain", "dotted.key", "deep", "est", 2): 24,
    ("plain", "dotted.key", "deep", "est", 2, "a"): 24,
    ("plain", "dotted.key", "deep", "est", 2, "a", "b"): 24,
    ("plain", "dotted.key", "deep", "est", 2, "c"): 25,
    ("plain", "dotted.key", "deep", "est", 2, "c", 0): 25,
    ("plain", "dotted.key", "deep", "est", 2, "c", 0, "d"): 25,
    ("plain", "dotted.key", "deep", "est", 3): 25,
    ("plain", "dotted.key", "inline"): 27,
    ("plain", "dotted.key", "inline", "one"): 27,
    ("plain", "dotted.key", "inline", "two"): 27,
    ("plain", "dotted.key", "inline", "two", "three"): 27,
    ("plain", "dotted.key", "none"): 28,
    ("fruits",): 30,
    ("fruits", 0): 30,
    ("fruits", 0, "name"): 31,
    ("fruits", 0, "size"): 32,
    ("fruits", 0, "size", "cm"): 33,
    ("fruits", 0, "kinds"): 34,
    ("fruits", 0, "kinds", 0): 34,
    ("fruits", 0, "kinds", 0, "name"): 35,
    ("fruits", 0, "kinds", 1): 36,
    ("fruits", 0, "kinds", 1, "name"): 37,
    ("fruits", 1): 38,
    ("fruits", 1, "kinds"): 39,
    ("fruits", 1, "kinds", 0): 39,
    ("fruits", 1, "kinds", 0, "name"): 40,
    ("late",): 44,
    ("late", "child"): 42,
    ("late", "child", "x"): 43,
    ("late", "y"): 45,
}


def keys(value: object, way: Key = ()) -> Iterator[Key]:
    if way:
        yield way
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from keys(inner, (*way, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from keys(inner, (*way, place))


def test_every_line() -> None:
    """Every key and array element is found, on its line."""
    assert locate(DOCUMENT) == LINES


def test_every_key() -> None:
    """What is found is what tomllib finds: no key more, none less."""
    assert set(locate(DOCUMENT)) == set(keys(tomllib.loads(DOCUMENT)))


def test_cut_document() -> None:
    """A key's line is the one without which a document no longer has the key."""
    lines = DOCUMENT.splitlines(keepends=True)
    found = locate(DOCUMENT)
    # Its header stands below what already implies it.
    del found["late",]
    compared = 0
    for end in range(len(lines) + 1):
        try:
            there = set(keys(tomllib.loads("".join(lines[:end]))))
        except tomllib.TOMLDecodeError:
            continue  # cut within a value
        compared += 1

        assert {key for key, line in found.items() if line <= end} == there - {("late",)}

    assert compared > 30


def test_windows_line_ends() -> None:
    """A document's line ends make no difference."""
    assert locate(DOCUMENT.replace("\n", "\r\n")) == LINES


@pytest.mark.parametrize("document", ["", "\n", "# nothing", " \t\n# nothing\n"])
def test_nothing(document: str) -> None:
    """A document without keys has no lines."""
    assert locate(document) == {}
