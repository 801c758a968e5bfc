"""Sentences for people: in English everywhere, and translatable where a window shows them.

A ``Message`` is the English sentence. Log, command line and stored files use it as the ``str`` that it is; a
window shows ``ui.translation.translated`` of it, which looks its template up in the user's language. So
templates must be literals, which ``packaging/dev.py translations`` finds in the source.
"""

from __future__ import annotations

from typing import Self

VERBATIM = "{text}"


class Message(str):
    """An English sentence that knows its template and values.

    Args:
        template: A literal with ``{names}``; "" is no message.
        values: The values of the names. Messages are translated with the sentence, sizes and numbers are
            formatted for the language, everything else is inserted unchanged.

    Attributes:
        plural: The template for counts other than one, "" if it has no count.
    """

    template: str
    plural: str
    number: int
    values: dict[str, object]

    def __new__(cls, template: str = "", /, **values: object) -> Self:  # noqa: D102  see above
        return cls._of(template, "", 1, values)

    @classmethod
    def _of(cls, template: str, plural: str, count: int, values: dict[str, object]) -> Self:
        kept: dict[str, object] = {
            name: value if isinstance(value, _KEPT) else str(value) for name, value in values.items()
        }
        chosen = plural if plural and count != 1 else template
        self = super().__new__(cls, chosen.format(**kept) if kept else chosen)
        self.template, self.plural, self.number, self.values = template, plural, count, kept
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _remake, (type(self), self.template, self.plural, self.number, self.values)


class Size(int):
    """Bytes, as a value of a message: 1.93 GB, 230.4 MB. Decimal, like disks."""

    def __format__(self, _specification: str) -> str:
        return f"{self / 1e9:.2f} GB" if self >= 1e9 else f"{self / 1e6:.1f} MB"


class Count(int):
    """A count, as a value of a message: 12,000."""

    def __format__(self, _specification: str) -> str:
        return f"{int(self):,}"


class Number(float):
    """A measure, as a value of a message: 0.25, 15."""

    def __format__(self, _specification: str) -> str:
        return f"{float(self):g}"


_KEPT = (str, int, float)


def messages(singular: str, plural: str, count: float, /, **values: object) -> Message:
    """A message about ``count`` things, ``{count}`` in its templates."""
    shown = Count(count) if count == int(count) else Number(count)
    # Fractions use the form for two in the languages that have one.
    return Message._of(singular, plural, int(count) if count == int(count) else 2, {"count": shown, **values})


def sentences(*parts: Message, between: str = " ") -> Message:
    """Several messages, one after the other; empty ones are left out."""
    told = {f"part{place}": part for place, part in enumerate(filter(None, parts))}
    return Message(between.join(f"{{{name}}}" for name in told), **told)


def verbatim(text: str) -> Message:
    """A text from elsewhere (the system, a file, another process) to be shown unchanged."""
    return Message(VERBATIM, text=text) if text else Message()


def reason_of(error: Exception) -> Message:
    """The argument of ``error``, a message or a text from elsewhere."""
    reason = error.args[0] if error.args else ""
    return reason if isinstance(reason, Message) else verbatim(str(error))


def _remake(cls: type[Message], template: str, plural: str, count: int, values: dict[str, object]) -> Message:
    return cls._of(template, plural, count, values)
