"""What the frozen program holds and what it leaves out.

Left out is what the program does not use, and on Linux what belongs to the system. libasound, for one,
looks for its plugins where its own distribution puts them, so that a copy of Debian's is deaf elsewhere; of
GTK, X11 and GL there must be one in a process, that of the desktop. Whether something needed is missing is
found out by frozen.py: it imports every module and has the program transcribe and convert.
"""

from __future__ import annotations

import fnmatch
import re
import sys
from collections.abc import Iterable

Entry = tuple[str, str, str]  # PyInstaller's: place in the folder, source, kind

HIDDEN_IMPORTS = [] if sys.platform == "linux" else ["pynput.keyboard", "pynput.mouse"]

EXCLUDED_MODULES = [
    "av",  # FFmpeg would double the size; M4A and videos are an extra of the Python package
    "IPython",
    "PIL",
    "matplotlib",
    "numpy.f2py",
    "pytest",
    "readline",
    "setuptools",
    "tkinter",
    "pydoc",
    "doctest",
    "pdb",
]

_QT = "*PySide6/"
UNUSED = (  # patterns of places in the folder
    _QT + "*translations/[!q]*",  # of those, only Qt's own buttons and dialogs: qtbase_*
    _QT + "*translations/qt[!b]*",
    "*/locale/*.po*",  # of which the .mo files are made
    _QT + "*plugins/egldeviceintegrations/*",  # screens without a window system
    _QT + "*plugins/platforms/*eglfs*",
    _QT + "*plugins/platforms/*linuxfb*",
    _QT + "*plugins/platforms/*minimal*",
    _QT + "*plugins/platforms/*vkkhr*",
    _QT + "*plugins/platforms/*vnc*",
    _QT + "*plugins/generic/*",
    _QT + "*plugins/networkinformation/*",
    _QT + "*plugins/tls/*",
    _QT + "*plugins/imageformats/*q[!s]*",  # all icons are SVG
    _QT + "*QtNetwork.*",
    "*Qt6EglFS*",
    "*Qt6EglFs*",
    "*Qt6Network.*",
    "*.dist-info/RECORD",
    "*.dist-info/sboms/*",
    "*.dist-info/licenses/*",  # the licences of all are in one file
    "*/onnx/backend/test/*",
)

SYSTEM_LIBRARIES_SHIPPED = (  # what Python and Qt need and not every desktop has, or not in this version
    r"libpython3\.\d+|libssl|libcrypto|libffi|libsqlite3|libbz2|liblzma|libmpdec"
    r"|libxcb-(cursor|icccm|image|keysyms|render-util|shape|util|xkb)|libxkbcommon(-x11)?"
)
_SYSTEM = re.compile(r"/(usr/)?lib(64)?/([a-z0-9_]+-linux-gnu/)?lib[^/]+\.so[.\d]*")
_SHIPPED = re.compile(rf"({SYSTEM_LIBRARIES_SHIPPED})\.so[.\d]*")


def wanted(entries: Iterable[Entry]) -> list[Entry]:
    """The entries that go into the folder."""
    return [entry for entry in entries if is_wanted(entry[0], entry[1])]


def is_wanted(place: str, source: str) -> bool:
    """Whether the file ``source`` is to stand at ``place`` in the folder."""
    place = place.replace("\\", "/")
    if any(fnmatch.fnmatchcase(place, pattern) for pattern in UNUSED):
        return False
    return not is_of_the_system(source) or is_shipped(place)


def is_of_the_system(source: str) -> bool:
    """Whether ``source`` is a library of this Linux system (and not one of a Python package)."""
    return _SYSTEM.fullmatch(source) is not None


def is_shipped(place: str) -> bool:
    """Whether a library of the system is copied all the same."""
    return _SHIPPED.fullmatch(place.rsplit("/", 1)[-1]) is not None
