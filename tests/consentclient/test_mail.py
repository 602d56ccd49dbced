"""The headers of a mail that its reader can leave with one click."""

from email.message import EmailMessage

import pytest

from consentclient import unsubscribe_headers


def test_both_headers_for_one_click() -> None:
    """A mailer puts them into its message as they are."""
    message = EmailMessage()
    for name, value in unsubscribe_headers("https://panel.example/", "a-b_C1").items():
        message[name] = value

    assert message["List-Unsubscribe"] == "<https://panel.example/unsubscribe/a-b_C1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_an_address_for_those_that_know_no_other_way() -> None:
    """It comes second: the first way is the one that is taken."""
    headers = unsubscribe_headers("https://a.example", "t", mailto="leave@a.example")

    assert headers["List-Unsubscribe"] == (
        "<https://a.example/unsubscribe/t>, <mailto:leave@a.example>"
    )


@pytest.mark.parametrize(
    ("panel", "token", "mailto"),
    [
        ("http://panel.example", "t", None),
        ("panel.example", "t", None),
        ("https://panel.example/?a", "t", None),
        ("https://panel.example/\r\nBcc: a@b.example", "t", None),
        ("https://pañel.example", "t", None),
        ("https://panel.example", "", None),
        ("https://panel.example", "t", "no address"),
        ("https://panel.example", "t", "a@b.example>\r\nBcc: <c@d.example"),
    ],
)
def test_what_would_break_the_header_is_refused(panel: str, token: str, mailto: str | None) -> None:
    """Nothing of it gets into a message."""
    with pytest.raises(ValueError, match=r"address|token"):
        unsubscribe_headers(panel, token, mailto=mailto)


def test_a_token_cannot_leave_its_place() -> None:
    """Whatever it holds stays one part of the path."""
    headers = unsubscribe_headers("https://panel.example", "../>\r\n")

    assert headers["List-Unsubscribe"] == "<https://panel.example/unsubscribe/..%2F%3E%0D%0A>"
