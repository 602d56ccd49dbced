import hashlib
from pathlib import Path

import pytest

from consentsvc.catalogue import CatalogueInvalid, Mistake, load
from consentsvc.domain.catalogue import EvidenceField, LegalBasis, TrackerKind
from consentsvc.domain.identifiers import PurposeId

MAIN = """\
main_controller = "shop"

[controllers.shop]
name = "Shop Example"
address = "1 Example Street"
contact = "privacy@shop.example"
data_protection_officer = "dpo@shop.example"
authority = "Authority"
[controllers.brand7]
name = "Brand Seven"
address = "7 Example Street"
contact = "privacy@brand7.example"
data_protection_officer = "dpo@brand7.example"
authority = "Authority"

[purposes.news]
controller = "shop"
basis = "consent"
validity_months = 13
needs_confirmation = true
evidence = [
    "ip_address",
    "user_agent",
]
[[purposes.news.versions]]
version = "1"
asks_again = false
[[purposes.news.versions]]
version = "2"
asks_again = true
[[purposes.news.trackers]]
name = "_id"
kind = "cookie"
host = "shop.example"
lifetime = { en = "1 day", fr = "1 jour" }
goal.en = "Counts."
goal.fr = "Compte."

[purposes."brand7.stats"]
controller = "brand7"
basis = "legitimate_interest"
needs_confirmation = false
versions = [{ version = "1", asks_again = false }]

[[essential_storage]]
name = "cart"
goal = { en = "Holds the cart.", fr = "Contient le panier." }
"""

ENGLISH = '''\
[news.1]
title = "News"
text = "The first text."

[news.2]
title = "News"
text = """
The second text,
on two lines.
"""

["brand7.stats".1]
title = "Statistics"
text = "How it is used."
'''

FRENCH = """\
[news.1]
title = "Nouvelles"
text = "Le premier texte."

[news.2]
title = "Nouvelles"
text = "Le second texte."

["brand7.stats".1]
title = "Statistiques"
text = "L’usage qui en est fait."
"""


@pytest.fixture
def main(tmp_path: Path) -> Path:
    (tmp_path / "shop.en.toml").write_text(ENGLISH, "utf-8")
    (tmp_path / "shop.fr.toml").write_text(FRENCH, "utf-8")
    path = tmp_path / "shop.toml"
    path.write_text(MAIN, "utf-8")
    return path


def change(file: Path, old: str, new: str) -> None:
    """Replaces the first `old`, which must be there."""
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def mistakes(main: Path) -> list[str]:
    with pytest.raises(CatalogueInvalid) as refused:
        load(main)
    return str(refused.value).splitlines()


class TestWhole:
    def test_purposes(self, main: Path) -> None:
        """A catalogue has the purposes of its file, in their order."""
        assert list(load(main).purposes) == ["news", "brand7.stats"]

    def test_purpose(self, main: Path) -> None:
        """A purpose is what its file says."""
        news = load(main).purpose("news")

        assert news.id == PurposeId("news")
        assert news.controller.name == "Shop Example"
        assert news.controller.data_protection_officer == "dpo@shop.example"
        assert news.basis is LegalBasis.CONSENT
        assert news.validity_months == 13
        assert news.needs_confirmation
        assert news.evidence == {EvidenceField.IP_ADDRESS, EvidenceField.USER_AGENT}
        assert [(one.version, one.asks_again) for one in news.versions] == [
            ("1", False),
            ("2", True),
        ]

    def test_a_purpose_that_heeds_signals(self, main: Path) -> None:
        """One that is marked, and every one of legitimate interest."""
        before = [one.heeds_signal for one in load(main).purposes.values()]
        change(main, "validity_months = 13", "global_privacy_control = true")
        after = [one.heeds_signal for one in load(main).purposes.values()]

        assert (before, after) == ([False, True], [True, True])

    def test_what_may_be_left_out(self, main: Path) -> None:
        """Left out, validity is without end, evidence is not kept and there are no trackers."""
        stats = load(main).purpose("brand7.stats")

        assert stats.validity_months is None
        assert stats.evidence == frozenset()
        assert stats.trackers == ()

    def test_tracker(self, main: Path) -> None:
        """A tracker is what its file says, with its goal in every locale."""
        (tracker,) = load(main).purpose("news").trackers

        assert (tracker.name, tracker.kind) == ("_id", TrackerKind.COOKIE)
        assert (tracker.host, tracker.lifetime["fr"]) == ("shop.example", "1 jour")
        assert tracker.goal == {"en": "Counts.", "fr": "Compte."}

    def test_essential_storage(self, main: Path) -> None:
        """Storage that needs no consent stands apart from the purposes."""
        (cart,) = load(main).essential_storage

        assert (cart.name, cart.goal["fr"]) == ("cart", "Contient le panier.")

    def test_notices(self, main: Path) -> None:
        """Each version has its text from the file of each locale; the hash is that of the text."""
        catalogue = load(main)
        notice = catalogue.purpose("news").notice("2", "en")

        assert catalogue.locales == ("en", "fr")
        assert catalogue.purpose("news").notice("1", "fr").text == "Le premier texte."
        assert (notice.purpose, notice.version, notice.locale) == ("news", "2", "en")
        assert notice.sha256 == hashlib.sha256(b"News\n\nThe second text,\non two lines.").digest()

    def test_space_around_a_text(self, main: Path) -> None:
        """White space around a text is no part of it: moving the closing quotes changes nothing."""
        before = load(main)
        change(main.with_name("shop.en.toml"), "on two lines.\n", "on two lines.")

        assert load(main).digest == before.digest

    def test_line_ends(self, main: Path) -> None:
        """A checkout with the line ends of Windows has the same texts."""
        before = load(main)
        for file in main.parent.iterdir():
            file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))

        assert load(main).digest == before.digest

    def test_a_locale_is_a_file(self, main: Path) -> None:
        """A new locale is a new file of texts, and a goal for each tracker."""
        (main.parent / "shop.pt-BR.toml").write_text(ENGLISH, "utf-8")
        change(main, 'goal.en = "Counts."', 'goal.en = "Counts."\ngoal.pt-BR = "Conta."')
        change(main, "lifetime = {", 'lifetime = { pt-BR = "1 dia",')
        change(main, "goal = {", 'goal = { pt-BR = "Guarda o carrinho.",')

        assert load(main).locales == ("en", "fr", "pt-BR")

    def test_neighbours(self, main: Path) -> None:
        """Other files in the folder are left alone."""
        (main.parent / "shop.en.toml~").write_text("not ours", "utf-8")
        (main.parent / "shopping.en.toml").write_text("not ours", "utf-8")
        (main.parent / "en.toml").write_text("not ours", "utf-8")

        assert load(main).locales == ("en", "fr")

    def test_no_such_file(self, tmp_path: Path) -> None:
        """A file that is not there is the system's error, which names it."""
        with pytest.raises(FileNotFoundError, match=r"none\.toml"):
            load(tmp_path / "none.toml")


NEWS_CONTROLLER = '[purposes.news]\ncontroller = "shop"'
TO_FIRST_PURPOSE = MAIN.index("[purposes.news]")
CONTROLLERS = MAIN[MAIN.index("[controllers") : TO_FIRST_PURPOSE]
PURPOSES = MAIN[TO_FIRST_PURPOSE : MAIN.index("[[essential_storage]]")]
VERSIONS = MAIN[MAIN.index("[[purposes.news.versions]]") : MAIN.index("[[purposes.news.trackers]]")]


class TestMistakes:
    @pytest.mark.parametrize(
        ("old", "new", "mistake"),
        [
            pytest.param(
                'kind = "cookie"',
                'kind = "cookie"\ncolour = "red"',
                "34: purposes.news.trackers[0].colour: is not a key that belongs here",
                id="unknown key",
            ),
            pytest.param(
                "main_controller",
                "colour = 1\nmain_controller",
                "1: colour: is not a key that belongs here",
                id="unknown key at the top",
            ),
            pytest.param(
                "[[essential_storage]]",
                "[[essential]]\nx = 1\n\n[[essential_storage]]",
                "45: essential: is not a key that belongs here",
                id="unknown table",
            ),
            pytest.param(
                'basis = "consent"\n',
                "",
                "16: purposes.news.basis: is missing",
                id="missing key",
            ),
            pytest.param(
                'host = "shop.example"\n',
                "",
                "31: purposes.news.trackers[0].host: is missing",
                id="missing key in an array of tables",
            ),
            pytest.param(
                '{ version = "1", asks_again = false }',
                '{ version = "1" }',
                '43: purposes."brand7.stats".versions[0].asks_again: is missing',
                id="missing key in an inline table",
            ),
            pytest.param(
                'main_controller = "shop"\n',
                "",
                "1: main_controller: is missing",
                id="missing key at the top",
            ),
            pytest.param(
                '"Shop Example"', "12", "4: controllers.shop.name: must be a string", id="no string"
            ),
            pytest.param(
                "needs_confirmation = true",
                'needs_confirmation = "yes"',
                "20: purposes.news.needs_confirmation: must be true or false",
                id="no boolean",
            ),
            pytest.param(
                "validity_months = 13",
                "validity_months = true",
                "19: purposes.news.validity_months: must be a whole number from 1 to 120",
                id="true is no number",
            ),
            pytest.param(
                "validity_months = 13",
                "validity_months = 0",
                "19: purposes.news.validity_months: must be a whole number from 1 to 120",
                id="no month",
            ),
            pytest.param(
                "validity_months = 13",
                "validity_months = 121",
                "19: purposes.news.validity_months: must be a whole number from 1 to 120",
                id="too many months",
            ),
            pytest.param(
                'goal = { en = "Holds the cart.", fr = "Contient le panier." }',
                'goal = "Holds the cart."',
                "47: essential_storage[0].goal: must be a table",
                id="no table",
            ),
            pytest.param(
                'goal = { en = "Holds the cart.", fr = "Contient le panier." }',
                "goal = {}",
                "47: essential_storage[0].goal: must not be empty",
                id="empty table",
            ),
            pytest.param(
                '[{ version = "1", asks_again = false }]',
                '[{ version = "1", asks_again = false },\n"2"]',
                '44: purposes."brand7.stats".versions[1]: must be a table',
                id="no table in an array",
            ),
            pytest.param(
                "[[essential_storage]]",
                "[essential_storage]",
                "45: essential_storage: must be an array of tables",
                id="no array of tables",
            ),
            pytest.param(
                '"Shop Example"',
                '"""\n \n"""',
                "4: controllers.shop.name: must not be empty",
                id="empty string",
            ),
            pytest.param(
                '"1 Example Street"',
                '"1 Example Street\\nExample"',
                "5: controllers.shop.address: must be one line",
                id="several lines",
            ),
            pytest.param(
                'kind = "cookie"',
                'kind = "cookies"',
                "33: purposes.news.trackers[0].kind: must be one of: cookie, local_storage, pixel",
                id="unknown kind of tracker",
            ),
            pytest.param(
                'basis = "consent"',
                'basis = "contract"',
                "18: purposes.news.basis: must be one of: consent, legitimate_interest",
                id="unknown basis",
            ),
            pytest.param(
                '"user_agent"',
                '"session"',
                "23: purposes.news.evidence[1]: must be one of: ip_address, user_agent",
                id="unknown evidence",
            ),
            pytest.param(
                '"user_agent"',
                "{ }",
                "23: purposes.news.evidence[1]: must be one of: ip_address, user_agent",
                id="evidence that is no string",
            ),
            pytest.param(
                'main_controller = "shop"',
                'main_controller = "stop"',
                "1: main_controller: must be one of: shop, brand7",
                id="unknown main controller",
            ),
            pytest.param(
                NEWS_CONTROLLER,
                '[purposes.news]\ncontroller = "brand8"',
                "17: purposes.news.controller: must be one of: shop, brand7",
                id="unknown controller",
            ),
            pytest.param(
                NEWS_CONTROLLER,
                '[purposes.news]\ncontroller = "brand7"',
                "17: purposes.news.controller: must be shop, as the purpose has no prefix",
                id="no prefix, but not the main controller's",
            ),
            pytest.param(
                'controller = "brand7"',
                'controller = "shop"',
                '40: purposes."brand7.stats".controller: must be brand7, the prefix of the purpose',
                id="prefix of another controller",
            ),
            pytest.param(
                "\n[purposes.news]\n",
                "[controllers.7]\n"
                'name = "x"\naddress = "x"\ncontact = "x"\n'
                'data_protection_officer = "x"\nauthority = "x"\n\n[purposes.news]\n',
                "15: controllers.7: must be a name of a-z, 0-9 and _, starting with a letter",
                id="bad id of a controller",
            ),
            pytest.param(
                CONTROLLERS,
                "controllers = 3\n",
                "3: controllers: must be a table",
                id="no controllers",
            ),
            pytest.param(
                '[{ version = "1", asks_again = false }]',
                '[{ version = "1", asks_again = false },\n{ version = "1", asks_again = true }]',
                '44: purposes."brand7.stats".versions[1].version: is listed twice',
                id="duplicate version",
            ),
            pytest.param(
                'version = "2"',
                "version = 2",
                "29: purposes.news.versions[1].version: must be a string",
                id="version that is a number",
            ),
            pytest.param(
                'version = "2"',
                'version = "2 b"',
                "29: purposes.news.versions[1].version: "
                "must be 1 to 32 letters, digits, dots, _ or -",
                id="bad version",
            ),
            pytest.param(
                'goal.fr = "Compte."\n',
                "",
                "36: purposes.news.trackers[0].goal.fr: is missing",
                id="goal missing in a locale",
            ),
            pytest.param(
                'fr = "Contient le panier."',
                'fr = "Contient le panier.", de = "Hält den Korb."',
                "47: essential_storage[0].goal.de: is not a key that belongs here",
                id="goal in a locale without texts",
            ),
            pytest.param(
                'basis = "legitimate_interest"\nneeds_confirmation = false',
                'basis = "legitimate_interest"\nneeds_confirmation = true',
                '42: purposes."brand7.stats".needs_confirmation: '
                "must be false: nobody is asked beforehand",
                id="confirmation of a legitimate interest",
            ),
            pytest.param(
                'basis = "legitimate_interest"',
                'basis = "legitimate_interest"\nvalidity_months = 13',
                '42: purposes."brand7.stats".validity_months: '
                "must be left out: an objection does not expire",
                id="validity of a legitimate interest",
            ),
            pytest.param(
                "validity_months = 13",
                "takes_scope = true\nglobal_privacy_control = true",
                "20: purposes.news.global_privacy_control: must be false: a signal names no scope",
                id="a signal about publication",
            ),
        ],
    )
    def test_in_the_catalogue(self, main: Path, old: str, new: str, mistake: str) -> None:
        """A mistake is told with its file, line and key, and alone if it is alone."""
        change(main, old, new)

        assert mistakes(main) == [f"shop.toml:{mistake}"]

    @pytest.mark.parametrize(
        ("old", "new", "mistake"),
        [
            pytest.param(
                '[news.1]\ntitle = "News"\ntext = "The first text."\n',
                "",
                "2: news.1: is missing: shop.toml has it",
                id="missing text",
            ),
            pytest.param(
                '["brand7.stats".1]\ntitle = "Statistics"\ntext = "How it is used."\n',
                "",
                '1: "brand7.stats".1: is missing: shop.toml has it',
                id="missing texts of a purpose",
            ),
            pytest.param(
                "[news.2]",
                '[news.3]\ntitle = "News"\ntext = "The third text."\n[news.2]',
                "5: news.3: is the text of no version in shop.toml",
                id="text without a version",
            ),
            pytest.param(
                "[news.2]",
                '[chat.1]\ntitle = "Chat"\ntext = "A text."\n[news.2]',
                "5: chat.1: is the text of no version in shop.toml",
                id="text without a purpose",
            ),
            pytest.param(
                "The second text,\non two lines.",
                "",
                "7: news.2.text: must not be empty",
                id="empty text",
            ),
            pytest.param(
                '"Statistics"', '""', '13: "brand7.stats".1.title: must not be empty', id="no title"
            ),
            pytest.param(
                '"Statistics"',
                '"Statistics\\n\\nHow"',
                '13: "brand7.stats".1.title: must be one line',
                id="title on several lines",
            ),
            pytest.param(
                'text = "How it is used."',
                "",
                '12: "brand7.stats".1.text: is missing',
                id="missing text of a notice",
            ),
            pytest.param(
                'text = "How it is used."',
                'text = "How it is used."\nfooter = "None."',
                '15: "brand7.stats".1.footer: is not a key that belongs here',
                id="unknown key",
            ),
        ],
    )
    def test_in_the_texts(self, main: Path, old: str, new: str, mistake: str) -> None:
        """A mistake in the texts of a locale is told with that file, its line and key."""
        change(main.with_name("shop.en.toml"), old, new)

        assert mistakes(main) == [f"shop.en.toml:{mistake}"]

    @pytest.mark.parametrize(
        ("file", "old", "new", "line"),
        [
            ("shop.toml", '"legitimate_interest"', "legitimate_interest", 41),
            ("shop.toml", "[controllers.brand7]", "[controllers.shop]", 9),
            ("shop.toml", 'fr = "Contient le panier." }\n', 'fr = """Contient\n\n', 47),
            ("shop.en.toml", "[news.2]", "[news.2", 5),
        ],
    )
    def test_syntax(self, main: Path, file: str, old: str, new: str, line: int) -> None:
        """What is not TOML is told with its line; if it never ends, with the last line."""
        change(main.with_name(file), old, new)
        (told,) = mistakes(main)

        assert told.startswith(f"{file}:{line}: is not TOML: ")
        assert "(at " not in told

    def test_bad_purpose_id(self, main: Path) -> None:
        """A purpose whose id no request could name is refused."""
        for file in main.parent.iterdir():
            file.write_text(file.read_text("utf-8").replace("news", "News"), "utf-8")

        assert mistakes(main) == [
            "shop.toml:16: purposes.News: must be a name of a-z, 0-9 and _, "
            "with at most one prefix and a dot before it"
        ]

    @pytest.mark.parametrize(("new", "line"), [("", 1), ("[purposes]\n\n", 16)])
    def test_no_purpose(self, main: Path, new: str, line: int) -> None:
        """A catalogue without a purpose is refused, and so are the texts that are left over."""
        change(main, PURPOSES, new)
        told, *left_over = mistakes(main)

        assert told.startswith(f"shop.toml:{line}: purposes: ")
        assert len(left_over) == 6

    def test_purpose_that_is_no_table(self, main: Path) -> None:
        """A purpose that is not a table is refused, whatever else is in the catalogue."""
        change(main, PURPOSES, "[purposes]\nnews = 3\n\n")

        assert mistakes(main)[0] == "shop.toml:17: purposes.news: must be a table"

    @pytest.mark.parametrize(("new", "line"), [("versions = []\n", 25), ("", 16)])
    def test_no_version(self, main: Path, new: str, line: int) -> None:
        """A purpose without a notice to show is refused."""
        change(main, VERSIONS, new)

        assert mistakes(main)[0].startswith(f"shop.toml:{line}: purposes.news.versions: ")

    def test_no_texts(self, main: Path) -> None:
        """A catalogue without any file of texts is refused."""
        for file in main.parent.glob("shop.*.toml"):
            file.unlink()

        assert mistakes(main)[0] == (
            "shop.toml:1: has no texts: a file for each locale, X.LOCALE.toml, must stand beside it"
        )

    def test_file_named_after_no_locale(self, main: Path) -> None:
        """A file of texts that nobody would be shown is refused, not overlooked."""
        (main.parent / "shop.french.toml").write_text(FRENCH, "utf-8")

        assert mistakes(main) == ["shop.french.toml:1: is named after no locale: french"]

    def test_other_encoding(self, main: Path) -> None:
        """A file that is not UTF-8 is told with the line of the first wrong byte."""
        main.with_name("shop.fr.toml").write_bytes(FRENCH.replace("’", "é").encode("latin-1"))

        assert mistakes(main) == ["shop.fr.toml:11: is not UTF-8"]

    def test_broken_catalogue(self, main: Path) -> None:
        """Syntax errors are told for every file; nothing is guessed from a file that has one."""
        change(main, 'kind = "cookie"', 'kind = "cookie')
        change(main.with_name("shop.en.toml"), '"Statistics"', '"Statistics')
        change(main.with_name("shop.fr.toml"), '"Statistiques"', '""')
        told = [line.split(": ")[0] for line in mistakes(main)]

        assert told == ["shop.toml:33", "shop.en.toml:13", "shop.fr.toml:10"]

    def test_all_at_once(self, main: Path) -> None:
        """Many mistakes are told at once, file by file and from the top, each with its line."""
        change(main, '"Brand Seven"', "7")
        change(main, 'basis = "consent"\n', "")
        change(main, "validity_months = 13", "validity_months = 1300")
        change(main, '"user_agent"', '"agent"')
        change(main, 'version = "2"', 'version = "1"')
        change(main, 'kind = "cookie"', 'kind = """\nbiscuit"""')
        change(main, "goal.fr", "goal.de")
        change(main, 'controller = "brand7"', 'controller = "shop"')
        change(main, 'cart.", fr = ', 'cart.", colour = "red", fr = ')
        change(main.with_name("shop.en.toml"), '"The first text."', '" "')
        change(main.with_name("shop.fr.toml"), '["brand7.stats".1]', '["brand7.stats".2]')
        with pytest.raises(CatalogueInvalid) as refused:
            load(main)

        stats = '"brand7.stats"'
        assert [(one.file, one.line, one.key) for one in refused.value.mistakes] == [
            ("shop.toml", 10, "controllers.brand7.name"),
            ("shop.toml", 16, "purposes.news.basis"),
            ("shop.toml", 18, "purposes.news.validity_months"),
            ("shop.toml", 22, "purposes.news.evidence[1]"),
            ("shop.toml", 28, "purposes.news.versions[1].version"),
            ("shop.toml", 32, "purposes.news.trackers[0].kind"),
            ("shop.toml", 36, "purposes.news.trackers[0].goal.fr"),
            ("shop.toml", 37, "purposes.news.trackers[0].goal.de"),
            ("shop.toml", 40, f"purposes.{stats}.controller"),
            ("shop.toml", 47, "essential_storage[0].goal.colour"),
            ("shop.en.toml", 3, "news.1.text"),
            ("shop.fr.toml", 9, f"{stats}.1"),
            ("shop.fr.toml", 9, f"{stats}.2"),
        ]
        assert len(str(refused.value).splitlines()) == len(refused.value.mistakes)


def test_printed_mistake() -> None:
    """A mistake prints as a compiler's would, so that editors jump to it."""
    mistake = Mistake("default.toml", 12, "purposes.newsletter.basis", "is missing")

    assert str(mistake) == "default.toml:12: purposes.newsletter.basis: is missing"
