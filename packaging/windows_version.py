"""The version that Windows shows among the properties of the program's file."""

from __future__ import annotations

import product


def resource() -> str:
    """The text of a PyInstaller version file.

    Source: PyInstaller 6 manual, "Capturing Windows Version Data"; VERSIONINFO in the Windows documentation.
    """
    version = product.version()
    texts = {
        "CompanyName": product.PUBLISHER,
        "FileDescription": product.TITLE,
        "FileVersion": version,
        "InternalName": product.NAME,
        "LegalCopyright": f"© {product.PUBLISHER}, MIT licence",
        "OriginalFilename": f"{product.NAME}.exe",
        "ProductName": product.TITLE,
        "ProductVersion": version,
    }
    lines = ",\n      ".join(f"StringStruct({name!r}, {text!r})" for name, text in texts.items())
    return f"""VSVersionInfo(
  ffi=FixedFileInfo(filevers={numbers()}, prodvers={numbers()}, mask=0x3F, flags=0, OS=0x40004, fileType=1),
  kids=[
    StringFileInfo([StringTable('040904B0', [
      {lines}
    ])]),
    VarFileInfo([VarStruct('Translation', [0x409, 1200])]),
  ],
)
"""


def numbers() -> tuple[int, ...]:
    """The version as Windows has it: four numbers."""
    return (*map(int, product.version().split(".")), 0)
