"""The manifest of our compact package: what the folder holds and how it was made.

The manifest is written last, so that a folder with one is complete. It names every file with its size and
SHA-256, so that damage is detected before the weights are used.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

from handy_qwen.engine.json_files import as_corrupt, read_object, write_object
from handy_qwen.engine.qwen3.model import ModelConfig
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from handy_qwen.message import Message

MANIFEST_FILE = "manifest.json"
FORMAT = 2
"""Incremented when an older program cannot run newer packages, or a newer one older packages."""
_REINSTALL = Message(
    "Install it again (handy-qwen model install), or convert its checkpoint again (model convert)."
)
_NOT_A_MANIFEST = Message("it is not the manifest of a package")
_PIECE_BYTES = 1 << 20
_MAX_PASS_S = 1200.0  # as in training


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Size and SHA-256 (hexadecimal) of a file."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TableForm:
    """How ``embedding.data`` holds the embedding table, which is also the output head.

    With 32 ``bits`` it is the plain table (vocab, hidden), float32. Otherwise codes of ``bits`` bits
    (vocab, blocks, block * bits / 8), uint8, from the beginning; scales (vocab, blocks), float32, from their
    offset; and for 4 bits the zero points (vocab, ceil(blocks / 2)), uint8, two to a byte, from theirs.
    """

    bits: int
    block: int = 0
    scales_offset_bytes: int = 0
    zeros_offset_bytes: int = 0

    def __post_init__(self) -> None:
        if self.bits not in {4, 8, 32} or min(astuple(self)) < 0 or (self.bits < 32) != (self.block > 0):
            raise ValueError("a table of another form")


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How close the package is to its checkpoint in float32, measured on the check speech when it was made.

    Without clips, nothing was compared; the notes say why. Errors are relative: 0.004 is 0.4 %.
    """

    clips: int = 0
    clips_same: int = 0  # with the same first choice at each token
    choices: int = 0  # tokens of all clips
    choices_same: int = 0
    features: float = 0.0  # error of the encoder's output
    logits: float = 0.0  # error of the logits
    notes: tuple[str, ...] = ()  # sentences for the user

    def __post_init__(self) -> None:
        counts = (self.clips, self.clips_same, self.choices, self.choices_same)
        if not all(isinstance(count, int) and not isinstance(count, bool) for count in counts):
            raise TypeError("a count that is none")
        if not (0 <= self.clips_same <= self.clips and 0 <= self.choices_same <= self.choices):
            raise ValueError("more is the same than there is")
        for error in (self.features, self.logits):
            if not isinstance(error, int | float) or not 0 <= error < math.inf:
                raise ValueError("an error that is none")
        if not all(isinstance(note, str) for note in self.notes):
            raise TypeError("a note that is no text")

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Fidelity:
        """Inverse of ``dataclasses.asdict``; TypeError or ValueError for anything else."""
        return cls(**(raw | {"notes": tuple(raw.get("notes", ()))}))


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of the manifest."""

    name: str
    preset: str
    config: ModelConfig
    pass_s: float
    embedding: TableForm
    precision: dict[str, str]  # part -> its form in words
    source: dict[str, str]  # file of the checkpoint -> SHA-256
    files: dict[str, FileEntry]
    licence: str = ""
    notice: str = ""
    fidelity: Fidelity | None = None  # None for float32, and in packages made by older programs
    format: int = FORMAT

    def __post_init__(self) -> None:
        if not all(isinstance(text, str) for text in (self.name, self.preset, self.licence, self.notice)):
            raise TypeError("a name that is no text")
        if not (isinstance(self.precision, dict) and isinstance(self.source, dict)):
            raise TypeError("a list where names belong")
        if not 1 <= self.pass_s <= _MAX_PASS_S:
            raise ValueError("a pass of no sensible length")

    def save(self, folder: Path) -> None:
        """Write the manifest into ``folder``."""
        write_object(folder / MANIFEST_FILE, asdict(self))


def load_manifest(folder: Path) -> Manifest:
    """Read and check the manifest; the files' sizes are compared, their hashes are not (see ``find_damage``).

    ModelMissingError: it or a file that it names is missing. ModelCorruptError: it is unreadable, of a newer
    format, or a file has another size.
    """
    path = folder / MANIFEST_FILE
    with as_corrupt(path, _NOT_A_MANIFEST):
        raw = read_object(path)
        _check_format(path, raw.get("format"))
        files = {_plain_name(name): FileEntry(**entry) for name, entry in raw.pop("files").items()}
        config = ModelConfig.from_dict(raw.pop("config"))
        embedding = TableForm(**raw.pop("embedding"))
        fidelity = raw.pop("fidelity", None)
        manifest = Manifest(
            **raw,
            config=config,
            embedding=embedding,
            files=files,
            fidelity=None if fidelity is None else Fidelity.from_dict(fidelity),
        )
    for name, entry in manifest.files.items():
        _check_size(folder / name, entry)
    return manifest


def _check_format(path: Path, found: object) -> None:
    if isinstance(found, int) and 0 < found < FORMAT:
        raise ModelCorruptError(path, Message("an older version of the program made the package"), _REINSTALL)
    if found != FORMAT:
        problem = Message("it is of format {found}, not {format}", found=repr(found), format=FORMAT)
        raise ModelCorruptError(path, problem, Message("Update the program or convert again."))


def _plain_name(name: object) -> str:
    """Reject names that lead outside the folder."""
    if not isinstance(name, str) or Path(name).name != name:
        raise ValueError("a name of a file is a path")
    return name


def is_package(folder: Path) -> bool:
    """Whether ``folder`` is a package of any format, even damaged, and nothing else."""
    try:
        raw = read_object(folder / MANIFEST_FILE)
    except (OSError, ValueError):
        return False
    return {"format", "preset", "config", "files"} <= raw.keys()


def other_files(folder: Path) -> list[str]:
    """Names in ``folder`` that are not in its manifest, sorted. Raises OSError or ModelCorruptError."""
    path = folder / MANIFEST_FILE
    with as_corrupt(path, _NOT_A_MANIFEST):
        known = {MANIFEST_FILE, *read_object(path)["files"].keys()}
    return sorted(entry.name for entry in folder.iterdir() if entry.name not in known)


def find_damage(folder: Path, manifest: Manifest) -> None:
    """Verify the SHA-256 of every file. Raises ModelMissingError or ModelCorruptError."""
    for name, entry in manifest.files.items():
        _check_size(folder / name, entry)
        if sha256_of(folder / name) != entry.sha256:
            raise ModelCorruptError(folder / name, Message("its contents have changed"))


def _check_size(path: Path, entry: FileEntry) -> None:
    if not path.is_file():
        raise ModelMissingError(path)
    size = path.stat().st_size
    if size != entry.size_bytes:
        raise ModelCorruptError(
            path, Message("it has {size} bytes instead of {expected}", size=size, expected=entry.size_bytes)
        )


def sha256_of(path: Path, on_read: Callable[[int], None] = lambda _bytes: None) -> str:
    """SHA-256 of a file, hexadecimal. ``on_read`` is called after each piece with its size in bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            on_read(len(piece))
    return digest.hexdigest()


def describe(path: Path, on_read: Callable[[int], None] = lambda _bytes: None) -> FileEntry:
    """Size and SHA-256 of a newly written file. For ``on_read`` see ``sha256_of``."""
    return FileEntry(path.stat().st_size, sha256_of(path, on_read))
