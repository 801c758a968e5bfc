"""Finds the programs that code calls by name: by reading it, without running anything.

What is called is followed back to where it is written down: through variables, constants (of other modules as
well), loops, conditions, and functions that return a command or are handed one. Such a function calls its
parameter ``command``, ``tool``, ``program`` or ``python``. What cannot be followed is reported as well, so
that nothing is overlooked.
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path, PureWindowsPath
from typing import Any

STARTERS = {  # what starts a program, or asks for one: the place of the command among its arguments
    **{f"subprocess.{name}": 0 for name in ("run", "Popen", "call", "check_call", "check_output")},
    **{
        f"os.{name}": 0
        for name in ("execv", "execvp", "execve", "execvpe", "execl", "execlp", "system", "popen")
    },
    **{f"os.{name}": 1 for name in ("spawnv", "spawnvp", "spawnl", "spawnlp")},
    **{f"asyncio.create_subprocess_{name}": 0 for name in ("exec", "shell")},
    "shutil.which": 0,
    "QProcess.startDetached": 0,
    "QProcess.execute": 0,
    "pty.spawn": 0,
}
_STARTER_NAMES = {name.rpartition(".")[2] for name in STARTERS}
SHELLS = {"sh", "bash", "dash"}
IN_FRONT = {  # programs that run another one: how many words of their own come before it
    **dict.fromkeys(("env", "sudo", "nice", "nohup", "setsid", "unshare", "exec", "command", "xvfb-run"), 0),
    **dict.fromkeys(("chroot", "timeout"), 1),
}
THIS_PYTHON = "python"
COMMANDS = {"command", "tool", "program", "python"}
"""What a parameter is called that takes one."""
_SAME = {"str", "list", "tuple", "Path", "PurePath", "fspath", "sorted", "reversed", "cast", "iter"}
_SHELL_WORDS = """
. : [ alias break case cd continue do done echo elif else esac eval exit export false fi for getopts if in
kill local printf
pwd read readonly return set shift then trap true type ulimit umask unset until wait while { } !
"""

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Call:
    """A program that is called, and where. ``name`` is empty where it cannot be told."""

    name: str
    place: str


@dataclass(frozen=True)
class _Parameter:
    """The command is what a function is called with."""

    function: Function
    name: str


@dataclass(frozen=True)
class _Unknown:
    node: ast.AST


class _Inner(str):
    """A program that another one runs: what comes behind in the command is not for it."""

    __slots__ = ()


_Found = str | _Parameter | _Unknown


@dataclass
class _Module:
    name: str
    tree: ast.Module
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)
    imports: dict[str, str] = field(default_factory=dict)
    kinds: dict[type[ast.AST], list[ast.AST]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            self.kinds.setdefault(type(node), []).append(node)
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                waiting.append(child)
            if isinstance(node, ast.Import):
                self.imports |= {one.asname or one.name: one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.imports |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}

    def of_kind(self, *kinds: type[ast.AST]) -> Iterator[Any]:
        for kind in kinds:
            yield from self.kinds.get(kind, [])

    @property
    def dotted_name(self) -> str:
        return self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def functions_around(self, node: ast.AST) -> Iterator[Function]:
        while (parent := self.parents.get(node)) is not None:
            if isinstance(parent, Function) and node is not parent.args:  # defaults are evaluated outside
                yield parent
            node = parent

    def dotted(self, node: ast.AST) -> str:
        """``subprocess.run`` for what is imported as such, under whatever name."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value)}.{node.attr}"
        return ""


def calls_in(sources: dict[str, str]) -> list[Call]:
    """The calls in Python sources, given by their names. A name that ends in ``.sh`` is a shell script."""
    python = {name: text for name, text in sources.items() if not name.endswith(".sh")}
    with _no_collection():
        found = _Finder([_Module(name, ast.parse(text)) for name, text in python.items()]).calls()
    for name in sources.keys() - python.keys():
        found += [Call(program, name) for program in programs_of_shell(sources[name])]
    return found


@contextmanager
def _no_collection() -> Iterator[None]:
    """Two million nodes are no garbage, and searching them for it takes longer than making them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Finder:
    def __init__(self, modules: list[_Module]) -> None:
        self._modules = modules
        self._of = {node: module for module in modules for node in module.parents}
        self._functions: dict[str, list[Function]] = {}
        self._constants: dict[str, list[ast.expr]] = {}
        for module in modules:
            for node in module.of_kind(ast.FunctionDef, ast.AsyncFunctionDef):
                self._functions.setdefault(node.name, []).append(node)
            for body in module.of_kind(ast.Module, ast.ClassDef):
                for name, value in _assigned(body.body):
                    self._constants.setdefault(name, []).append(value)
        self._helpers: dict[
            Function, set[str]
        ] = {}  # those that call what they are given, as which parameter
        self._helper_names: set[str] = set()
        self._aliases: dict[tuple[str, str], Function] = {}  # (module, attribute) that holds a helper
        self._busy: set[tuple[ast.AST, str]] = set()

    def calls(self) -> list[Call]:
        """Again and again, until no further function is found that hands a command on."""
        while True:
            before = sum(map(len, self._helpers.values())) + len(self._aliases)
            found = [call for module in self._modules for call in self._calls_of(module)]
            if before == sum(map(len, self._helpers.values())) + len(self._aliases):
                return found

    def _calls_of(self, module: _Module) -> Iterator[Call]:
        for node in module.of_kind(ast.Assign):
            self._look_for_alias(module, node)
        for node in module.of_kind(ast.Call):
            for command, is_sure in self._commands(module, node):
                place = f"{module.name}:{node.lineno}"
                for found in self._command(command, is_shell=_is_shell(module, node)):
                    if isinstance(found, _Parameter):
                        self._helpers.setdefault(found.function, set()).add(found.name)
                        self._helper_names.add(getattr(found.function, "name", ""))
                    elif isinstance(found, _Unknown):
                        if is_sure:
                            yield Call("", f"{place}: {ast.unparse(found.node)}")
                    elif found:
                        yield Call(str(found), place)

    # --- what is called -------------------------------------------------------------------------------

    def _commands(self, module: _Module, node: ast.Call) -> Iterator[tuple[list[ast.expr], bool]]:
        """The commands that a call hands on, each as the arguments from there; whether it surely does."""
        dotted = module.dotted(node.func)
        starter = dotted.rpartition(".")[2] in _STARTER_NAMES and next(
            (at for name, at in STARTERS.items() if dotted == name or dotted.endswith(f".{name}")), None
        )
        if starter is not None and starter is not False:
            named = [k.value for k in node.keywords if k.arg in {"args", "cmd", "program"}]
            yield (node.args[starter:] or named), True
            return
        for function, is_sure in self._helpers_called(module, node):
            for name in sorted(self._helpers[function]):
                if arguments := _arguments(function, name, node):
                    yield arguments, is_sure

    def _helpers_called(self, module: _Module, node: ast.Call) -> list[tuple[Function, bool]]:
        name = _last_name(node.func)
        helpers: list[Function] = []
        if name in self._helper_names:  # of most calls nobody needs to know what they may mean
            helpers = [one for one in self._callable(module, node, name) if one in self._helpers]
        if (alias := self._aliases.get((module.name, name))) is not None:
            helpers.append(alias)
        # What else has a method of this name may take no command.
        is_sure = not isinstance(node.func, ast.Attribute) or name not in {"start", "run"}
        return [(one, is_sure) for one in helpers]

    def _local_function(self, module: _Module, node: ast.AST, name: str) -> Function | None:
        """The function of this module that a bare name means; None if it has another origin."""
        around = [*module.functions_around(node), module.tree]
        for one in self._functions.get(name, []):
            if self._of.get(one) is module and (module.parents[one] in around):
                return one
        return None

    def _is_method(self, function: Function) -> bool:
        return isinstance(self._of[function].parents.get(function), ast.ClassDef)

    def _look_for_alias(self, module: _Module, node: ast.Assign) -> None:
        """``self._run = run``, where ``run`` is a helper unless the caller has another."""
        if not (isinstance(node.targets[0], ast.Attribute) and isinstance(node.value, ast.Name)):
            return
        for function in module.functions_around(node):
            default = _default(function, node.value.id)
            for helper in self._helpers:
                if default is not None and _last_name(default) == getattr(helper, "name", ""):
                    self._aliases[module.name, node.targets[0].attr] = helper

    # --- where it is written down -----------------------------------------------------------------------

    def _command(self, parts: list[ast.expr], *, is_shell: bool = False) -> set[_Found]:
        """The programs of a command that is given as the arguments of a call: a list, or word for word."""
        if not parts:
            return set()
        if is_shell:
            return {program for text in self._texts(parts[0]) for program in programs_of_shell(text)}
        first, *rest = parts
        if isinstance(first, ast.List | ast.Tuple):
            return self._words(first.elts)
        return self._words([first]) if isinstance(first, ast.Starred) else self._words([first, *rest])

    def _words(self, words: list[ast.expr]) -> set[_Found]:
        """The programs that the words of a command name: the first, and what that one runs."""
        words = _flat(words)
        if not words:
            return set()
        found = self._first(words[0])
        names = {one for one in found if isinstance(one, str) and not isinstance(one, _Inner)}
        if names & SHELLS and len(words) > 2:
            for flag, script in pairwise(words[1:]):
                if isinstance(flag, ast.Constant) and flag.value == "-c":
                    found |= {_Inner(one) for text in self._texts(script) for one in programs_of_shell(text)}
        for name in names & IN_FRONT.keys():
            behind = self._behind(words[1:], IN_FRONT[name])
            found |= {_Inner(one) if isinstance(one, str) else one for one in behind}
        return found

    def _behind(self, words: list[ast.expr], own: int) -> set[_Found]:
        for at, word in enumerate(words):
            texts = self._texts(word)
            if any(text.startswith("-") or "=" in text for text in texts):
                continue
            if own:
                own -= 1
                continue
            return self._words(words[at:])
        return set()

    def _first(self, node: ast.expr) -> set[_Found]:  # noqa: PLR0911, PLR0912  one branch for each kind
        """The program of a command: its first word, or the whole of it."""
        match node:
            case ast.Constant(value=str(text)):
                return {_name(text)} if text else set()
            case ast.Constant():
                return set()
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                return self._words(elts)
            case ast.Starred(value=value) | ast.NamedExpr(value=value) | ast.Await(value=value):
                return self._first(value)
            case ast.JoinedStr(values=[ast.FormattedValue(value=value), *rest]) if not _text(rest).startswith(
                "/"
            ):
                return self._first(value)
            case ast.JoinedStr(values=values):
                return {_name(_text(values).split()[0])}
            case ast.BinOp(left=left, op=ast.Add()):
                return self._first(left)
            case ast.BinOp(right=right, op=ast.Div()):
                return self._first(right)
            case ast.IfExp(body=one, orelse=other):
                return self._first(one) | self._first(other)
            case ast.BoolOp(values=values):
                return set().union(*map(self._first, values))
            case ast.Lambda(body=body):
                return self._first(body)
            case ast.Subscript(value=value):
                return self._subscript(value, node.slice)
            case ast.ListComp() | ast.GeneratorExp():
                return self._first(node.elt)
            case ast.Name(id=name):
                return self._variable(node, name, self._first)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._result(node)
        return {_Unknown(node)}

    def _subscript(self, value: ast.expr, index: ast.expr) -> set[_Found]:
        if self._of[value].dotted(value) == "os.environ":
            return set()  # the user's own choice
        if isinstance(index, ast.Constant) and index.value == 0:
            return self._first(value)
        return self._each(value, is_values=True)

    def _attribute(self, node: ast.Attribute) -> set[_Found]:
        module = self._of[node]
        dotted = module.dotted(node)
        if dotted == "sys.executable":
            return {THIS_PYTHON}
        if dotted == "launch.command":
            return {THIS_PYTHON}  # this program, however it was installed
        if node.attr in {"name", "parent"}:
            return self._first(node.value)
        is_own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
        values = [
            assign.value
            for assign in module.of_kind(ast.Assign)
            if is_own and any(isinstance(t, ast.Attribute) and t.attr == node.attr for t in assign.targets)
        ]
        receiver = _last_name(node.value)
        constants = self._constants.get(node.attr, [])
        if not values and receiver in module.imports:
            values = [one for one in constants if self._is_imported(module, receiver, one)]
        elif not values:
            values = [one for one in constants if is_own or node.attr.isupper()]
        return self._all(node, node.attr, values, self._first)

    def _result(self, node: ast.Call) -> set[_Found]:  # noqa: PLR0911, PLR0912  likewise
        module, name = self._of[node], _last_name(node.func)
        dotted = module.dotted(node.func)
        if name in {"getenv"} or dotted in {"os.environ.get", "os.environ.pop"}:
            return set().union(*(self._first(one) for one in node.args[1:]))
        if name in {"with_name", "joinpath"}:
            return self._first(node.args[-1])
        if name in {"resolve", "absolute", "expanduser", "strip", "format", "as_posix", "encode"}:
            return self._first(node.func.value)  # type: ignore[attr-defined]
        if name == "split":
            text = node.args[0] if dotted == "shlex.split" else node.func.value  # type: ignore[attr-defined]
            lines = self._first(text)
            return {one.split()[0] if isinstance(one, str) and one.split() else one for one in lines}
        if name == "map":
            return self._first(node.args[1])
        if isinstance(node.func, ast.Name) and name in COMMANDS and not self._callable(module, node, name):
            return self._first(node.func)  # a function that returns the command was handed over
        if name == "next":
            return self._each(node.args[0])
        if dotted in STARTERS or name in _SAME:
            return self._command(node.args[-1:] if name == "cast" else node.args[:1])
        returned = [(one, value) for one in self._callable(module, node, name) for value in _returned(one)]
        if not returned:
            return {_Unknown(node)}
        found: set[_Found] = set()
        for function, value in returned:
            for one in self._all(value, name, [value], self._first):
                if isinstance(one, _Parameter) and one.function is function:
                    arguments = _arguments(function, one.name, node)
                    found |= self._first(arguments[0]) if arguments else set()
                else:
                    found.add(one)
        return found

    def _callable(self, module: _Module, node: ast.Call, name: str) -> list[Function]:
        """The functions that a call may mean: of this module, imported, or of another module by its name."""
        same = self._functions.get(name, [])
        if isinstance(node.func, ast.Name):
            local = self._local_function(module, node, name)
            return [local] if local else [one for one in same if self._is_imported(module, name, one)]
        receiver = _last_name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if receiver in module.imports:
            return [one for one in same if self._is_imported(module, receiver, one)]
        methods = [one for one in same if self._is_method(one) and not name.startswith("__")]
        own = [one for one in methods if self._of[one] is module]
        return own if receiver in {"self", "cls"} and own else methods

    def _is_imported(self, module: _Module, name: str, node: ast.AST) -> bool:
        """Whether ``name``, as ``module`` imports it, is ``node`` or the module that ``node`` is in."""
        origin = module.imports.get(name, "")
        place = self._of[node].dotted_name
        return any(f".{place}".endswith(f".{one}") for one in (origin, origin.rpartition(".")[0]) if one)

    def _each(self, node: ast.expr, *, is_values: bool = False) -> set[_Found]:  # noqa: PLR0911, PLR0912  likewise
        """The programs of several commands: the elements of a list, the keys (or values) of a table."""
        match node:
            case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
                return set().union(*map(self._first, elts))
            case ast.Dict(keys=keys, values=values):
                return set().union(*(self._first(one) for one in (values if is_values else keys) if one))
            case ast.Starred(value=value):
                return self._each(value, is_values=is_values)
            case ast.IfExp(body=one, orelse=other):
                return self._each(one, is_values=is_values) | self._each(other, is_values=is_values)
            case ast.BinOp(left=left, right=right):
                return self._each(left, is_values=is_values) | self._each(right, is_values=is_values)
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp():
                return self._each(node.generators[0].iter) if _is_plain(node.elt) else self._first(node.elt)
            case ast.Name(id=name):
                return self._variable(node, name, lambda value: self._each(value, is_values=is_values))
            case ast.Attribute(attr=name) if name in self._constants:
                return set().union(*(self._each(v, is_values=is_values) for v in self._constants[name]))
            case ast.Call(func=ast.Name(id="map"), args=[_, among]):
                return self._each(among, is_values=is_values)
            case ast.Call(func=ast.Name(), args=[among, *_]):
                return self._each(among, is_values=is_values)
            case ast.Call(func=ast.Attribute(attr="split", value=ast.Constant(value=str(text)))):
                return set(text.split())
            case ast.Call(func=ast.Attribute(value=value, attr="values")):
                return self._each(value, is_values=True)
            case ast.Call(func=ast.Attribute(value=value, attr="keys" | "items")):
                return self._each(value)
        return {_Unknown(node)}

    def _variable(self, node: ast.Name, name: str, follow) -> set[_Found]:
        module = self._of[node]
        for comprehension in self._comprehensions(module, node):
            for one in comprehension.generators:
                if name in _names(one.target):
                    # Of words that become a command the first counts; of several commands each.
                    is_command = node in ast.walk(comprehension.elt) and _is_plain(comprehension.elt)
                    return self._first(one.iter) if is_command else self._each(one.iter)
        for function in module.functions_around(node):
            bound = list(_bound(function, name))
            found: set[_Found] = set()
            if choices := _parametrized(function, name):
                return self._each(choices)
            for value, is_looped in bound:
                found |= self._all(node, name, [value], self._each if is_looped else follow)
            if name in _parameters(function):
                found.add(_Parameter(function, name) if name in COMMANDS else _Unknown(node))
                default = _default(function, name)
                if default is not None:
                    found |= self._all(node, name, [default], follow)
            if bound or found:
                return found
        values = self._constants_of(module, name)
        if not values and (loops := [v for v, is_looped in _bound(module.tree, name) if is_looped]):
            return set().union(*(self._each(value) for value in loops))
        return self._all(node, name, values, follow)

    def _constants_of(self, module: _Module, name: str) -> list[ast.expr]:
        """What a name outside of functions is set to, here or where it is imported from."""
        here = [value for found, value in _assigned(module.tree.body) if found == name]
        origin = module.imports.get(name, "").rpartition(".")[2]
        return here or [
            one for one in self._constants.get(origin, []) if self._is_imported(module, name, one)
        ]

    @staticmethod
    def _comprehensions(
        module: _Module, node: ast.AST
    ) -> Iterator[ast.ListComp | ast.GeneratorExp | ast.SetComp]:
        while (node := module.parents.get(node)) is not None:  # type: ignore[assignment]
            if isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
                yield node

    def _all(self, node: ast.AST, name: str, values: Iterable[ast.expr], follow) -> set[_Found]:
        """What all ``values`` lead to; a name that leads to itself adds nothing."""
        values = list(values)
        if not values:
            return {_Unknown(node)}
        found: set[_Found] = set()
        for value in values:
            key = (value, name)
            if key not in self._busy:
                self._busy.add(key)
                found |= follow(value)
                self._busy.remove(key)
        return found

    def _texts(self, node: ast.expr) -> list[str]:
        """The texts that an expression may be, as far as they are written down."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=values):
                return [_text(values)]
            case ast.Name(id=name):
                module = self._of[node]
                bound = [
                    v
                    for f in module.functions_around(node)
                    for v, is_looped in _bound(f, name)
                    if not is_looped
                ]
                values = bound or self._constants_of(module, name)
                return [text for value in values if value is not node for text in self._texts(value)]
            case ast.Call(func=ast.Attribute(attr="join", value=ast.Constant(value=str(glue))), args=[among]):
                return [glue.join(t for element in _elements(self, among) for t in self._texts(element))]
        return []


def _elements(finder: _Finder, node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.Tuple | ast.List):
        return node.elts
    if isinstance(node, ast.Name):
        around = finder._of[node].functions_around(node)
        return [e for f in around for v, _ in _bound(f, node.id) for e in _elements(finder, v)]
    return []


def programs_of_shell(script: str) -> list[str]:
    """The programs that a shell script calls: the first word of each of its commands."""
    script = re.sub(r"(^|\s)#.*", "", script)
    script = re.sub(r"'[^']*'", "''", script)  # what is quoted so is no command
    functions = set(re.findall(r"(\w+)\s*\(\)", script))
    script = re.sub(r"\w+\s*\(\)", "", script)
    found = []
    script = re.sub(r"\\\n|\d?>&\d?-?|>/dev/null", " ", script)
    depth, is_behind = 0, False  # behind the end of $( ) the command around it goes on
    for part in re.split(r"(\n|;|&&|\|\||\||&|\$\(|`|\(|\))", script):
        if part in {"(", "$("}:
            depth += 1
        elif part == ")" and depth:
            depth -= 1
            is_behind = True
            continue
        if is_behind and not re.fullmatch(r"\n|;|&&|\|\||\||&", part):
            continue
        is_behind = False
        words = part.split()
        own = 0
        while words:
            word = words.pop(0).strip('"')
            is_set = re.match(r"\w+=", word)
            if is_set or word in {"then", "do", "else", "elif", "if", "while", "until", "!", "{", "exec"}:
                continue
            if own:
                own -= 1
                continue
            if word in {"for", "case"} or not re.fullmatch(r"[\w./+-]+", word) or word.startswith("-"):
                break
            name = _name(word)
            if name not in {*_SHELL_WORDS.split(), *functions}:
                found.append(name)
            if name not in IN_FRONT:
                break
            own = IN_FRONT[name]
            while words and words[0].startswith("-"):
                words.pop(0)
    return found


# --- reading the tree --------------------------------------------------------------------------------------


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign | ast.AnnAssign) and value is not None:
            for target in targets:
                yield from _paired(target, value)


def _paired(target: ast.AST | None, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, part in zip(target.elts, value.elts, strict=False):
            yield from _paired(one, part)


def _bound(scope: ast.AST, name: str) -> list[tuple[ast.expr, bool]]:
    """What ``name`` is set to in a function, and whether it is each element of that."""
    return _all_bound(scope).get(name, [])


@cache
def _all_bound(scope: ast.AST) -> dict[str, list[tuple[ast.expr, bool]]]:
    found: dict[str, list[tuple[ast.expr, bool]]] = {}
    for node in ast.walk(scope):
        match node:
            case ast.Assign(targets=targets, value=value):
                pairs = [pair for target in targets for pair in _paired(target, value)]
                is_looped = False
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                pairs, is_looped = list(_paired(target, value)), False
            case (
                ast.NamedExpr(target=target, value=value)
                | ast.withitem(optional_vars=target, context_expr=value)
            ):
                pairs, is_looped = list(_paired(target, value)), False
            case ast.For(target=target, iter=value):
                pairs, is_looped = [(name, value) for name in _names(target)], True
            case _:
                continue
        for name, value in pairs:
            found.setdefault(name, []).append((value, is_looped))
    return found


def _parametrized(function: Function, name: str) -> ast.expr | None:
    """The values with which ``pytest.mark.parametrize`` calls a test."""
    for one in getattr(function, "decorator_list", []):
        if isinstance(one, ast.Call) and _last_name(one.func) == "parametrize":
            names, values = one.args[:2]
            if isinstance(names, ast.Constant) and names.value == name:
                return values
    return None


def _is_plain(node: ast.expr) -> bool:
    """Whether it is a name, perhaps made a text of: ``part``, ``str(part)``."""
    if isinstance(node, ast.Call) and _last_name(node.func) in _SAME and node.args:
        node = node.args[0]
    return isinstance(node, ast.Name)


def _names(target: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}


def _returned(function: Function) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
            yield node.value


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    named = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return named + ([arguments.vararg.arg] if arguments.vararg else [])


def _default(function: Function, name: str) -> ast.expr | None:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = dict(zip((a.arg for a in reversed(positional)), reversed(arguments.defaults), strict=False))
    defaults |= {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d}
    return defaults.get(name)


def _arguments(function: Function, name: str, call: ast.Call) -> list[ast.expr]:
    """The arguments of ``call`` from that of parameter ``name`` on."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return [keyword.value]
    positional = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    if positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    vararg = function.args.vararg
    if vararg is not None and vararg.arg == name:
        return call.args[len(positional) :]
    if name not in positional:
        return []
    at = positional.index(name)
    if any(isinstance(one, ast.Starred) for one in call.args[: at + 1]):
        return []
    return call.args[at : at + 1]


def _flat(words: Iterable[ast.expr]) -> list[ast.expr]:
    flat: list[ast.expr] = []
    for word in words:
        if isinstance(word, ast.Starred) and isinstance(word.value, ast.Tuple | ast.List):
            flat += _flat(word.value.elts)
        else:
            flat.append(word)
    return flat


def _text(values: list[ast.expr]) -> str:
    """The text of an f-string, as far as it is written down."""
    return "".join(str(one.value) for one in values if isinstance(one, ast.Constant))


def _name(path: str) -> str:
    """The last part of a path of any system, without Windows' ending."""
    return PureWindowsPath(path).name.removesuffix(".exe")


def _last_name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _is_shell(module: _Module, node: ast.Call) -> bool:
    if module.dotted(node.func) in {"os.system", "os.popen", "asyncio.create_subprocess_shell"}:
        return True
    return any(
        k.arg == "shell" and isinstance(k.value, ast.Constant) and k.value.value for k in node.keywords
    )


def sources_under(root: Path, *folders: str) -> dict[str, str]:
    """All Python sources and shell scripts in ``folders``."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".py", ".sh"}
    }
