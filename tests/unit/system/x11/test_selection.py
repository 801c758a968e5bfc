"""What a clipboard holds."""

import pytest

pytest.importorskip("Xlib", reason="python-xlib is installed on Linux only")
from handy_qwen.system.x11.selection import PRIVATE_FORMAT, text_content, worth_keeping


def test_a_text_is_offered_in_all_its_formats_and_marked_as_private():
    content = text_content("naïve €")
    assert content["UTF8_STRING"].data == "naïve €".encode()
    assert content["STRING"].data == b"na\xefve ?"
    assert content[PRIVATE_FORMAT].data == b"secret"
    assert "naïve" not in repr(content)


@pytest.mark.parametrize(
    ("offered", "kept"),
    [
        ("TARGETS image/svg+xml MULTIPLE x-own UTF8_STRING DELETE PIXMAP", "UTF8_STRING image/svg+xml x-own"),
        ("image/bmp image/webp image/png text/html image/svg+xml", "text/html image/png image/svg+xml"),
        ("image/jpeg image/tiff", "image/jpeg image/tiff"),
    ],
)
def test_text_comes_first_a_picture_in_one_lossless_format_and_what_is_not_content_never(offered, kept):
    assert worth_keeping(["", *offered.split()]) == kept.split()
