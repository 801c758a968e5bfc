"""Gathers the packages of all systems in one folder, for a release: release.py PARTS DIST TAG [ADDRESS].

Every package is checked against the SHA256SUMS that came with it, then all get one file of sums. NOTES.md is
the changelog of this version. With the ADDRESS below which the files will be available, winget/ gets the
manifest for Windows' package manager.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import product


def main(arguments: Sequence[str]) -> int:
    """Gather, and return the exit status."""
    if len(arguments) not in {3, 4}:
        print(__doc__)
        return 2
    parts, dist, tag = Path(arguments[0]), Path(arguments[1]), arguments[2]
    if tag != f"v{product.version()}":
        sys.exit(f"The tag {tag} is not that of version {product.version()}.")
    gather(parts, dist)
    product.write_sums(dist)
    for address in arguments[3:]:
        write_manifest(dist / product.file_name("windows", ".exe"), address, dist / "winget")
    (dist / "NOTES.md").write_text(notes(), encoding="utf-8")
    return 0


def gather(parts: Path, dist: Path) -> None:
    """Copy all packages below ``parts`` into ``dist``; verify sums and unique names."""
    dist.mkdir(parents=True, exist_ok=True)
    for sums in sorted(parts.rglob("SHA256SUMS")):
        for line in sums.read_text(encoding="utf-8").splitlines():
            told, name = line.split("  ", 1)
            package = sums.parent / name
            if hashlib.sha256(package.read_bytes()).hexdigest() != told:
                sys.exit(f"{package} is not what was built.")
            if (dist / name).exists():
                sys.exit(f"There are two of {name}.")
            shutil.copy(package, dist)


def notes() -> str:
    """The changelog of this version."""
    text = (product.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## \[{re.escape(product.version())}\][^\n]*\n(.*?)(?=^## \[|\Z)", text, re.M | re.S)
    if found is None or not found[1].strip():
        sys.exit(f"CHANGELOG.md says nothing of version {product.version()}.")
    return found[1].strip() + "\n"


# --- the manifest by which Windows' own package manager knows the installer: ``winget install`` -------
#
# Three files, as "Create your package manifest" at learn.microsoft.com describes them; JSON is YAML, too.

IDENTIFIER = "HandyQwen.HandyQwen"
FORM = "1.6.0"  # of the manifests
SCOPES = {"user": "/CURRENTUSER", "machine": "/ALLUSERS"}


def write_manifest(installer: Path, address: str, folder: Path) -> None:
    """Write the manifest of ``installer``, to be downloaded from below ``address``, into ``folder``."""
    digest = hashlib.sha256(installer.read_bytes()).hexdigest().upper()
    one = {
        "Architecture": "x64",
        "InstallerUrl": f"{address}/{installer.name}",
        "InstallerSha256": digest,
        "ProductCode": f"{{{product.INSTALLER_ID}}}_is1",  # as registered by Inno Setup
    }
    parts: dict[str, dict[str, Any]] = {
        "version": {"DefaultLocale": "en-US"},
        "installer": {
            "InstallerType": "inno",
            "MinimumOSVersion": "10.0.17763.0",
            "UpgradeBehavior": "install",
            "Commands": [product.NAME],
            "Installers": [
                {**one, "Scope": scope, "InstallerSwitches": {"Custom": switch}}
                for scope, switch in SCOPES.items()
            ],
        },
        "defaultLocale": {
            "PackageLocale": "en-US",
            "Publisher": product.PUBLISHER,
            "PackageName": product.TITLE,
            "License": "MIT",
            "ShortDescription": product.description(),
        },
    }
    endings = {"version": "", "installer": ".installer", "defaultLocale": ".locale.en-US"}
    folder.mkdir(parents=True, exist_ok=True)
    for kind, facts in parts.items():
        manifest = {"PackageIdentifier": IDENTIFIER, "PackageVersion": product.version(), **facts}
        manifest |= {"ManifestType": kind, "ManifestVersion": FORM}
        text = json.dumps(manifest, indent=2, ensure_ascii=False)
        (folder / f"{IDENTIFIER}{endings[kind]}.yaml").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
