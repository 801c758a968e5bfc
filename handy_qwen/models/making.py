"""Makes a model of files that are here and checked: convert or link, let it run, put it in place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from handy_qwen import paths
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.convert.sniffing import model_type
from handy_qwen.core.shelf import Stage
from handy_qwen.engine.manifest import MANIFEST_FILE, is_package, load_manifest, sha256_of
from handy_qwen.engine.published import is_published_layout
from handy_qwen.engine.recognizer import Recognizer
from handy_qwen.errors import InstallationError, ModelCorruptError
from handy_qwen.models.download import link_or_copy
from handy_qwen.models.fetching import disk_error, write_all, writing
from handy_qwen.models.installed import VOICE_MODEL, InstalledModel
from handy_qwen.models.meter import Meter
from handy_qwen.models.origin import ORIGIN_FILE, Origin, check_files
from handy_qwen.models.places import Places
from handy_qwen.models.room import check_disk

_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".msgpack", ".h5"}
_PUBLISHED = {".onnx", ".data", ".json", ".txt", ".md"}
_EMBEDDING = "embed_tokens.bin"  # of a published model: plain numbers
_MODEL = "qwen3_asr"
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make it, and what to write down of it.

    ``preset`` "" converts a checkpoint with the usual one; a published model is taken as it is and has none.
    """

    origin: Origin
    preset: str = ""
    licence: str = ""
    may_link: bool = True  # nobody else will ever write into the source's files


def make(source: Path, places: Places, recipe: Recipe, meter: Meter) -> InstalledModel:
    """Make the model of ``source``, whatever layout it has, and put it in place.

    Raises:
        ModelMissingError, ModelCorruptError, EngineError: ``source`` is no model, or it does not run.
        ConversionError, InstallationError: It cannot be converted, or written.
        CancelledError: The meter's listener gives up.
    """
    if is_package(source):
        if recipe.preset:
            raise InstallationError(
                f"{recipe.origin.source} is a package, which cannot be converted again.",
                "Import it without --preset, or the checkpoint that it was made of.",
            )
        _take(source, places.package, sorted({*load_manifest(source).files, MANIFEST_FILE}), recipe, meter)
    elif is_published_layout(source) and not recipe.preset:
        names = [path.name for path in sorted(source.iterdir()) if _belongs(path)]
        _take(source, places.package, names, recipe, meter)
    elif is_published_layout(source) or any(source.glob("*.safetensors")):
        _convert(source, places, recipe, meter)
    else:
        raise _refusal(source, recipe.origin.source)
    try:
        _sign(places.package, recipe.origin)
    except OSError as exc:
        raise disk_error(places.package, exc) from exc
    meter.enter(Stage.TESTING)
    check_files(places.package)
    try_out(places.package)
    places.put_in_place()
    return InstalledModel(places.name, places.final)


def try_out(folder: Path, threads: int | None = None) -> None:
    """Load the model in ``folder`` and let it run.

    Raises:
        EngineError: It does not.
    """
    recognizer = Recognizer.load(folder, voice_model=paths.asset(VOICE_MODEL), threads=threads)
    try:
        recognizer.self_test()
    finally:
        recognizer.close()


def _convert(source: Path, places: Places, recipe: Recipe, meter: Meter) -> None:
    meter.enter(Stage.CONVERTING)
    details = Details(places.name, licence=recipe.licence)
    convert(
        source,
        places.package,
        PRESETS[recipe.preset or DEFAULT_PRESET],
        details,
        progress=lambda _what, part: meter.share(part),
    )


def _take(source: Path, package: Path, names: list[str], recipe: Recipe, meter: Meter) -> None:
    total = sum((source / name).stat().st_size for name in names)
    if not recipe.may_link:
        check_disk(package.parent, total)
    meter.enter(Stage.CHECKING, total)
    try:
        package.mkdir(parents=True)
        for name in names:
            if recipe.may_link:
                link_or_copy(source / name, package / name)
                meter.add((package / name).stat().st_size)
            else:
                _copy(source / name, package / name, meter)
    except OSError as exc:
        raise disk_error(package, exc) from exc


def _copy(source: Path, target: Path, meter: Meter) -> None:
    with source.open("rb") as file, writing(target, "xb") as out:
        while piece := file.read(_PIECE_BYTES):
            write_all(out, piece)
            meter.add(len(piece))


def _sign(package: Path, origin: Origin) -> None:
    """Write down where it comes from, and of a published model its checksums."""
    files = {} if is_package(package) else {path.name: sha256_of(path) for path in sorted(package.iterdir())}
    files.pop(ORIGIN_FILE, None)
    Origin(origin.source, origin.revision, origin.commit, origin.fetched, files).save(package)


def _belongs(path: Path) -> bool:
    is_named_so = path.suffix in _PUBLISHED or path.name == _EMBEDDING
    return path.is_file() and is_named_so and not path.name.startswith(".") and path.name != ORIGIN_FILE


def _refusal(source: Path, called: str) -> InstallationError | ModelCorruptError:
    pickled = sorted(path.name for path in source.iterdir() if path.suffix in _PICKLES)
    if pickled:
        return InstallationError(
            f"{called} has its weights in {pickled[0]}, a pickle, which can run any program when it is "
            "opened; it is never read.",
            "Get the model with safetensors.",
        )
    if model_type(source / "config.json").startswith(_MODEL):
        return InstallationError(
            f"{called} is incomplete: its weights, model.safetensors, are not there.",
            "Download it again, or let it be downloaded: handy-qwen model install NAME.",
        )
    return InstallationError(
        f"{called} is no model that this program knows.",
        "Give an official checkpoint (config.json, safetensors, tokenizer), a published ONNX model "
        "(decoder_init.onnx, ...), or a package of ours (manifest.json).",
    )
