"""From the memory of the dictation cycle to what is shown of it."""

from __future__ import annotations

from handy_qwen.core.state import Dictation, Stage, Take
from handy_qwen.core.view import SETTINGS, Phase, View


def view_of(now: Dictation) -> View:
    """All that tray and overlay show of ``now``."""
    dictated = [take for take in now.takes if not take.is_again and not take.is_recovered]
    recorded = next((take for take in dictated if take.is_open), None)
    present = recorded or (dictated[-1] if dictated else None)
    return View(
        phase=_phase(now, recorded),
        is_loading=now.is_loading,
        take=present.number if present else 0,
        began_s=recorded.since_s if recorded else None,
        is_rehearsing=now.is_rehearsing,
        is_key_down=bool(now.down),
        is_locked=recorded.is_locked if recorded else False,
        device=recorded.device if recorded else "",
        language=present.language if present else now.rules.language,
        committed=present.committed if present else "",
        tentative=present.tentative if present else "",
        waiting=sum(not take.is_open for take in dictated),
        notices=tuple(one.notice for one in now.shown),
        can_retry=any(past is not None and past.entry for past in (now.failed, now.finished)),
        can_bring_back=now.cancelled is not None and bool(now.cancelled.entry),
        held=tuple(one.text for one in now.held),
        recent=now.recent,
        choices=now.choices,
    )


def _phase(now: Dictation, recorded: Take | None) -> Phase:
    if recorded is not None:
        return Phase.RECORDING
    shown = [take for take in now.takes if not take.is_recovered]
    if any(take.stage is not Stage.INSERTING or not take.is_again for take in shown):
        return Phase.TRANSCRIBING
    if now.is_loading or not (now.is_configured and now.is_listening):
        return Phase.LOADING
    if any(one.notice.is_lasting and one.subject != SETTINGS for one in now.shown):
        return Phase.PROBLEM
    return Phase.IDLE
