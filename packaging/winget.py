"""The manifest by which Windows' own package manager knows the installer: ``winget install``.

Three files, as "Create your package manifest" at learn.microsoft.com describes them; JSON is YAML, too.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import product

IDENTIFIER = "HandyQwen.HandyQwen"
FORM = "1.6.0"  # of the manifests
SCOPES = {"user": "/CURRENTUSER", "machine": "/ALLUSERS"}


def write_manifest(installer: Path, address: str, folder: Path) -> None:
    """Write into ``folder`` the manifest of ``installer``, which is downloaded from below ``address``."""
    digest = hashlib.sha256(installer.read_bytes()).hexdigest().upper()
    one = {
        "Architecture": "x64",
        "InstallerUrl": f"{address}/{installer.name}",
        "InstallerSha256": digest,
        "ProductCode": f"{{{product.INSTALLER_ID}}}_is1",  # as Inno Setup registers it
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
