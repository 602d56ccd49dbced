"""Profiles from files: what is read, what a registrar's own change, and every mistake."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentsvc.domain.instants import Instant, instant
from consentsvc.domain.publication.profile import (
    Clause,
    Condition,
    Control,
    Instead,
    Profile,
    Profiles,
    Publisher,
    Rule,
    Switch,
)
from consentsvc.domain.scope import COMMON_FIELDS, ContactField, DomainName, Role
from consentsvc.profiles import ProfilesInvalid, load

OWN = """\
registry = "Registry of Kyoto"
version = "3"
valid_from = 2025-02-01
publisher = "registry"
switch = "contact"
encoder = "disclose"
shows = false
forced = ["addr"]
suffixes = ["kyoto", "co.kyoto"]
unverified = ["What it shows by itself."]

[options]
all = true

[[offers]]
roles = ["registrant"]

[[offers]]
roles = ["tech"]
option = { all = true }

[[clauses]]
roles = ["registrant"]
fields = ["name", "email"]
when = { legal = true, since = 2025-03-01, before = 2026-01-01T00:00:00+01:00 }
valid_from = 2025-06-01
valid_to = 2025-12-01
rule = "always"

[[clauses]]
fields = ["fax"]
option = { all = false }
rule = "never"
instead = "replace"

[[clauses]]
groups = ["addr", "voice"]
rule = "opt_in"

[[clauses]]
rule = "never"
"""


def day(year: int, month: int, number: int, hour: int = 0) -> Instant:
    return instant(datetime(year, month, number, hour, tzinfo=UTC))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kyoto.toml").write_text(OWN, "utf-8")
    return tmp_path


def change(folder: Path, old: str, new: str) -> None:
    """Replaces the first `old`, which must be there."""
    file = folder / "kyoto.toml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join(lines), "utf-8")


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(ProfilesInvalid) as refused:
        load(folder)
    return [line.replace(f"{folder}/", "") for line in str(refused.value).splitlines()]


def named(name: str, profiles: Profiles) -> Profile:
    (found,) = (one for one in profiles.all if one.id == name)
    return found


class TestReading:
    def test_profile(self, folder: Path) -> None:
        """A profile is what its file says, and has its file's name."""
        found = named("kyoto", load(folder))

        assert (found.registry, found.version) == ("Registry of Kyoto", "3")
        assert found.valid_from == day(2025, 2, 1)
        assert (found.publisher, found.switch) == (Publisher.REGISTRY, Switch.CONTACT)
        assert found.suffixes == {"kyoto", "co.kyoto"}
        assert found.encoder.name == "disclose"
        assert not found.encoder.shows
        assert found.encoder.forced == {"addr"}
        assert found.unverified == ("What it shows by itself.",)
        assert found.offers == {Role.REGISTRANT, Role.TECH}
        assert not found.proxy_allowed
        assert not found.kind_by_registrant
        assert not found.own_registry

    def test_clauses(self, folder: Path) -> None:
        """A clause is what its table says; each group is a clause of its own."""
        dated, address, voice, rest = named("kyoto", load(folder)).clauses
        email, name = ContactField.EMAIL, ContactField.NAME

        assert dated == Clause(
            frozenset({Role.REGISTRANT}),
            frozenset({name, email}),
            Rule.ALWAYS,
            Control.REGISTRY_FIXED,
            condition=Condition(legal=True, since=day(2025, 3, 1), before=day(2025, 12, 31, 23)),
            valid_from=day(2025, 6, 1),
            valid_to=day(2025, 12, 1),
        )
        assert (address.group, voice.group) == ("addr", "voice")
        assert voice.fields == {ContactField.PHONE, ContactField.PHONE_EXT}
        assert address.control is voice.control is Control.REGISTRY_KNOB
        assert rest == Clause(
            frozenset(Role), frozenset(COMMON_FIELDS), Rule.NEVER, Control.REGISTRY_FIXED
        )

    def test_found(self, folder: Path) -> None:
        """Its suffixes find it, from its day on."""
        profiles = load(folder)
        name = DomainName("example.co.kyoto")
        found = profiles.find(name, day(2025, 2, 1))

        assert found is not None
        assert (found.profile.id, found.suffix) == ("kyoto", "co.kyoto")
        assert profiles.find(name, Instant(day(2025, 2, 1) - 1)) is None

    def test_neighbours(self, folder: Path) -> None:
        """Other files in the folder are left alone."""
        write(folder, "kyoto.toml~", "not ours")
        write(folder, "README.md", "not ours")

        assert named("kyoto", load(folder)).version == "3"

    def test_no_folder(self, tmp_path: Path) -> None:
        """A folder that is not there is the system's error, which names it."""
        with pytest.raises(FileNotFoundError, match="none"):
            load(tmp_path / "none")

    def test_more(self, folder: Path) -> None:
        """Further texts go before the files of a folder."""
        more = {"kyoto.toml": 'extends = "kyoto"\nregistry = "Another"'}

        assert named("kyoto", load(folder, more)).registry == "Another"


class TestExtending:
    def test_everything_is_taken_over(self, tmp_path: Path) -> None:
        """A file that says nothing else is the profile that it extends."""
        write(tmp_path, "gtld.toml", 'extends = "gtld"')

        assert named("gtld", load(tmp_path)) == named("gtld", load())

    def test_options(self, tmp_path: Path) -> None:
        """Options are set by the file, the others stay."""
        write(tmp_path, "gtld.toml", 'extends = "gtld"', "[options]", "redact_city = false")
        before, after = named("gtld", load()), named("gtld", load(tmp_path))
        city = [one for one in after.clauses if ContactField.CITY in one.fields]

        assert city[0].rule is Rule.ALWAYS
        assert len(after.clauses) == len(before.clauses) + 1
        assert after.offers == {Role.REGISTRANT, Role.TECH}

    def test_an_option_that_decides_offers(self, tmp_path: Path) -> None:
        """Without an offer to technical contacts their fields are never published."""
        text = ['extends = "gtld"', "[options]", "tech_consent_offered = false"]
        write(tmp_path, "gtld.toml", *text)
        found = named("gtld", load(tmp_path))
        email = [
            one
            for one in found.clauses
            if Role.TECH in one.roles and ContactField.EMAIL in one.fields
        ]

        assert found.offers == {Role.REGISTRANT}
        assert (email[0].rule, email[0].instead) == (Rule.NEVER, Instead.REPLACE)

    def test_registries_with_contacts(self, tmp_path: Path) -> None:
        """A registrar names the gTLDs whose registries hold contacts, beside its own RDAP."""
        write(tmp_path, "thick.toml", 'extends = "epp-showing"', 'suffixes = ["org", "net"]')
        profiles = load(tmp_path)
        at, org, net = day(2026, 1, 1), DomainName("a.org"), DomainName("a.net")
        found, other = profiles.find(org, at), profiles.find(net, at)
        ours = profiles.find(org, at, Publisher.REGISTRAR)

        assert found is not None
        assert other is not None
        assert ours is not None
        assert found.profile.id == "thick"
        assert found.profile.encoder.shows
        assert found.registry != other.registry
        assert ours.profile.id == "gtld"

    def test_what_may_be_said(self, folder: Path) -> None:
        """What the file says itself replaces what it takes over."""
        write(
            folder, "nara.toml", 'extends = "kyoto"', 'registry = "Nara"', 'version = "9"',
            "valid_from = 2026-01-01", 'suffixes = ["nara"]', "shows = true",
            "proxy_allowed = true", "unverified = []", "[options]", "all = false",
        )  # fmt: skip
        found = named("nara", load(folder))

        assert (found.registry, found.version) == ("Nara", "9")
        assert found.valid_from == day(2026, 1, 1)
        assert found.suffixes == {"nara"}
        assert found.encoder.shows
        assert found.proxy_allowed
        assert found.unverified == ()
        assert found.offers == {Role.REGISTRANT}
        assert [one.instead for one in found.clauses if one.fields == {ContactField.FAX}] == [
            Instead.REPLACE
        ]

    def test_in_a_chain(self, folder: Path) -> None:
        """What extends may be extended."""
        write(folder, "nara.toml", 'extends = "kyoto"', 'suffixes = ["nara"]', 'version = "9"')
        write(folder, "uji.toml", 'extends = "nara"', 'suffixes = ["uji"]')

        assert named("uji", load(folder)).version == "9"

    def test_another_id_of_the_folder(self, folder: Path) -> None:
        """An id means the profile that is in use: the folder's, not the one that it replaces."""
        write(folder, "de.toml", 'extends = "de"', 'version = "ours"')
        write(folder, "nara.toml", 'extends = "de"', 'suffixes = ["nara"]')

        assert named("nara", load(folder)).version == "ours"

    def test_a_whole_replacement(self, tmp_path: Path) -> None:
        """A file with an id that is here takes its place, suffixes and all."""
        text = OWN.replace('["kyoto", "co.kyoto"]', '["de"]')
        write(tmp_path, "de.toml", text)
        found = load(tmp_path).find(DomainName("a.de"), day(2026, 1, 1))

        assert found is not None
        assert found.profile.registry == "Registry of Kyoto"


VALID = "valid_from = 2025-06-01\nvalid_to = 2025-12-01\n"
LAST = '[[clauses]]\nrule = "never"\n'


class TestMistakes:
    @pytest.mark.parametrize(
        ("old", "new", "mistake"),
        [
            pytest.param('version = "3"\n', "", "1: version: is missing", id="version"),
            pytest.param('registry = "Registry of Kyoto"\n', "", "1: registry: is missing",
                         id="registry"),
            pytest.param("valid_from = 2025-02-01\n", "", "1: valid_from: is missing", id="day"),
            pytest.param('suffixes = ["kyoto", "co.kyoto"]\n', "", "1: suffixes: is missing",
                         id="suffixes"),
            pytest.param(
                "valid_from = 2025-02-01", 'valid_from = "2025-02-01"',
                "3: valid_from: must be a day, like 2025-08-21, or a moment with an offset",
                id="a day in quotes",
            ),
            pytest.param(
                "valid_from = 2025-02-01", "valid_from = 2025-02-01T00:00:00",
                "3: valid_from: must be a day, like 2025-08-21, or a moment with an offset",
                id="a moment of no place",
            ),
            pytest.param(
                'publisher = "registry"', 'publisher = "reseller"',
                "4: publisher: must be one of: registrar, registry", id="publisher",
            ),
            pytest.param(
                'switch = "contact"', 'switch = "account"',
                "5: switch: must be one of: none, contact, domain", id="switch",
            ),
            pytest.param(
                'switch = "contact"', 'switch = "none"',
                "5: switch: must be none exactly if encoder is none: a switch is there to be told",
                id="no switch, but told",
            ),
            pytest.param(
                'encoder = "disclose"', 'encoder = "morse"',
                "6: encoder: must be one of: none, disclose, frnic, extcon_it, extcon_pl, eurid,"
                " fury, tel, core, dnslu, pt, nz",
                id="encoder",
            ),
            pytest.param("shows = false\n", "", "1: shows: is missing", id="shows"),
            pytest.param(
                'forced = ["addr"]', 'forced = ["adr"]',
                "8: forced[0]: must be one of: name, org, addr, voice, fax, email, vat, ident,"
                " notifyEmail, street, city, sp, pc, cc",
                id="forced",
            ),
            pytest.param(
                'forced = ["addr"]', 'forced = ["addr", "fax"]',
                "8: forced: holds fax, which is the group of no clause", id="forced without a use",
            ),
            pytest.param(
                '["kyoto", "co.kyoto"]', '["kyoto", ".co"]',
                "9: suffixes[1]: must be A-labels in lower case, without a dot in front",
                id="a dot in front",
            ),
            pytest.param(
                '["kyoto", "co.kyoto"]', '["kyoto", "kyoto"]',
                "9: suffixes[1]: is listed twice", id="a suffix twice",
            ),
            pytest.param(
                '["kyoto", "co.kyoto"]', '["kyoto", 7]',
                "9: suffixes[1]: must be a string on one line", id="no string",
            ),
            pytest.param(
                '["kyoto", "co.kyoto"]', '["kyoto", "de"]',
                "9: suffixes[1]: takes de, which de has: one publisher, one profile",
                id="a suffix of another",
            ),
            pytest.param(
                '["What it shows by itself."]', '["a\\nb"]',
                "10: unverified[0]: must be a string on one line", id="sentence",
            ),
            pytest.param(
                "all = true\n", "all = 1\n", "13: options.all: must be true or false", id="option"
            ),
            pytest.param(
                "all = true\n", "all = true\nmore = true\n",
                "14: options.more: has nothing that depends on it", id="an option for nothing",
            ),
            pytest.param(
                "option = { all = true }", "option = { al = true }",
                "20: offers[1].option.al: is not a key that belongs here", id="unknown option",
            ),
            pytest.param(
                'roles = ["tech"]', 'roles = ["owner"]',
                "19: offers[1].roles[0]: must be one of: registrant, tech, admin, billing",
                id="role of an offer",
            ),
            pytest.param(
                'roles = ["registrant"]\nfields', 'roles = ["registrant", "registrant"]\nfields',
                "23: clauses[0].roles[1]: is listed twice", id="a role twice",
            ),
            pytest.param(
                'roles = ["registrant"]\nfields', 'roles = []\nfields',
                "23: clauses[0].roles: must name one role at least", id="no role",
            ),
            pytest.param(
                'fields = ["name", "email"]', 'fields = ["name", "mail"]',
                "24: clauses[0].fields[1]: must be one of: name, organization, street, city,"
                " state_province, postal_code, country, phone, phone_ext, fax, fax_ext, email,"
                " vat, ident, notify_email, mobile_phone",
                id="field",
            ),
            pytest.param(
                'fields = ["name", "email"]', 'fields = ["name", "name"]',
                "24: clauses[0].fields[1]: is listed twice", id="a field twice",
            ),
            pytest.param(
                'fields = ["name", "email"]', "fields = []",
                "24: clauses[0].fields: must name one field at least", id="no field",
            ),
            pytest.param(
                "legal = true", "tall = true",
                "25: clauses[0].when.tall: is not a key that belongs here", id="condition",
            ),
            pytest.param(
                "before = 2026-01-01T00:00:00+01:00", "before = 2025-03-01",
                "25: clauses[0].when.before: must be after since", id="before and since",
            ),
            pytest.param(
                "valid_to = 2025-12-01", "valid_to = 2025-06-01",
                "27: clauses[0].valid_to: must be after valid_from", id="end and beginning",
            ),
            pytest.param(
                'rule = "always"', 'rule = "sometimes"',
                "28: clauses[0].rule: must be one of: always, opt_in, opt_out, never", id="rule",
            ),
            pytest.param(
                'rule = "always"', 'rule = "opt_in"',
                "28: clauses[0].rule: must be said of groups: the registry takes a wish for what"
                " has a switch",
                id="a wish without a switch",
            ),
            pytest.param(
                'rule = "always"', 'rule = "always"\ninstead = "redact"',
                "29: clauses[0].instead: has no place beside always: there is nothing instead",
                id="instead of always",
            ),
            pytest.param(
                'instead = "replace"', 'instead = "hide"',
                "34: clauses[1].instead: must be one of: redact, replace", id="instead",
            ),
            pytest.param(
                'groups = ["addr", "voice"]', 'groups = ["addr", "all"]',
                "37: clauses[2].groups[1]: must be a group that the encoder has: name, org, addr,"
                " voice, fax, email, vat, ident, notifyEmail, street, city, sp, pc, cc",
                id="group",
            ),
            pytest.param(
                'groups = ["addr", "voice"]', 'groups = ["addr", "city"]',
                "37: clauses[2].groups[1]: holds fields that addr holds too", id="groups overlap",
            ),
            pytest.param(
                'groups = ["addr", "voice"]', 'groups = ["addr", "voice"]\nfields = ["name"]',
                "38: clauses[2].fields: has no place beside groups", id="groups and fields",
            ),
            pytest.param(
                'rule = "opt_in"', 'rule = "never"',
                "37: clauses[2].groups: has no place here: where nobody is asked, no switch counts",
                id="groups and never",
            ),
            pytest.param(
                LAST, f"{LAST}\n[[clauses]]\nfields = [\"fax\"]\nrule = \"never\"\n",
                "43: clauses[4]: never applies: clauses before it decide all of it, or its"
                " dates do",
                id="never reached",
            ),
            pytest.param(
                VALID, "valid_to = 2025-01-01\n",
                "22: clauses[0]: never applies: clauses before it decide all of it, or its"
                " dates do",
                id="over before it began",
            ),
            pytest.param(
                LAST, f"[[clauses]]\ngroups = [\"voice\", \"fax\"]\nrule = \"opt_in\"\n{LAST}",
                "41: clauses[3].groups[0]: never applies: clauses before it decide all of it, or"
                " its dates do",
                id="a group that is never reached",
            ),
            pytest.param(
                "\n[[clauses]]\nfields = [\"fax\"]\noption",
                "\n[[clauses]]\nfields = [\"name\"]\nvalid_from = 2025-09-01\n"
                "when = { legal = true, since = 2025-03-01, before = 2026-01-01T00:00:00+01:00 }\n"
                'rule = "never"\n\n[[clauses]]\nfields = ["fax"]\noption',
                "30: clauses[1]: is in force while clauses[0] is, for the same", id="dates overlap",
            ),
            pytest.param(
                LAST, f"{LAST}colour = 1\n",
                "42: clauses[3].colour: is not a key that belongs here",
                id="unknown key",
            ),
            pytest.param(
                "shows = false", "shows = false = true", "7: is not TOML: Expected newline or end"
                " of document after a statement", id="no TOML",
            ),
        ],
    )  # fmt: skip
    def test_one(self, folder: Path, old: str, new: str, mistake: str) -> None:
        """A mistake is told with its line and key."""
        change(folder, old, new)

        assert f"kyoto.toml:{mistake}" in mistakes(folder)

    @pytest.mark.parametrize(
        "suffix",
        ["Kyoto", "kyōto", "-kyoto", "kyoto-", "a..b", "", "ab--cd", "xn--zzzzzzz99999", "xn--",
         "123", "a b", "*.kyoto", "a" * 64],
    )  # fmt: skip
    def test_no_a_label(self, folder: Path, suffix: str) -> None:
        """A suffix is A-labels in lower case."""
        change(folder, '"co.kyoto"', f'"{suffix}"')
        (told,) = mistakes(folder)

        assert told.startswith("kyoto.toml:9: suffixes[1]: must be")

    @pytest.mark.parametrize("suffix", ["xn--p1ai", "xn--fiqs8s", "a-b", "x1", "co.xn--p1ai"])
    def test_a_labels(self, folder: Path, suffix: str) -> None:
        """Names in other scripts are given as their A-labels."""
        change(folder, '"co.kyoto"', f'"{suffix}"')

        assert suffix in named("kyoto", load(folder)).suffixes

    def test_all_at_once(self, folder: Path) -> None:
        """Every mistake in every file is told."""
        change(folder, 'version = "3"', "version = 3")
        change(folder, '["addr", "voice"]', '["addr", "voices"]')
        write(folder, "nara.toml", 'extends = "osaka"')
        write(folder, "Uji.toml", 'extends = "de"', 'suffixes = ["uji"]')
        found = mistakes(folder)

        assert [line.split(":")[0] for line in found] == [
            "Uji.toml", "kyoto.toml", "kyoto.toml", "nara.toml"
        ]  # fmt: skip
        assert found[0] == (
            "Uji.toml:1: must be named after its id: a-z, 0-9 and -, starting with a letter"
        )
        assert found[3] == "nara.toml:1: extends: is the id of no profile"

    def test_no_clauses(self, folder: Path) -> None:
        """A profile without rules is none."""
        change(folder, OWN[OWN.index("[[clauses]]") :], "")

        assert "kyoto.toml:1: clauses: is missing" in mistakes(folder)

    def test_a_registrar_tells_nobody(self, folder: Path) -> None:
        """What is published by the registrar is told to no registry."""
        change(folder, 'publisher = "registry"', 'publisher = "registrar"')

        assert "kyoto.toml:6: encoder: must be none: the registrar tells nobody" in mistakes(folder)

    def test_a_circle(self, folder: Path) -> None:
        """Files that lead back to themselves say nothing."""
        write(folder, "nara.toml", 'extends = "uji"', 'suffixes = ["nara"]')
        write(folder, "uji.toml", 'extends = "nara"', 'suffixes = ["uji"]')

        assert mistakes(folder) == ["uji.toml:1: extends: leads back to this file"]

    def test_itself(self, folder: Path) -> None:
        """A file may extend what it replaces, and nothing is there to be replaced."""
        write(folder, "nara.toml", 'extends = "nara"')

        assert mistakes(folder) == ["nara.toml:1: extends: is the id of no profile"]

    def test_inherited_suffixes(self, folder: Path) -> None:
        """Whoever extends without suffixes of its own claims those of the other."""
        write(folder, "nara.toml", 'version = "1"', 'extends = "kyoto"')

        assert mistakes(folder) == [
            f"nara.toml:2: extends: takes {one}, which kyoto has: one publisher, one profile"
            for one in ("kyoto", "co.kyoto")
        ]

    @pytest.mark.parametrize("key", ['encoder = "none"', 'switch = "none"', "clauses = []"])
    def test_what_cannot_be_extended(self, folder: Path, key: str) -> None:
        """Rules are taken over whole: who has others writes a file of its own."""
        write(folder, "nara.toml", 'extends = "kyoto"', 'suffixes = ["nara"]', key)
        name = key.partition(" ")[0]

        assert mistakes(folder) == [f"nara.toml:3: {name}: is not a key that belongs here"]

    def test_shows_of_nobody(self, folder: Path) -> None:
        """What a server shows by itself is said where there is one to be told."""
        write(folder, "de.toml", 'extends = "de"', "shows = true")

        assert mistakes(folder) == ["de.toml:2: shows: is not a key that belongs here"]

    def test_an_option_of_nobody(self, folder: Path) -> None:
        """Only an option that the other has can be set."""
        write(folder, "de.toml", 'extends = "de"', "[options]", "redact_city = true")

        assert mistakes(folder) == [
            "de.toml:3: options.redact_city: is not a key that belongs here"
        ]

    def test_nothing_follows_from_no_toml(self, folder: Path) -> None:
        """A file that cannot be read is the one mistake, also where it is extended."""
        write(folder, "uji.toml", "x")
        write(folder, "nara.toml", 'extends = "uji"', 'suffixes = ["nara"]')
        (told,) = mistakes(folder)

        assert told.startswith("uji.toml:1: is not TOML")
