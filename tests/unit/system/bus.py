"""A session bus with a desktop portal, as the client of the portal sees it."""

import collections
from typing import Any

from jeepney import DBusAddress, HeaderFields, new_error, new_method_return, new_signal

SESSION = "/session/1"
ERROR = "org.freedesktop.DBus.Error."


def response(path, code, results):
    """The signal that answers the request at ``path``."""
    return new_signal(
        DBusAddress(path, interface="org.freedesktop.portal.Request"), "Response", "ua{sv}", (code, results)
    )


class FakeBus:
    """A connection. ``answers`` are the bodies of Responses by method; None: there is none."""

    unique_name = ":1.42"

    def __init__(self, answers=None, refuses=()):
        self.answers = {
            "CreateSession": (0, {"session_handle": ("s", SESSION)}),
            "SelectDevices": (0, {}),
            "Start": (0, {"devices": ("u", 1)}),
        } | (answers or {})
        self.refuses = dict.fromkeys(refuses, "AccessDenied") if isinstance(refuses, tuple) else refuses
        self.calls, self.sent = [], []
        self.coming: collections.deque[Any] = collections.deque()  # signals, or errors to raise
        self.is_closed = False

    def filter(self, _rule, *, queue):
        self.queue = queue

    def send_and_get_reply(self, message, *, timeout):
        assert 0 < timeout <= 60
        message.serialise(serial=len(self.calls) + 1)  # raises if the signature does not fit
        fields = message.header.fields
        member, body = fields[HeaderFields.member], message.body
        message.header.serial = len(self.calls) + 1
        if member in self.refuses:
            return new_error(message, ERROR + self.refuses[member])
        if member not in ("AddMatch", "Get", "Register"):
            self.calls.append((member, body))
        options = body[-1] if body else None
        if isinstance(options, dict) and "handle_token" in options and self.answers.get(member) is not None:
            path = f"/org/freedesktop/portal/desktop/request/1_42/{options['handle_token'][1]}"
            self.coming.append(response(path, 0, {}))
            self.coming[-1].body = self.answers[member]
        return new_method_return(message)

    def send(self, message):
        fields = message.header.fields
        self.sent.append(
            (fields[HeaderFields.destination], fields[HeaderFields.path], fields[HeaderFields.member])
        )

    def recv_messages(self, *, timeout):
        assert timeout >= 0
        if not self.coming:
            raise TimeoutError
        found = self.coming.popleft()
        if isinstance(found, BaseException):
            raise found
        self.queue.append(found)

    def close(self):
        self.is_closed = True
