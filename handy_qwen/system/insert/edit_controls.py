"""What stands before the cursor in the text fields that Windows itself offers: plain and rich edit controls.

They are in Notepad, WordPad and many older programs, and answer to messages, in whichever process they are.
Programs that draw their fields themselves (browsers, Office, Qt) tell by UI Automation only, and are not
asked: then nobody knows.

Source: "Edit Control Messages" (EM_GETSEL), WM_GETTEXT, https://learn.microsoft.com/windows/win32/controls/.
"""

from __future__ import annotations

from handy_qwen.system.insert.win32 import Win32

GET_SELECTION = 0x00B0  # EM_GETSEL
PASSWORD = 0x0020  # ES_PASSWORD, of both kinds
TOO_FAR = 0xFFFF  # positions are told in 16 bits
EMBEDDED = "\ufffc"  # a picture, say


def text_before_caret(api: Win32, window: int, most: int) -> str | None:
    """The last ``most`` characters before the cursor in the field of ``window`` that has the focus.

    None: it is none of these controls, one for passwords, or something in it is marked. Blocks for twice
    ``win32.ANSWER_S`` at most.
    """
    control = api.focused_control(window)
    kind = api.control_class(control).casefold()
    is_rich = kind.startswith("richedit")
    if not (is_rich or kind == "edit") or api.style(control) & PASSWORD:
        return None
    selection = api.ask(control, GET_SELECTION)
    if selection is None:
        return None
    start, end = selection & 0xFFFF, selection >> 16 & 0xFFFF
    if start != end or end == TOO_FAR:
        return None
    # In a rich control a line's end counts as one unit, and is told as two, or as "\r" alone.
    text = api.control_text(control, 2 * end if is_rich else end)
    if text is None:
        return None
    if is_rich:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    units = text.encode("utf-16-le", "surrogatepass")[: 2 * end]
    before = units.decode("utf-16-le", "replace").replace("\r\n", "\n")
    return before[-most:] if len(units) == 2 * end and EMBEDDED not in before else None
