"""Has Debian's own tools look at the menu entry, the AppStream data, the manual and the package."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import linux_files
import product

TAGS_EXPECTED = (  # of lintian; what they complain about is what a program with its own Python is
    "bogus-mail-host",  # the project has no address
    "copyright-file-contains-full-apache-2-license",  # the same texts go to all systems
    "copyright-file-contains-full-gpl-license",
    "old-fsf-address-in-copyright-file",
    "malformed-deb-archive",  # Debian 12's lintian does not know zstd yet; its dpkg does
    "embedded-library",
    "dir-or-file-in-opt",
    "hardening-no-pie",
    "library-not-linked-against-libc",
    "no-copyright-file",
    "copyright-not-using-common-license-for-apache2",
    "copyright-not-using-common-license-for-gpl",
    "copyright-not-using-common-license-for-lgpl",
    "initial-upload-closes-no-bugs",
    "unstripped-binary-or-object",
    "shared-library-lacks-prerequisites",
    "custom-library-search-path",
    "binary-or-shlib-defines-rpath",
    "changelog-file-missing-in-native-package",
    "missing-depends-on-sensible-utils",
    "shared-library-is-executable",
    "elf-error",
    "spelling-error-in-binary",
)


def check() -> None:
    """Check everything.

    Raises:
        SystemExit: Something is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        share = Path(folder)
        linux_files.write_share(share)
        check_share(share)
    packages = list(product.DIST.glob("*.deb"))
    if packages:
        suppressed = ",".join(TAGS_EXPECTED)
        command = ["lintian", "--allow-root", "--tag-display-limit", "0", "--fail-on", "error"]
        _run([*command, "--suppress-tags", suppressed, *map(str, packages)])


def check_share(share: Path) -> None:
    """Check the menu entry, the AppStream data and the manual under ``share``."""
    _run(["desktop-file-validate", str(share / "applications" / f"{product.APP_ID}.desktop")])
    about = share / "metainfo" / f"{product.APP_ID}.metainfo.xml"
    _run(["appstreamcli", "validate", "--no-net", "--pedantic", str(about)])
    page = share / "man" / "man1" / f"{product.NAME}.1.gz"
    complaints = _run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)])
    if complaints:
        raise SystemExit(f"man complains:\n{complaints}")


def _run(command: list[str]) -> str:
    """Run a tool, show what it says, and return what it complains about."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    said = done.stdout if command[0] != "man" else ""
    print("+", " ".join(command), said, done.stderr, sep="\n" if said or done.stderr else " ")
    if done.returncode:
        raise SystemExit(f"{command[0]} is not content.")
    return done.stderr
