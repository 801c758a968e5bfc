"""Objects of Windows as the unit tests have them: tables of functions, called as Windows calls its own."""

import ctypes

from handy_qwen.audio import com

METHOD = (ctypes.c_long, ctypes.c_void_p)
INVALID, UNREGISTERED = -0x7FF8FFA9, -0x7FFBFEAC  # E_INVALIDARG, REGDB_E_CLASSNOTREG


class Thing:
    """An object with ``methods``: its types of arguments and what it does. Counts who holds it."""

    def __init__(self, *methods):
        self.holders = 1
        self.kept = [
            com.FUNCTION(*METHOD, ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p))(self.query),
            com.FUNCTION(*METHOD)(lambda _: self.hold(1)),
            com.FUNCTION(*METHOD)(lambda _: self.hold(-1)),
            *(com.FUNCTION(*METHOD, *kinds)(work) for kinds, work in methods),
        ]
        addresses = [ctypes.cast(one, ctypes.c_void_p) for one in self.kept]
        self.table = (ctypes.c_void_p * len(addresses))(*addresses)
        self.body = ctypes.c_void_p(ctypes.addressof(self.table))
        self.address = ctypes.addressof(self.body)

    def query(self, this, _interface, found):
        found[0] = this
        self.hold(1)
        return 0

    def hold(self, more):
        self.holders += more
        return self.holders

    def hand_out(self, found):
        self.hold(1)
        found[0] = self.address
        return 0


class FakeWindows:
    """Endpoints by id, and whether they record; whoever registers is told by ``tell``.

    Stands in for ole32, too. ``is_refusing``: there is no sound at all.
    """

    def __init__(self, **flows):
        self.is_refusing = False
        self.clients: list[int] = []
        self.level = 0.8
        text, pointer = ctypes.c_wchar_p, ctypes.POINTER(ctypes.c_void_p)
        self.endpoints = {name: self.endpoint(flow) for name, flow in flows.items()}
        nothing = ((), lambda _: INVALID)
        self.volume = Thing(
            *[nothing] * 4,
            ((ctypes.c_float, ctypes.c_void_p), self.set_level),
            nothing,
            ((ctypes.POINTER(ctypes.c_float),), self.get_level),
        )
        guid = ctypes.c_void_p
        activate = (
            (guid, ctypes.c_int, ctypes.c_void_p, pointer),
            lambda *arguments: self.volume.hand_out(arguments[-1]),
        )
        self.speakers = Thing(activate)
        self.enumerator = Thing(
            nothing,
            ((ctypes.c_int, ctypes.c_int, pointer), lambda *arguments: self.speakers.hand_out(arguments[-1])),
            ((text, pointer), self.get_device),
            ((ctypes.c_void_p,), self.register),
            ((ctypes.c_void_p,), self.unregister),
        )
        self.enumerator.hold(-1)  # whoever makes it holds it

    def endpoint(self, flow):
        def get_flow(_, found):
            found[0] = flow
            return 0

        return Thing(((ctypes.POINTER(ctypes.c_int),), get_flow))

    @property
    def held(self):
        """How many hold what is not theirs any more."""
        others = [self.volume, self.speakers, *self.endpoints.values()]
        return self.enumerator.holders + sum(one.holders - 1 for one in others)

    # --- as ole32's ---

    def CoInitializeEx(self, _reserved, how):  # noqa: N802
        assert how == 0

    def CoCreateInstance(self, _kind, _outer, context, _interface, found):  # noqa: N802
        assert context == com.CLSCTX_ALL
        if self.is_refusing:
            return UNREGISTERED
        self.enumerator.hold(1)
        found._obj.value = self.enumerator.address
        return 0

    # --- as methods ---

    def get_device(self, _, name, found):
        if name not in self.endpoints:
            return INVALID
        return self.endpoints[name].hand_out(found)

    def register(self, _, client):
        self.clients.append(client)
        return 0

    def unregister(self, _, client):
        self.clients.remove(client)
        return 0

    def set_level(self, _, level, _context):
        self.level = level
        return 0

    def get_level(self, _, found):
        found[0] = self.level
        return 0

    def tell(self, place, *arguments):
        """Call a method of all who are registered, as a thread of Windows does."""
        for client in self.clients:
            com.call(ctypes.c_void_p(client), place, *arguments)
