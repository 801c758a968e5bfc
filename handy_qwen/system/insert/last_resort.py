"""Copies through whatever pyperclip finds: xclip, xsel, wl-copy, pbcopy, the Windows clipboard."""

from __future__ import annotations

from handy_qwen.errors import InsertError, InsertReason


def copy_with_pyperclip(text: str) -> None:
    """Put ``text`` on the clipboard, for good and unmarked.

    Raises:
        InsertError: pyperclip finds nothing that it could copy with.
    """
    import pyperclip  # slow: looks for programs when imported

    try:
        pyperclip.copy(text)
    except (pyperclip.PyperclipException, OSError) as problem:
        # Not "from problem": a tool's complaint may quote what it was given.
        kind = type(problem).__name__
    else:
        return
    raise InsertError(
        f"The text could not be copied ({kind}).",
        InsertReason.UNSUPPORTED_DESKTOP,
        "On Linux, install xclip or wl-clipboard.",
    )
