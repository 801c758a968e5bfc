"""A model as the user provides it: a folder or an archive. Finds the model, or says why it cannot be used.

People provide what they have: a hub's cache folder, a clone without its large files, a folder one level too
high, a model for another engine. Each is used, or answered with what to do about it.

Paths inside an archive are ignored: only file names count, and all files go straight into one new folder, so
that no name can lead out of it. An archive with links or devices is refused: no checkpoint has them. Sizes
are checked before anything is written, file by file: a tiny archive that claims to be huge ends at the free
space, or at a limit far above every checkpoint.
"""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from handy_qwen.convert.checkpoint import aligner_error
from handy_qwen.engine.json_files import as_corrupt, read_object
from handy_qwen.engine.qwen3.manifest import is_package
from handy_qwen.engine.qwen3.model import ModelConfig
from handy_qwen.engine.qwen3.published import is_published_layout
from handy_qwen.errors import ConversionError, ModelCorruptError
from handy_qwen.languages import ALL_LANGUAGES
from handy_qwen.message import Message, Size, sentences

SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")
"""Extensions of archives."""
_MAX_BYTES = 64 << 30  # the largest checkpoint, in float32, is 8 GB
_MAX_FILES = 10_000
_PIECE_BYTES = 1 << 20
_SPARE_BYTES = 64 << 20  # never fill a disk to the last byte
_MOST_HEADER_BYTES = 1 << 20  # of a tar header for one file
_BROKEN: tuple[type[Exception], ...] = (
    *(tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, NotImplementedError),
    # Errors of the libraries for malicious headers.
    *(ValueError, LookupError, TypeError, ArithmeticError, struct.error, RecursionError),
)
_WEIGHTS = {".safetensors", ".onnx", ".gguf", ".pt", ".pth", ".bin"}
_POINTER = b"version https://git-lfs.github.com/spec/"
_MOST_POINTER_BYTES = 1024
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.safetensors")
_CACHED = re.compile(r"models--[^/]+")
_ALIGNER = re.compile(r"forced_?aligner|TokenClassification", re.IGNORECASE)
_KINDS = ("model_type", "architectures")
_INSTALL = Message("Or let it be downloaded: handy-qwen model install NAME")
_WANTED = sentences(
    Message("Give an official checkpoint, a published ONNX model or a package."),
    _INSTALL,
)


@contextmanager
def opened_source(
    source: Path, beside: Path, on_read: Callable[[float], None] = lambda _share: None
) -> Iterator[Path]:
    """The folder of the model ``source``: itself, or the unpacked archive.

    The model is also found in a hub's cache, or in a folder around it. An archive is unpacked beside
    ``beside`` and removed afterwards; ``on_read`` is called with the share unpacked, 0 to 1.
    ModelCorruptError: the archive is broken, or holds files that no checkpoint has. ConversionError:
    ``source`` is neither, or there is no space for its files.
    """
    check_is_source(source)
    if source.is_dir():
        try:
            folder = _model_folder(source)
            _check_layout(folder, source.name or str(source))
        except OSError as exc:
            raise ConversionError(
                Message("{source} cannot be read: {reason}.", source=source, reason=exc.strerror),
                Message("Check its permissions."),
            ) from exc
        yield folder
        return
    parent = beside.parent
    while not parent.is_dir() and parent != parent.parent:  # create nothing yet: the archive may be refused
        parent = parent.parent
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{beside.name}.source.", dir=parent))
    except OSError as exc:
        raise ConversionError(
            Message("{folder} cannot be written to.", folder=beside.parent), Message("Choose another place.")
        ) from exc
    try:
        _unpack(source, folder, on_read)
        _check_layout(folder, source.name)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_is_source(source: Path) -> None:
    """Raise ConversionError unless it is a folder or has an archive's extension."""
    if not source.exists():
        raise ConversionError(
            Message("There is nothing called {source}.", source=source),
            Message("Give a folder or an archive."),
        )
    if source.suffix.lower() == ".gguf":
        raise _gguf_error(source.name)
    if source.suffix.lower() in {".safetensors", ".onnx"}:
        raise ConversionError(
            Message("{name} is one file of a model.", name=source.name),
            Message("Give the folder that it is in."),
        )
    is_archive = source.is_file() and source.name.lower().endswith(SUFFIXES)
    if not (source.is_dir() or is_archive):  # a pipe can be read only once
        raise ConversionError(
            Message("{source} is neither a folder nor an archive.", source=source),
            Message("Give a folder, .tar.gz or .zip."),
        )


def repository_name(source: Path) -> str:
    """The name of the model in a hub's cache; for another folder or archive, its own name."""
    place = source.resolve()
    for folder in (place, *place.parents[:2]):
        if _is_cache(folder):
            return folder.name.rpartition("--")[2]
    return place.name


def model_type(config: Path) -> str:
    """The model type in the file ``config``; empty if there is none."""
    try:
        raw = read_object(config)
    except (OSError, ValueError):
        return ""  # reported where it is needed
    thinker = raw.get("thinker_config", raw)
    return str(thinker.get("model_type", "")) if isinstance(thinker, dict) else ""


def check_config(config: Path, called: str) -> None:
    """Refuse a checkpoint whose file ``config`` describes a model that cannot be converted.

    Its weights need not be here yet. ``called`` is the user's name for it. ConversionError: it is one of our
    models for another task. ModelMissingError, ModelCorruptError: it describes no Qwen3-ASR model.
    """
    _refuse_aligner(config, called)
    hint = Message("Give an official checkpoint: Qwen/Qwen3-ASR-0.6B or Qwen/Qwen3-ASR-1.7B.")
    with as_corrupt(config, Message("{model} is not a Qwen3-ASR model", model=called), hint, hint):
        ModelConfig.from_checkpoint(read_object(config), ALL_LANGUAGES)


def _refuse_aligner(config: Path, called: str) -> None:
    """Recognize it by any of the names that its versions use."""
    try:
        raw = read_object(config)
    except (OSError, ValueError):
        return  # reported where it is needed
    thinker = raw.get("thinker_config")
    kinds = [part.get(key) for part in (raw, thinker) if isinstance(part, dict) for key in _KINDS]
    if _ALIGNER.search(str(kinds)):
        raise aligner_error(called)


# ---- folders ---------------------------------------------------------------------------------------------


def _model_folder(source: Path) -> Path:
    """The folder of the model: ``source``, a snapshot of a hub's cache, or the only folder inside."""
    if _is_cache(source):
        return _snapshot(source)
    if _has_model(source):
        return source
    inside = [path for path in _folders(source) if _is_cache(path) or _has_model(path)]
    if len(inside) > 1:
        names = ", ".join(path.name for path in inside[:6]) + (", …" if len(inside) > 6 else "")
        raise ConversionError(
            Message("There are several models in {source}: {names}.", source=source, names=names),
            Message("Give the folder of one."),
        )
    return _model_folder(inside[0]) if inside else source


def _snapshot(cache: Path) -> Path:
    """The snapshot of "main", or the only one. Incomplete downloads contain no model."""
    snapshots = _folders(cache / "snapshots")
    snapshots = [path for path in snapshots if _has_model(path)] or snapshots
    main = cache / "refs" / "main"
    commit = main.read_text(encoding="utf-8", errors="replace").strip() if main.is_file() else ""
    found = [path for path in snapshots if path.name == commit] or snapshots
    if len(found) == 1:
        return found[0]
    if found:
        hint = Message("Give the folder of one, below {cache}.", cache=cache / "snapshots")
        raise ConversionError(Message("{name} holds several versions of the model.", name=cache.name), hint)
    raise ConversionError(
        Message("{name} holds no version of the model.", name=cache.name),
        Message("Download it again, or give another folder."),
    )


def _check_layout(folder: Path, called: str) -> None:
    """Refuse a known layout that cannot be used; ``called`` is the user's name for it."""
    files = sorted(path for path in folder.iterdir() if not path.is_dir())
    names = {path.name for path in files}
    for path in files:
        if not path.is_file():
            told = Message("{model} is incomplete: {name} is not a file.", model=called, name=path.name)
            if path.is_symlink():
                told = Message(
                    "{model} is incomplete: {name} is a link to a file that is not there.",
                    model=called,
                    name=path.name,
                )
            raise ConversionError(
                told,
                sentences(Message("Download it again."), _INSTALL),
            )
        if _is_pointer(path):
            raise ConversionError(
                Message(
                    "{model} is a git clone without its large files: {name} is only a pointer.",
                    model=called,
                    name=path.name,
                ),
                sentences(Message("Run git lfs pull in it."), _INSTALL),
            )
    if is_package(folder) or is_published_layout(folder):
        return
    shards = [name for name in names if _SHARD.fullmatch(name)]
    index = "model.safetensors.index.json"
    if shards and index not in names and "model.safetensors" not in names:
        raise ConversionError(
            Message(
                "{model} lacks {index}, which says what is in which of its {count} files of weights.",
                model=called,
                index=index,
                count=len(shards),
            ),
            Message("Download that file as well, from where the others are."),
        )
    _refuse_aligner(folder / "config.json", called)
    suffixes = {path.suffix for path in files}
    if ".safetensors" in suffixes:
        return
    if ".gguf" in suffixes:
        raise _gguf_error(called)
    if any(_is_sherpa(name) for name in names):
        raise _sherpa_error(called)


def _is_cache(folder: Path) -> bool:
    return _CACHED.fullmatch(folder.name) is not None and (folder / "snapshots").is_dir()


def _has_model(folder: Path) -> bool:
    return is_package(folder) or any(path.suffix in _WEIGHTS for path in folder.iterdir())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_pointer(path: Path) -> bool:
    if path.stat().st_size > _MOST_POINTER_BYTES:
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def _is_sherpa(name: str) -> bool:
    return name.startswith("conv_frontend") and name.endswith(".onnx")


def _sherpa_error(called: str) -> ConversionError:
    return ConversionError(
        Message(
            "{model} is a model for sherpa-onnx, whose ONNX files are divided in another way.", model=called
        ),
        _WANTED,
    )


def _gguf_error(called: str) -> ConversionError:
    return ConversionError(
        Message("{model} is a GGUF model, for llama.cpp and programs like it.", model=called),
        _WANTED,
    )


# ---- archives --------------------------------------------------------------------------------------------


def _unpack(source: Path, folder: Path, on_read: Callable[[float], None]) -> None:
    members = _zip_members if source.name.lower().endswith(".zip") else _tar_members
    unpacker = _Unpacker(source, folder, on_read)
    try:
        for name, size, file, share in members(source, unpacker.check_room):
            if unpacker.is_wanted(name):
                unpacker.write(name, size, file, share)
    except FileExistsError as exc:
        raise ModelCorruptError(source, Message("it holds the same file twice")) from exc
    except _BROKEN as exc:
        raise ModelCorruptError(
            source, Message("it is not an archive, or it is damaged"), Message("Download it again.")
        ) from exc
    except RuntimeError as exc:  # zipfile's way of asking for a password
        raise ModelCorruptError(source, Message("it needs a password"), Message("Unpack it first.")) from exc
    except OSError as exc:
        if exc.errno is None:  # gzip's and bz2's way of reporting corrupt data
            raise ModelCorruptError(source, Message("it is broken"), Message("Download it again.")) from exc
        raise ConversionError(
            Message("{name} could not be unpacked: {reason}.", name=source.name, reason=exc.strerror),
            Message(),
        ) from exc


_Members = Iterator[tuple[str, int, IO[bytes], Callable[[], float]]]
"""Name, size in bytes and contents of each file; the last gives the share of the archive read."""


class _Member(tarfile.TarInfo):
    """A member whose extended header has a sensible length: tarfile reads all of it into memory."""

    _LONG = frozenset(
        [
            *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
            *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
        ]
    )

    def __setattr__(self, name: str, value: object) -> None:
        """Check values read from a header; which method reads them differs between Python versions."""
        super().__setattr__(name, value)
        is_header = name in {"type", "size"} and getattr(self, "type", b"") in self._LONG
        if is_header and getattr(self, "size", 0) > _MOST_HEADER_BYTES:
            raise tarfile.ReadError("a header is far too long")


def _tar_members(source: Path, check_room: Callable[[int], None]) -> _Members:
    """The members of a tar, read once from end to end: a .tar.gz reveals its contents only by unpacking."""
    size = source.stat().st_size
    check_room(size)  # a lower bound
    with source.open("rb") as raw, tarfile.open(fileobj=raw, mode="r|*", tarinfo=_Member) as tar:
        for member in tar:
            if member.isdir():
                continue
            if not member.isreg():
                hint = Message("Pack the files themselves (tar --dereference).")
                raise ModelCorruptError(source, Message("it holds links or devices"), hint)
            if file := tar.extractfile(member):
                yield member.name, member.size, file, partial(_share, raw, 0, size)


def _zip_members(source: Path, check_room: Callable[[int], None]) -> _Members:
    with closing(zipfile.ZipFile(source)) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        total, done = sum(member.file_size for member in members), 0
        check_room(total)
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 if it was not packed on Unix
            if kind not in {0, stat.S_IFREG}:
                raise ModelCorruptError(
                    source, Message("it holds links or devices"), Message("Pack the files themselves.")
                )
            with archive.open(member) as file:
                yield member.filename, member.file_size, file, partial(_share, file, done, total)
            done += member.file_size


def _share(file: IO[bytes], before: int, total: int) -> float:
    return (before + file.tell()) / max(1, total)


class _Unpacker:
    def __init__(self, source: Path, folder: Path, on_read: Callable[[float], None]) -> None:
        self._source = source
        self._folder = folder
        self._on_read = on_read
        self._bytes = self._files = 0
        self._top: PurePosixPath | None = None

    def is_wanted(self, name: str) -> bool:
        """Whether the file belongs to the checkpoint, unlike files such as ``._x``."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name:
            self._refuse(Message("it holds a file that would be written outside of the folder"))
        parts = [part for part in path.parts if part != "."]
        if not parts or any(part.startswith(".") or part == "__MACOSX" for part in parts):
            return False
        self._files += 1
        if self._files > _MAX_FILES:
            self._refuse(Message("it holds too many files"))
        if _is_sherpa(parts[-1]) or parts[0].startswith("sherpa-onnx-"):
            raise _sherpa_error(self._source.name)
        parent = PurePosixPath(*parts[:-1])
        if self._top not in {None, parent}:
            self._refuse(Message("its files are in several folders"))
        self._top = parent
        return True

    def write(self, name: str, size: int, file: IO[bytes], share: Callable[[], float]) -> None:
        """Write ``size`` bytes of ``file`` under the last component of ``name``."""
        self._bytes += size
        if self._bytes > _MAX_BYTES:
            self._refuse(Message("it holds far more than a checkpoint does"))
        self.check_room(size)
        target = self._folder / PurePosixPath(name.replace("\\", "/")).name
        with target.open("xb") as out:
            while size:
                piece = file.read(min(_PIECE_BYTES, size))
                if not piece:
                    self._refuse(Message("it is truncated"))
                out.write(piece)
                size -= len(piece)
                self._on_read(share())

    def check_room(self, size: int) -> None:
        """Raise ConversionError if another ``size`` bytes do not fit on the disk."""
        free = shutil.disk_usage(self._folder).free
        if size + _SPARE_BYTES > free:
            raise ConversionError(
                Message(
                    "Unpacking {name} needs {size} more, but only {free} is free.",
                    name=self._source.name,
                    size=Size(size),
                    free=Size(free),
                ),
                Message("Free some space or choose another disk."),
            )

    def _refuse(self, problem: Message) -> NoReturn:
        raise ModelCorruptError(
            self._source,
            problem,
            Message("Give the archive of an official checkpoint or published ONNX model."),
        )
