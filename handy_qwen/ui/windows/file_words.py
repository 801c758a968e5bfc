"""The words of the window for sound files."""

from __future__ import annotations

from handy_qwen.core.sound_files import FileEntry, FileState, Form
from handy_qwen.core.view import Phase
from handy_qwen.ui import strings
from handy_qwen.ui.translation import ntr, tr

TITLE, TITLE_PROGRESS = tr("Transcribe files"), tr("{title}: {progress}")
INTRODUCTION = tr("Drop sound files, videos or folders here, or choose them.")
ADD, ADD_FOLDER = tr("&Add files…"), tr("Add a &folder…")
CHOOSE, CHOOSE_FOLDER = tr("Choose sound files or videos"), tr("Choose a folder with sound files or videos")
SOUNDS, EVERYTHING = tr("Sound files and videos ({patterns})"), tr("All files (*)")
LIST, NAME, STATE, TEXT = tr("Files"), tr("File"), tr("State"), tr("Text of the file")
COPY, SAVE, OPEN = tr("Cop&y"), tr("&Save as"), tr("&Open")
OPEN_TIP = tr("Opens the file that the text was saved in")
AGAIN, GO_ON = tr("&Try again"), tr("&Go on")
CANCEL, REMOVE = tr("Ca&ncel"), tr("&Remove")
PROGRESS = tr("Progress of all files")
FORMS = {
    Form.TEXT: tr("&Text…"),
    Form.SRT: tr("Subtitles for &players (SRT)…"),
    Form.VTT: tr("Subtitles for &browsers (VTT)…"),
    Form.JSON: tr("&JSON, with all that is known…"),
}
KINDS = {
    Form.TEXT: tr("Text (*.txt)"),
    Form.SRT: tr("Subtitles (*.srt)"),
    Form.VTT: tr("Subtitles (*.vtt)"),
    Form.JSON: tr("JSON (*.json)"),
}
SAVE_TITLE, SAVE_FOLDER = tr("Save the text"), tr("Choose a folder for the texts")
# Translators: states of a file in the list.
LEFT = tr("Not done yet")
WAITING, WORKING, DONE, EMPTY, FAILED = tr("Waiting"), tr("Working"), tr("Done"), tr("No text"), tr("Failed")
# Translators: the state of a file: its text is saved.
SAVED = tr("Saved")
DICTATION_FIRST = tr("Your dictation goes first.")
REMOVE_QUESTION = tr("Remove a text that is not saved?")
REMOVE_DETAIL = tr("The sound file stays, and can be transcribed again.")
REMOVE_YES, KEEP = tr("&Remove"), tr("&Keep")


def state(entry: FileEntry) -> str:
    """How far a file has come, in a word."""
    match entry.state:
        case FileState.LEFT:
            return LEFT
        case FileState.WAITING:
            return WAITING
        case FileState.WORKING:
            return WORKING if entry.share is None else strings.percent(entry.share)
        case FileState.FAILED:
            return FAILED
        case FileState.DONE:
            return EMPTY if not entry.text else SAVED if entry.saved else DONE


def progress(done: int, total: int) -> str:
    """How many files are done."""
    return ntr("{done} of {total} file", "{done} of {total} files", total).format(done=done, total=total)


def left(count: int) -> str:
    """How many files wait since an earlier session."""
    text = ntr("{count} file was left when you quit.", "{count} files were left when you quit.", count)
    return text.format(count=count)


def title(done: int, total: int) -> str:
    """The window's, with how much is done: it can be read in the task bar."""
    return TITLE_PROGRESS.format(title=TITLE, progress=progress(done, total)) if total else TITLE


def is_dictating(phase: Phase) -> bool:
    """Whether files have to wait."""
    return phase in {Phase.RECORDING, Phase.TRANSCRIBING}
