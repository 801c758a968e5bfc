"""What is known of a model that is here: how much memory it needs, how near it is to full precision."""

from __future__ import annotations

from pathlib import Path

from handy_qwen.convert.presets import DEFAULT_PRESET
from handy_qwen.engine.qwen3.manifest import Fidelity, Manifest, is_package, load_manifest
from handy_qwen.errors import HandyError
from handy_qwen.message import Message, verbatim
from handy_qwen.models.catalogue import CatalogueModel, Layout

WORKING_BYTES = 300_000_000
"""The program itself, and room for a long take."""
_SHARE = 1.25  # memory in use over the size of a package: its weights, and copies in other layouts
_EXACT = "exact"
UNMEASURED = Message("How close it comes to full precision was not measured.")


def memory_of(folder: Path, size_bytes: int, model: CatalogueModel | None = None) -> int:
    """About how much memory the model in ``folder`` needs, in bytes.

    Args:
        folder: The model.
        size_bytes: All its files together.
        model: Its entry in the catalogue, which knows more.
    """
    known = 0
    if model is not None:
        manifest = _manifest(folder)
        is_ours = model.layout is Layout.CHECKPOINT
        known = model.memory_of(manifest.preset if manifest and is_ours else DEFAULT_PRESET)
    return known or round(size_bytes * _SHARE) + WORKING_BYTES


def fidelity_of(folder: Path) -> tuple[Message, ...]:
    """How close the model in ``folder`` comes to full precision, in sentences."""
    manifest = _manifest(folder)
    if manifest is None:
        return (UNMEASURED,)
    if manifest.fidelity is None:
        return (Message("It is kept in full precision."),) if manifest.preset == _EXACT else (UNMEASURED,)
    return fidelity_words(manifest.fidelity)


def preset_of(folder: Path) -> str:
    """The preset of the package in ``folder``; "" if that cannot be read, or it has none."""
    manifest = _manifest(folder)
    return manifest.preset if manifest else ""


def fidelity_words(fidelity: Fidelity) -> tuple[Message, ...]:
    """What was measured, in a sentence, and the notes that came with it."""
    if not fidelity.clips:
        return tuple(map(verbatim, fidelity.notes)) or (UNMEASURED,)
    same = Message(
        "The same words as full precision on {same} of {all} check sentences; {percent} apart.",
        same=fidelity.clips_same,
        all=fidelity.clips,
        percent=_percent(fidelity.logits),
    )
    return (same, *map(verbatim, fidelity.notes))


def _percent(share: float) -> str:
    """One digit behind the point, two where that would be none of it."""
    percent = 100 * share
    return f"{percent:.1f} %" if percent >= 0.1 or percent == 0 else f"{percent:.2g} %"


def _manifest(folder: Path) -> Manifest | None:
    """That of a package which is whole; whoever loads another says what is wrong with it."""
    try:
        return load_manifest(folder) if is_package(folder) else None
    except HandyError:
        return None
