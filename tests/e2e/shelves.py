"""Shelves in every state, for pictures and tests of what shows them."""

from pathlib import Path

from handy_qwen.core.models import (
    InstallStage,
    ModelEntry,
    ModelForm,
    ModelList,
    ModelStatus,
    Problem,
    Progress,
)
from handy_qwen.languages import ALL_LANGUAGES

GB = 10**9
COST = "Makes more mistakes, above all in Korean, Japanese and Russian."
COST_MORE = "Makes more mistakes still, in every language."
FIDELITY = (
    "The same words as full precision on 20 of 20 check sentences; the scores behind the words "
    "differ by 0.4% on average.",
)
SMALL = ModelEntry(
    "qwen3-asr-0.6b",
    "Qwen3-ASR 0.6B",
    summary="Quick on any machine, and right most of the time. The one to begin with.",
    languages=ALL_LANGUAGES,
    licence="Apache-2.0",
    source="huggingface.co/Qwen/Qwen3-ASR-0.6B",
    download_bytes=1_876_091_704,
    disk_bytes=713_000_000,
    room_bytes=2_600_000_000,
    memory_bytes=1_350_000_000,
    forms=(
        ModelForm("balanced", "", 890_000_000, 1_350_000_000),
        ModelForm("compact", COST, 640_000_000, 1_100_000_000),
        ModelForm("smallest", COST_MORE, 570_000_000, 1_000_000_000),
    ),
    is_recommended=True,
)
LARGE = ModelEntry(
    "qwen3-asr-1.7b",
    "Qwen3-ASR 1.7B",
    summary="Better with names, accents, noise and rare languages; takes about three times as long.",
    languages=ALL_LANGUAGES,
    licence="Apache-2.0",
    source="huggingface.co/Qwen/Qwen3-ASR-1.7B",
    download_bytes=4_700_000_000,
    disk_bytes=1_620_000_000,
    room_bytes=6_300_000_000,
    memory_bytes=2_600_000_000,
    forms=(
        ModelForm("balanced", "", 2_350_000_000, 2_600_000_000),
        ModelForm("compact", COST, 1_540_000_000, 2_300_000_000),
    ),
)
PUBLISHED = ModelEntry(
    "qwen3-asr-0.6b-onnx",
    "Qwen3-ASR 0.6B, ready-made ONNX files",
    summary="The same model as published by others: nothing is converted here, but it is larger and slower.",
    languages=ALL_LANGUAGES,
    licence="Apache-2.0",
    source="huggingface.co/andrewleech/qwen3-asr-0.6b-onnx",
    download_bytes=2_520_000_000,
    disk_bytes=2_520_000_000,
    room_bytes=2_520_000_000,
    memory_bytes=3_100_000_000,
    is_other=True,
)
DEMO = ModelEntry(
    "demo",
    "Demo",
    summary="Ships with the program. Some 300 words, to show that everything works.",
    languages=("English", "German"),
    licence="CC BY-SA 4.0",
    disk_bytes=9_800_000,
    memory_bytes=150_000_000,
    status=ModelStatus.INSTALLED,
    is_permanent=True,
    is_chosen=True,
    clip_s=0.31,
)


def changed(entry, **changes):
    from dataclasses import replace

    return replace(entry, **changes)


def shelf(*entries, memory_bytes=8 * GB):
    return ModelList(entries, Path.home() / ".local/share/handy-qwen/models", 74 * GB, memory_bytes)


def installing(entry, stage, share, **more):
    return changed(entry, status=ModelStatus.INSTALLING, progress=Progress(stage, share, **more))


DOWNLOADING = installing(
    SMALL,
    InstallStage.DOWNLOADING,
    0.43,
    done_bytes=812_000_000,
    total_bytes=SMALL.download_bytes,
    rate_bytes_s=12.4e6,
    remaining_s=86.0,
)
FAILED = Problem(
    "The download of Qwen3-ASR 1.7B stopped: huggingface.co cannot be reached.",
    "Check the network and try again; what is here is kept.",
)
INSTALLED = changed(
    SMALL,
    status=ModelStatus.INSTALLED,
    is_chosen=True,
    clip_s=1.24,
    preset="balanced",
    fidelity=FIDELITY,
)
IDLE_DEMO = changed(DEMO, is_chosen=False)

SHELVES = {
    "empty": shelf(SMALL, LARGE, PUBLISHED, DEMO),
    "downloading": shelf(DOWNLOADING, installing(LARGE, InstallStage.WAITING, None), PUBLISHED, DEMO),
    "converting": shelf(
        installing(SMALL, InstallStage.CONVERTING, 0.61, remaining_s=21.0), LARGE, PUBLISHED, DEMO
    ),
    "paused": shelf(
        changed(SMALL, status=ModelStatus.PAUSED, partial_bytes=812_000_000), LARGE, PUBLISHED, DEMO
    ),
    "failed": shelf(
        INSTALLED,
        changed(LARGE, status=ModelStatus.PAUSED, partial_bytes=2_105_000_000, problem=FAILED),
        PUBLISHED,
        IDLE_DEMO,
    ),
    "installed": shelf(
        INSTALLED,
        changed(
            LARGE,
            status=ModelStatus.INSTALLED,
            is_measuring=True,
            fidelity=(
                "The same words as full precision on 19 of 20 check sentences; the scores behind the words "
                "differ by 1.1% on average.",
                "The audio encoder is kept in float32, because 8 bits changed words.",
            ),
        ),
        changed(PUBLISHED, status=ModelStatus.INSTALLED),
        IDLE_DEMO,
        memory_bytes=3 * GB,
    ),
    "short-of-memory": shelf(SMALL, LARGE, PUBLISHED, DEMO, memory_bytes=round(1.5 * GB)),
}
