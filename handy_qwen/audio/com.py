"""The part of COM that audio on Windows needs, through ctypes: methods are called by their table index.

A few interfaces with a handful of methods do not justify a library that generates modules from type
libraries. Failed calls raise OSError. Importable on any system, and usable there with a fake ``ole32``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID

CLSCTX_ALL = 23
QUERY, RELEASE = 0, 2  # indexes in every table
_MULTITHREADED = 0  # COINIT_MULTITHREADED
_UNKNOWN = "{00000000-0000-0000-C000-000000000046}"
_NO_INTERFACE = -0x7FFFBFFE  # E_NOINTERFACE
FUNCTION: Any = getattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE)
"""Creates function types with Windows' calling convention; elsewhere, with the system's."""


def join_apartment() -> None:
    """Let this thread share COM objects with all others that do. May be called again."""
    _ole32().CoInitializeEx(None, _MULTITHREADED)


def guid(text: str) -> Any:  # noqa: ANN401  of ctypes
    """A GUID, written in braces, in COM's format."""
    return (ctypes.c_byte * 16).from_buffer_copy(UUID(text).bytes_le)


def call(pointer: Any, place: int, *arguments: Any) -> None:  # noqa: ANN401
    """Call the method at index ``place`` in the table of ``pointer``. Raises OSError."""
    by_type = {int: ctypes.c_int, float: ctypes.c_float, str: ctypes.c_wchar_p}
    kinds = [by_type.get(type(one), ctypes.c_void_p) for one in arguments]
    _require(_method(pointer, place, *kinds)(pointer, *arguments))


class Objects(ExitStack):
    """Objects used in a block; they are released at its end, the last one first."""

    def make(self, kind: str, interface: str) -> Any:  # noqa: ANN401
        """Create an object of the class ``kind``. Raises OSError."""
        found = ctypes.c_void_p()
        made = _ole32().CoCreateInstance(guid(kind), None, CLSCTX_ALL, guid(interface), ctypes.byref(found))
        _require(made)
        return self._held(found)

    def get(self, pointer: Any, place: int, *arguments: Any) -> Any:  # noqa: ANN401
        """The object that a method returns through its last argument; ``arguments`` are the others."""
        found = ctypes.c_void_p()
        call(pointer, place, *arguments, ctypes.byref(found))
        return self._held(found)

    def _held(self, pointer: Any) -> Any:  # noqa: ANN401
        self.callback(_method(pointer, RELEASE), pointer)
        return pointer


class Own:
    """An object of ours whose methods COM calls, after those that every object has.

    Args:
        interface: Its interface.
        methods: The interface's methods in table order: functions of a type made by ``FUNCTION``.

    It has no reference count: keep it while anybody may call it. COM calls on threads of its own.
    """

    def __init__(self, interface: str, *methods: Any) -> None:  # noqa: ANN401
        known = {UUID(one).bytes_le for one in (interface, _UNKNOWN)}

        def query(this: int, wanted: int, found: Any) -> int:  # noqa: ANN401
            is_known = ctypes.string_at(wanted, 16) in known
            found[0] = this if is_known else None
            return 0 if is_known else _NO_INTERFACE

        count = FUNCTION(ctypes.c_uint32, ctypes.c_void_p)(lambda _: 1)
        ask = FUNCTION(ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p))(
            query
        )
        self._methods = (ask, count, count, *methods)
        addresses = [ctypes.cast(one, ctypes.c_void_p) for one in self._methods]
        self._table = (ctypes.c_void_p * len(addresses))(*addresses)
        self._object = ctypes.c_void_p(ctypes.addressof(self._table))
        self.pointer = ctypes.c_void_p(ctypes.addressof(self._object))


def _ole32() -> Any:  # noqa: ANN401
    return ctypes.windll.ole32  # type: ignore[attr-defined,unused-ignore]


def _method(pointer: Any, place: int, *kinds: Any) -> Callable[..., int]:  # noqa: ANN401
    table = ctypes.cast(pointer, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    method: Callable[..., int] = FUNCTION(ctypes.c_long, ctypes.c_void_p, *kinds)(table[place])
    return method


def _require(result: int) -> None:
    if result:
        raise OSError(f"HRESULT {result & 0xFFFFFFFF:#x}")
