"""What a Linux desktop wants besides the program: menu entry, AppStream data, icons, manual, completions."""

from __future__ import annotations

from pathlib import Path

import icons
import licences
import pages
import product
from frozen import ORIGINS

TEMPLATES = product.PACKAGING / "linux"


def write_share(share: Path) -> None:
    """Write all of it under ``share`` (…/usr/share)."""
    entry = share / "applications" / f"{product.APP_ID}.desktop"
    about = share / "metainfo" / f"{product.APP_ID}.metainfo.xml"
    for file, template in ((entry, "handy-qwen.desktop.in"), (about, "handy-qwen.metainfo.xml.in")):
        file.parent.mkdir(parents=True)
        file.write_text(product.filled(TEMPLATES / template), encoding="utf-8")
    icons.write_hicolor(share / "icons" / "hicolor")
    pages.write_pages(share)


def licence_text(*, has_system: bool) -> str:
    """The licences of the program and all that is in it.

    Raises:
        licences.LicenceError: One is not to be found.
    """
    return licences.collect(ORIGINS, has_system=has_system)
