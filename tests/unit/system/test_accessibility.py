"""Which parts of a program are asked for the text around the cursor; test_insert_limits.py asks real ones."""

import pytest

pytest.importorskip("jeepney", reason="D-Bus is on Linux only")

from handy_qwen.core.types import TextAround
from handy_qwen.system import accessibility
from handy_qwen.system.accessibility import _FOCUSED, _MANAGES_DESCENDANTS, _MOST_CHILDREN, _SHOWING, _Reader

PROCESS, OWNER = 7, ":1.9"


class Tree(_Reader):
    """A registry with one program: path -> its children's paths, and path -> states."""

    def __init__(self, children, states, text="I like apples."):
        self.children, self.states, self.text = children, states, text
        self.listed = []

    def _ask(self, message):
        fields = {field.name: value for field, value in message.header.fields.items()}
        path, what, body = fields["path"], fields["member"], message.body
        children = [(OWNER, child) for child in self.children.get(path, [])]
        self.listed += [path] if what == "GetChildren" else []
        if what == "GetText":
            return (self.text[slice(*body)],)
        counts = {
            "ChildCount": len(children),
            "CaretOffset": len("I like "),
            "CharacterCount": len(self.text),
        }
        if what == "Get":
            return (("i", counts[body[1]]),)
        return {
            "GetConnectionUnixProcessID": (PROCESS,),
            "GetChildren": (children,),
            "GetState": ([self.states.get(path), 0],),
            "GetRole": (79,),
            "GetNSelections": (0,),
        }[what]


def tree(window, children=(), **more):
    """A program whose window, in ``window`` states, has ``children`` and a field with the focus."""
    registry = accessibility._ROOT
    states = {"/window": window, "/field": _FOCUSED | _SHOWING, **dict.fromkeys(children, _SHOWING)}
    return Tree(
        {registry: ["/program"], "/program": ["/window"], "/window": [*children, "/field"]}, states, **more
    )


def test_the_field_with_the_focus_tells():
    assert tree(_SHOWING).around(PROCESS, 5) == TextAround("like ", "apple")
    assert tree(_SHOWING).around(PROCESS + 1, 5) is None


def test_no_table_has_to_make_its_cells():
    many = [f"/cell{number}" for number in range(_MOST_CHILDREN)]
    for made in (tree(_SHOWING | _MANAGES_DESCENDANTS), tree(_SHOWING, many)):
        assert made.around(PROCESS, 5) is None
        assert "/window" not in made.listed


@pytest.mark.parametrize(
    ("text", "around"),
    [("I like \ufffc", TextAround("I like ", "")), ("\ufffcI like", None)],
)
def test_what_is_no_text_is_not_known(text, around):
    assert tree(_SHOWING, text=text).around(PROCESS, 99) == around
