"""The wording of the Models window."""

from __future__ import annotations

from collections.abc import Sequence

from handy_qwen.core.models import (
    InstallStage,
    ModelEntry,
    ModelForm,
    ModelList,
    ModelStatus,
    Progress,
    fitting_form,
    is_short,
)
from handy_qwen.languages import NATIVE_NAMES
from handy_qwen.ui import strings
from handy_qwen.ui.translation import ntr, tr

INTRODUCTION = tr("Speech is transcribed on this computer. Nothing you say leaves it.")
# Translators: in front of sizes: "Download 1.9 GB", "On disk 1.2 GB", "In memory 2.0 GB".
DOWNLOAD, DISK, MEMORY, SPEED = tr("Download"), tr("On disk"), tr("In memory"), tr("Speed on this computer")
NOTHING = "—"
# Translators: buttons.
INSTALL, RETRY, RESUME, INSTALL_AGAIN = tr("Install"), tr("Try again"), tr("Resume"), tr("Install again")
# Translators: buttons.
PAUSE, CANCEL, DISCARD = tr("Pause"), tr("Cancel"), tr("Discard")
# Translators: buttons.
USE, REMOVE, KEEP = tr("Use"), tr("Remove"), tr("Keep")
STAGES = {
    InstallStage.WAITING: tr("Waiting"),
    InstallStage.DOWNLOADING: tr("Downloading"),
    InstallStage.UNPACKING: tr("Unpacking"),
    InstallStage.CHECKING: tr("Checking"),
    InstallStage.CONVERTING: tr("Converting"),
    InstallStage.TESTING: tr("Testing"),
}
RETRYING = tr("Connection lost, retrying…")
FORM_FITS = tr("You can choose {form}, which needs {needed}. {cost}")
FORMS = {
    "balanced": tr("Balanced"),
    "compact": tr("Compact"),
    "smallest": tr("Smallest"),
    "precise": tr("Precise"),
    "exact": tr("Exact"),
}


def form(one: ModelForm, forms: Sequence[ModelForm]) -> str:
    """The title of a form in the list of choices, and the memory it needs."""
    usual, other = tr("{form}, recommended · {memory} of memory"), tr("{form} · {memory} of memory")
    text = usual if one is forms[0] else other
    return text.format(form=FORMS.get(one.preset, one.preset), memory=size(one.memory_bytes))


def state(entry: ModelEntry) -> tuple[str, str, str]:
    """The badge's text and color, and the first button's title: empty if it has no function."""
    match entry.status:
        case ModelStatus.INSTALLED if entry.is_damaged:
            return (
                tr("Does not work"),
                "recording",
                "" if entry.is_permanent or entry.is_imported else INSTALL_AGAIN,
            )
        case ModelStatus.INSTALLED:
            return (tr("In use"), "good", "") if entry.is_chosen else (tr("Installed"), "quiet", USE)
        case ModelStatus.INSTALLING:
            assert entry.progress is not None
            stage = entry.progress.stage
            return STAGES[stage], "working", PAUSE if stage is InstallStage.DOWNLOADING else CANCEL
        case _ if entry.problem is not None:
            return tr("Installation failed"), "recording", RETRY
        case ModelStatus.PAUSED:
            return tr("Paused"), "problem", RESUME
        case ModelStatus.AVAILABLE:
            return (tr("Recommended"), "working", INSTALL) if entry.is_recommended else ("", "quiet", INSTALL)


def secondary(entry: ModelEntry) -> str:
    """The second button's title; empty if it has no function."""
    if entry.status is ModelStatus.INSTALLED and not entry.is_permanent:
        return REMOVE
    return DISCARD if entry.status is ModelStatus.PAUSED else ""


def progress_line(progress: Progress) -> str:
    """The current work, its progress, speed, and remaining time."""
    if progress.stage is InstallStage.WAITING:
        return tr("Starts when the other installation finishes.")
    if progress.stage is InstallStage.DOWNLOADING and progress.share is None:
        return RETRYING if progress.is_stalled else tr("Connecting…")
    parts = [RETRYING if progress.is_stalled else STAGES[progress.stage]]
    if progress.total_bytes:
        done, total = strings.size(progress.done_bytes), strings.size(progress.total_bytes)
        parts.append(tr("{done} of {total}").format(done=done, total=total))
    elif progress.share is not None:
        parts.append(strings.percent(progress.share))
    if progress.rate_bytes_s:
        parts.append(strings.rate(progress.rate_bytes_s))
    if progress.remaining_s is not None:
        parts.append(strings.remaining(progress.remaining_s))
    return "  ·  ".join(parts)


def installation(models: ModelList) -> tuple[str, str]:
    """The title of the model being installed, and its progress; both empty if there is none."""
    for entry in models.entries:
        progress = entry.progress
        is_installing = entry.status is ModelStatus.INSTALLING
        if is_installing and progress is not None and progress.stage is not InstallStage.WAITING:
            state = RETRYING if progress.is_stalled else STAGES[progress.stage]
            return (
                entry.title,
                state if progress.share is None else f"{state} {strings.percent(progress.share)}",
            )
    return "", ""


def paused_line(entry: ModelEntry) -> str:
    """How much is downloaded."""
    if not entry.download_bytes:
        return strings.size(entry.partial_bytes)
    done, total = strings.size(entry.partial_bytes), strings.size(entry.download_bytes)
    return tr("{done} of {total} downloaded").format(done=done, total=total)


def warning(entry: ModelEntry, models: ModelList, chosen: ModelForm | None = None) -> str:
    """A warning about the model on this machine, in the form ``chosen``; empty if there is none."""
    memory_bytes = chosen.memory_bytes if chosen else entry.memory_bytes
    if is_short(models.memory_bytes, memory_bytes):
        needed, available = strings.size(memory_bytes), strings.size(models.memory_bytes)
        text = tr("Needs {needed} of memory; this computer has {available}. It may be slow or fail.").format(
            needed=needed, available=available
        )
        better = fitting_form(entry.forms, models.memory_bytes) if chosen else None
        if better is None:
            return text
        name, less = FORMS.get(better.preset, better.preset), strings.size(better.memory_bytes)
        return f"{text} {FORM_FITS.format(form=name, needed=less, cost=better.cost)}"
    if entry.status is ModelStatus.AVAILABLE and models.free_bytes and entry.room_bytes > models.free_bytes:
        needed, available = strings.size(entry.room_bytes), strings.size(models.free_bytes)
        return tr("Installing needs {needed} of disk space; {available} free.").format(
            needed=needed, available=available
        )
    return ""


def speed(entry: ModelEntry) -> str:
    """How fast the model is on this machine."""
    if entry.is_measuring:
        return tr("measuring…")
    if entry.clip_s is None:
        return tr("not measured") if entry.status is ModelStatus.INSTALLED else NOTHING
    return tr("{factor}× real time").format(factor=strings.number(10.0 / max(entry.clip_s, 0.01)))


def size(size_bytes: int) -> str:
    """A size, if it is known."""
    return strings.size(size_bytes) if size_bytes else tr("unknown")


def languages_title(entry: ModelEntry) -> str:
    """The number of languages."""
    count = len(entry.languages)
    return ntr("{count} language", "{count} languages", count).format(count=strings.whole(count))


def languages_line(entry: ModelEntry) -> str:
    """All languages by native name, with mixed directions."""
    names = sorted(entry.languages)
    return ", ".join(f"\u2068{NATIVE_NAMES.get(name, name)}\u2069" for name in names)
