"""Models on the disk, in the terms of the windows."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from handy_qwen.app.installing import Tell
from handy_qwen.core.shelf import ModelEntry, Progress, Stage, Standing
from handy_qwen.errors import HandyError

CLIP_S, CLIP_TOKENS, ROUNDS = 10.0, 30, 2
"""Ten seconds of speech make some thirty tokens. The best of two rounds is what an idle machine does."""
_STAGES = {"unpacking": Stage.UNPACKING, "checksums": Stage.CHECKING}
DEMO_TITLE = "Demo"
DEMO_SUMMARY = "Ships with the program. Some 300 words, to show that everything works."


class DiskInstaller:
    """Implements ``app.installing.Installer`` with the models that are on this machine.

    Args:
        threads: How many the models run on; None: what suits the machine.
    """

    def __init__(self, threads: Callable[[], int | None]) -> None:
        self._threads = threads

    def entries(self) -> Sequence[ModelEntry]:
        """All installed models."""
        from handy_qwen.models.installed import DEMO, InstalledModel, installed_models

        def entry(model: InstalledModel) -> ModelEntry:
            is_demo = model.name == DEMO
            languages, licence = _facts(model.folder)
            return ModelEntry(
                model.name,
                DEMO_TITLE if is_demo else model.name,
                summary=DEMO_SUMMARY if is_demo else "",
                languages=languages,
                licence=licence,
                disk_bytes=model.size_bytes,
                standing=Standing.INSTALLED,
                is_permanent=is_demo,
            )

        return [entry(model) for model in installed_models()]

    def install(self, name: str, tell: Tell) -> None:
        """There is nothing to be installed by name.

        Raises:
            HandyError: Always.
        """
        tell(Progress(Stage.DOWNLOADING))
        raise HandyError(f"There is no model {name!r} to be installed.", "Import it from a folder.")

    def import_from(self, source: Path, tell: Tell) -> str:
        """Convert the checkpoint in ``source``."""
        from handy_qwen import paths
        from handy_qwen.convert.package import Details, convert
        from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
        from handy_qwen.models.installed import load_recognizer

        name = source.name.lower()
        for ending in (".tar.gz", ".tgz", ".tar", ".zip"):
            name = name.removesuffix(ending)
        folder = paths.make_private(paths.models_dir()) / name

        def progress(what: str, share: float) -> None:
            tell(Progress(_STAGES.get(what, Stage.CONVERTING), share))

        convert(source, folder, PRESETS[DEFAULT_PRESET], Details(name), progress=progress)
        tell(Progress(Stage.TESTING))
        recognizer = load_recognizer(name, self._threads())
        try:
            recognizer.self_test()
        finally:
            recognizer.close()
        return name

    def discard(self, name: str) -> None:
        """Nothing unfinished is kept here."""

    def remove(self, name: str) -> None:
        """Delete the folder, out of sight first: what is half gone is no model.

        Raises:
            HandyError: It could not be deleted.
        """
        from handy_qwen.models.installed import find_model

        folder = find_model(name).folder
        aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
        try:
            folder.rename(aside)
            shutil.rmtree(aside)
        except OSError as exc:
            raise HandyError(
                f"{folder} could not be deleted: {exc.strerror}.", "Delete it yourself."
            ) from exc

    def measure(self, name: str) -> float:
        """Seconds for ten seconds of speech."""
        from handy_qwen.bench.speed import measure_model
        from handy_qwen.engine.sessions import default_threads
        from handy_qwen.models.installed import find_model

        threads = self._threads() or default_threads()
        speed = measure_model(
            find_model(name).folder, threads=threads, clips_s=(CLIP_S,), tokens=CLIP_TOKENS, rounds=ROUNDS
        )
        return speed.clips[0].total_s


def _facts(folder: Path) -> tuple[tuple[str, ...], str]:
    """Languages and licence, from the manifest if there is one that can be read."""
    from handy_qwen.engine.languages import ALL_LANGUAGES
    from handy_qwen.engine.manifest import is_package, load_manifest

    if not is_package(folder):
        return ALL_LANGUAGES, ""
    try:
        manifest = load_manifest(folder)
    except HandyError:  # loading it will say what is wrong
        return (), ""
    return manifest.config.languages, manifest.licence
