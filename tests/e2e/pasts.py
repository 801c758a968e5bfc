"""Answers of the history in every state, for pictures and tests of what shows them."""

import time
from dataclasses import replace
from pathlib import Path

from handy_qwen.core.models import Problem
from handy_qwen.core.types import Delivery, Entry, EntryState
from handy_qwen.core.view import Choices, HistoryFilter, HistoryPage, HistoryQuery, ModelChoice, Phase, View

DAY_S = 86_400.0
NOW_S = time.time()
QUICK, GOOD = "qwen3-asr-0.6b", "qwen3-asr-1.7b"
ENTRIES = (
    Entry(9, NOW_S - 40, EntryState.WAITING, 3.1, model=QUICK, language="English", has_audio=True),
    Entry(
        8,
        NOW_S - 200,
        EntryState.DONE,
        7.4,
        "We need twenty-five chairs for the office, and a table that is not quite as large as the one that "
        "stands in the meeting room now. Please ask Anna whether Monday suits her.",
        "English",
        QUICK,
        "thunderbird",
        Delivery.PASTED,
        has_audio=True,
        is_starred=True,
    ),
    Entry(
        7,
        NOW_S - 900,
        EntryState.DONE,
        2.6,
        "Guten Abend, bis morgen!",
        "German",
        GOOD,
        "firefox",
        Delivery.HELD,
    ),
    Entry(
        6,
        NOW_S - 2000,
        EntryState.FAILED,
        61.0,
        "",
        "English",
        GOOD,
        "code",
        has_audio=True,
        error="The model file decoder.onnx is missing.",
    ),
    Entry(5, NOW_S - 2500, EntryState.CANCELLED, 4.2, "", "", QUICK, "xterm", has_audio=True),
    Entry(4, NOW_S - DAY_S, EntryState.DONE, 1.0, "", "", QUICK, "xterm", has_audio=True),
    Entry(
        3,
        NOW_S - DAY_S - 300,
        EntryState.DONE,
        12.0,
        "会议五点钟开始。我们还需要二十五把椅子。",
        "Chinese",
        QUICK,
        "firefox",
        Delivery.TYPED,
    ),
    Entry(
        2,
        NOW_S - 9 * DAY_S,
        EntryState.DONE,
        5.0,
        "يبدأ الاجتماع في الساعة الخامسة.",
        "Arabic",
        GOOD,
        "soffice",
        Delivery.TYPED,
    ),
    Entry(
        1,
        NOW_S - 40 * DAY_S,
        EntryState.DONE,
        125.0,
        "Dear all, " * 60,
        "English",
        GOOD,
        "evolution",
        Delivery.COPIED,
    ),
)
CHOICES = Choices(
    model=QUICK,
    models=(
        ModelChoice(QUICK, "Qwen3-ASR 0.6B"),
        ModelChoice(GOOD, "Qwen3-ASR 1.7B"),
        ModelChoice("demo", "Demo"),
    ),
    languages=("Arabic", "Chinese", "English", "German"),
    chords=("ctrl_r",),
    hotkeys=("Right Ctrl",),
)
VIEW = View(phase=Phase.IDLE, choices=CHOICES)
PRIVATE = replace(VIEW, choices=replace(CHOICES, is_private=True))
FULL = HistoryPage(entries=ENTRIES)
PASTS = {
    "full": FULL,
    "empty": HistoryPage(),
    "no-hits": HistoryPage(HistoryQuery("chairs qwertz")),
    "deleted": replace(FULL, entries=ENTRIES[:2] + ENTRIES[3:], deleted=1),
    "open": HistoryPage(
        HistoryQuery(only=HistoryFilter.OPEN),
        tuple(one for one in ENTRIES if HistoryFilter.OPEN.admits(one)),
        retried=frozenset({6}),
    ),
    "problem": replace(FULL, problem=Problem("Another program holds the history.", "Try again in a moment.")),
    "exported": replace(FULL, exported=Path("/home/anna/dictations.csv")),
}
