"""What a folder is that somebody gives as a model: where in it the model is, and what is known but of no use.

People give what they have: the folder of a hub's cache, a clone whose large files were not fetched, a folder
one level too high, a model for another engine. Each is used, or answered with what to do about it.
"""

from __future__ import annotations

import re
from pathlib import Path

from handy_qwen.engine.manifest import is_package
from handy_qwen.engine.published import is_published_layout
from handy_qwen.engine.reading import read_object
from handy_qwen.errors import ConversionError

_WEIGHTS = {".safetensors", ".onnx", ".gguf", ".pt", ".pth", ".bin"}
_POINTER = b"version https://git-lfs.github.com/spec/"
_MOST_POINTER_BYTES = 1024
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\.safetensors")
_CACHED = re.compile(r"models--[^/]+")
_ALIGNER = "qwen3_forced_aligner"
_WANTED = "Give an official checkpoint, a published ONNX model or a package"
_INSTALL = "or let it be downloaded: handy-qwen model install NAME"


def model_folder(source: Path) -> Path:
    """The folder of the model in ``source``: itself, a snapshot of a hub's cache, or the one folder inside.

    Raises:
        ConversionError: There are several models in it, or a cache without a whole one.
    """
    if _is_cache(source):
        return _snapshot(source)
    if _has_model(source):
        return source
    inside = [path for path in _folders(source) if _is_cache(path) or _has_model(path)]
    if len(inside) > 1:
        names = ", ".join(path.name for path in inside[:6]) + (", …" if len(inside) > 6 else "")
        raise ConversionError(f"There are several models in {source}: {names}.", "Give the folder of one.")
    return model_folder(inside[0]) if inside else source


def repository_name(source: Path) -> str:
    """What the model in a hub's cache is called; of another folder or archive, its own name."""
    place = source.resolve()
    for folder in (place, *place.parents[:2]):
        if _is_cache(folder):
            return folder.name.rpartition("--")[2]
    return place.name


def check_layout(folder: Path, called: str) -> None:
    """Complain of a model that is known and cannot be used.

    Args:
        folder: Its files.
        called: What the user calls it.

    Raises:
        ConversionError: It is for another engine, or not all of it is here.
    """
    files = sorted(path for path in folder.iterdir() if not path.is_dir())
    names = {path.name for path in files}
    for path in files:
        if not path.is_file():
            what = "a link to a file that is not there" if path.is_symlink() else "not a file"
            raise ConversionError(
                f"{called} is incomplete: {path.name} is {what}.", f"Download it again, {_INSTALL}."
            )
        if _is_pointer(path):
            raise ConversionError(
                f"{called} is a git clone without its large files: {path.name} is only a pointer.",
                f"Run git lfs pull in it, {_INSTALL}.",
            )
    if is_package(folder) or is_published_layout(folder):
        return
    shards = [name for name in sorted(names) if _SHARD.fullmatch(name)]
    index = "model.safetensors.index.json"
    if shards and index not in names and "model.safetensors" not in names:
        raise ConversionError(
            f"{called} lacks {index}, which says what is in which of its {len(shards)} files of weights.",
            "Download that file as well, from where the others are.",
        )
    if model_type(folder / "config.json") == _ALIGNER:
        raise ConversionError(
            f"{called} is Qwen3-ForcedAligner, which tells when words were said, and cannot transcribe.",
            "Give Qwen3-ASR instead.",
        )
    if any(path.suffix == ".safetensors" for path in files):
        return
    if any(path.suffix == ".gguf" for path in files):
        raise gguf_error(called)
    if any(is_sherpa(name) for name in names):
        raise sherpa_error(called)


def is_sherpa(name: str) -> bool:
    """Whether only a model for sherpa-onnx has a file of that name."""
    return name.startswith("conv_frontend") and name.endswith(".onnx")


def sherpa_error(called: str) -> ConversionError:
    """What to say of a model for sherpa-onnx."""
    return ConversionError(
        f"{called} is a model for sherpa-onnx, whose ONNX files are divided in another way.",
        f"{_WANTED}, {_INSTALL}.",
    )


def gguf_error(called: str) -> ConversionError:
    """What to say of a model for llama.cpp and its like."""
    return ConversionError(
        f"{called} is a GGUF model, for llama.cpp and programs like it.", f"{_WANTED}, {_INSTALL}."
    )


def _is_cache(folder: Path) -> bool:
    return _CACHED.fullmatch(folder.name) is not None and (folder / "snapshots").is_dir()


def _snapshot(cache: Path) -> Path:
    """The snapshot that "main" means, or the only one. Those without a model broke off while they came."""
    snapshots = _folders(cache / "snapshots")
    snapshots = [path for path in snapshots if _has_model(path)] or snapshots
    main = cache / "refs" / "main"
    commit = main.read_text(encoding="utf-8", errors="replace").strip() if main.is_file() else ""
    found = [path for path in snapshots if path.name == commit] or snapshots
    if len(found) == 1:
        return found[0]
    raise ConversionError(
        f"{cache.name} holds {'several versions' if found else 'no version'} of the model.",
        f"Give the folder of one, below {cache / 'snapshots'}."
        if found
        else "Download it again, or give another folder.",
    )


def _has_model(folder: Path) -> bool:
    return is_package(folder) or any(path.suffix in _WEIGHTS for path in folder.iterdir())


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _is_pointer(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size > _MOST_POINTER_BYTES:
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def model_type(config: Path) -> str:
    """What ``config`` says that the model is; empty if it says nothing."""
    try:
        raw = read_object(config)
    except (OSError, ValueError):
        return ""  # whoever needs it says what is wrong
    thinker = raw.get("thinker_config", raw)
    return str(thinker.get("model_type", "")) if isinstance(thinker, dict) else ""
