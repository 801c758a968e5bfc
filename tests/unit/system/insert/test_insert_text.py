"""What may be inserted at all, and what a clipboard holds."""

from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.system.insert.backend import printable
from handy_qwen.system.x11.selection import PRIVATE_FORMAT, text_content, worth_keeping


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_characters_that_can_be_seen_are_left_as_they_are(text):
    assert printable(text) == text


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_would_obey_gets_through(text):
    shown = printable(text)
    shown.encode()  # no halves of characters
    assert not any(c < " " and c not in "\n\t" for c in shown)
    assert printable(shown) == shown


def test_line_ends_of_other_systems_become_line_feeds():
    assert printable("a\r\nb\rc\nd\te") == "a\nb\nc\nd\te"
    assert printable("\x1b[31mred\x00\x9b") == "[31mred"
    assert printable("\ud83d half") == "\ufffd half"


def test_a_text_is_offered_in_all_its_formats_and_marked_as_private():
    content = text_content("naïve €")
    assert content["UTF8_STRING"].data == "naïve €".encode()
    assert content["STRING"].data == b"na\xefve ?"
    assert content[PRIVATE_FORMAT].data == b"secret"


def test_no_content_shows_in_a_repr():
    content = text_content("secret words")
    assert "secret words" not in repr(content)


def test_text_is_saved_first_and_what_is_not_content_never():
    offered = [
        "TARGETS",
        "image/svg+xml",
        "MULTIPLE",
        "x-own",
        "text/html",
        "UTF8_STRING",
        "DELETE",
        "",
        "PIXMAP",
    ]
    assert worth_keeping(offered) == ["UTF8_STRING", "text/html", "image/svg+xml", "x-own"]


def test_a_picture_is_kept_in_one_format_without_loss_if_it_has_that():
    assert worth_keeping(["image/bmp", "image/webp", "image/png", "text/html", "image/svg+xml"]) == [
        "text/html",
        "image/png",
        "image/svg+xml",
    ]
    assert worth_keeping(["image/jpeg", "image/tiff"]) == ["image/jpeg", "image/tiff"]
