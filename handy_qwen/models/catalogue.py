"""The models that can be installed: those of ``assets/models.toml``, and the user's own entries.

The format is explained at the top of the shipped file. The user's, ``models.toml`` in the data folder, may
add entries and replace shipped ones by name. If it is broken, the shipped ones remain, with the problem.
"""

from __future__ import annotations

import enum
import re
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from handy_qwen import paths
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.core.models import ModelForm
from handy_qwen.errors import HandyError, InstallationError
from handy_qwen.languages import ALL_LANGUAGES, LANGUAGES
from handy_qwen.message import Message

CATALOGUE_FILE = "models.toml"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
_FILE = re.compile(r"[A-Za-z0-9_*][\w.*-]*")
_MOST_BYTES = 1 << 20  # of a catalogue
_MOST_NAME = 64
_OFFICIAL, _HF = "Qwen", "-hf"  # the owner of the official repositories; how those for transformers end
_FILES = ("config.json", "model.safetensors | model-*.safetensors", "tokenizer.json | vocab.json")
_OPTIONAL = ("model.safetensors.index.json", "merges.txt", "tokenizer_config.json")


class Layout(enum.Enum):
    """The contents of a repository, as spelled in the catalogue."""

    CHECKPOINT = "checkpoint"  # official weights, converted on this machine
    PUBLISHED = "published"  # ONNX files, used as they are
    SHIPPED = "shipped"  # with the program


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A model that can be installed. Sizes are approximate, 0 where unknown.

    An entry of ``files`` is a name in which ``*`` stands for any letters; of ``a | b`` the first one that the
    repository has is used. Those of ``optional`` may be missing.
    """

    name: str
    title: str
    layout: Layout
    repository: str = ""
    revision: str = "main"
    files: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    good_for: Message = Message()
    download_bytes: int = 0
    disk_bytes: int = 0
    memory_bytes: int = 0
    smaller: tuple[ModelForm, ...] = ()  # than the default preset, whose sizes are those above
    languages: tuple[str, ...] = ALL_LANGUAGES  # English names
    licence: str = ""
    is_recommended: bool = False

    @property
    def forms(self) -> tuple[ModelForm, ...]:
        """The forms it can be installed in, the usual one first; empty if there is no choice."""
        if not self.smaller:
            return ()
        return (ModelForm(DEFAULT_PRESET, Message(), self.disk_bytes, self.memory_bytes), *self.smaller)

    def memory_of(self, preset: str) -> int:
        """The approximate memory it needs with ``preset``, "" being the usual one; 0 if unknown."""
        if preset in {"", DEFAULT_PRESET}:
            return self.memory_bytes
        return next((form.memory_bytes for form in self.smaller if form.preset == preset), 0)

    @property
    def room_bytes(self) -> int:
        """Disk space needed to install it: temporarily both source and package exist."""
        return self.download_bytes + (self.disk_bytes if self.layout is Layout.CHECKPOINT else 0)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All entries, in display order. ``problem``: what is wrong with the user's file."""

    models: tuple[CatalogueModel, ...]
    problem: HandyError | None = None

    def find(self, name: str) -> CatalogueModel:
        """The entry ``name``, or one for the repository OWNER/NAME; InstallationError if there is none."""
        for model in self.models:
            if name in {model.name, model.repository}:
                return model
        if "/" in name and _REPOSITORY.fullmatch(name) and ".." not in name:
            return self._checkpoint(name)
        names = ", ".join(model.name for model in self.models if model.layout is not Layout.SHIPPED)
        raise InstallationError(
            Message("No model {name} can be installed.", name=repr(name)),
            Message("Available: {names}.", names=names),
        )

    def _checkpoint(self, repository: str) -> CatalogueModel:
        owner, _, title = repository.partition("/")
        name = title.lower() if owner == _OFFICIAL else f"{owner}-{title}".lower()
        described = next((one for one in self.models if one.repository == repository.removesuffix(_HF)), None)
        entry = CatalogueModel(name[:_MOST_NAME].strip("._-"), title, Layout.CHECKPOINT, repository)
        if described is not None:  # the same weights, in the form for transformers
            entry = replace(
                described, name=entry.name, title=title, repository=repository, is_recommended=False
            )
        return replace(entry, files=_FILES, optional=_OPTIONAL)


def user_catalogue() -> Path:
    """The file of the user's own entries; it may be missing."""
    return paths.data_dir() / CATALOGUE_FILE


def read_catalogue() -> Catalogue:
    """Read both files, in milliseconds, on any thread; InstallationError if the shipped one is damaged."""
    shipped = {model.name: model for model in _read(paths.asset(CATALOGUE_FILE))}
    try:
        own = {model.name: model for model in _read(user_catalogue())}
    except FileNotFoundError:
        own = {}
    except InstallationError as exc:
        return Catalogue(tuple(shipped.values()), exc)
    return Catalogue(tuple((shipped | own).values()))


def _read(path: Path) -> list[CatalogueModel]:
    try:
        with path.open("rb") as file:  # a file cut off at the limit is invalid TOML or long enough
            entries = tomllib.loads(file.read(_MOST_BYTES).decode()).get("models", [])
        return [_model(entry) for entry in entries]
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise InstallationError(
            Message("The catalogue {path} cannot be read: {reason}.", path=path, reason=exc.strerror),
            Message("Check its permissions."),
        ) from exc
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise InstallationError(
            Message("The catalogue {path} cannot be used: {problem}.", path=path, problem=exc),
            Message("Fix or remove it; its form is explained in {path}.", path=paths.asset(CATALOGUE_FILE)),
        ) from exc


def _model(raw: dict[str, Any]) -> CatalogueModel:
    """An entry, from an untrusted file; ValueError, TypeError or AttributeError if it is invalid."""
    name = _text(raw, "name", _NAME)
    if unknown := sorted(raw.keys() - {field.name for field in fields(CatalogueModel)}):
        raise ValueError(f"{name} has an unknown key {unknown[0]}")
    layout = Layout(_text(raw, "layout"))
    files = _file_names(raw, "files")
    if layout is not Layout.SHIPPED and not files:
        raise ValueError(f"{name} names no files")
    codes = raw.get("languages", list(LANGUAGES))
    if not isinstance(codes, list) or any(code not in LANGUAGES for code in codes):
        raise ValueError(f"languages of {name} are not a list of codes that the model knows")
    return CatalogueModel(
        name=name,
        title=_text(raw, "title", default=name),
        layout=layout,
        repository="" if layout is Layout.SHIPPED else _text(raw, "repository", _REPOSITORY),
        revision=_text(raw, "revision", _REVISION, "main"),
        files=files,
        optional=_file_names(raw, "optional"),
        good_for=Message(_text(raw, "good_for", default="")),
        download_bytes=_size(raw, "download_bytes"),
        disk_bytes=_size(raw, "disk_bytes"),
        memory_bytes=_size(raw, "memory_bytes"),
        smaller=_forms(raw),
        languages=tuple(LANGUAGES[code] for code in codes),
        licence=_text(raw, "licence", default=""),
        is_recommended=raw.get("is_recommended") is True,
    )


def _forms(raw: dict[str, Any]) -> tuple[ModelForm, ...]:
    forms = raw.get("smaller", [])
    if not isinstance(forms, list) or not all(isinstance(form, dict) for form in forms):
        raise ValueError(f"smaller of {raw['name']} is not a list of forms")
    if unknown := [form for form in forms if form.get("preset") not in PRESETS]:
        raise ValueError(f"{raw['name']} has an unknown preset {unknown[0].get('preset')!r}")
    return tuple(
        ModelForm(
            preset=form["preset"],
            cost=Message(_text(form | {"name": raw["name"]}, "cost", default="")),
            disk_bytes=_size(form | {"name": raw["name"]}, "disk_bytes"),
            memory_bytes=_size(form | {"name": raw["name"]}, "memory_bytes"),
        )
        for form in forms
    )


def _text(
    raw: dict[str, Any], key: str, form: re.Pattern[str] | None = None, default: str | None = None
) -> str:
    value = raw.get(key, default)
    if not isinstance(value, str) or (form is not None and not form.fullmatch(value)) or ".." in value:
        raise ValueError(f"{key} of {raw.get('name', 'an entry')} is missing or has another form")
    return value


def _file_names(raw: dict[str, Any], key: str) -> tuple[str, ...]:
    values = raw.get(key, [])
    is_valid = isinstance(values, list) and all(
        isinstance(value, str) and all(_FILE.fullmatch(part.strip()) for part in value.split("|"))
        for value in values
    )
    if not is_valid:
        raise ValueError(f"{key} of {raw['name']} is not a list of names of files")
    return tuple(values)


def _size(raw: dict[str, Any], key: str) -> int:
    value = raw.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{key} of {raw['name']} is not a number of bytes")
    return value
