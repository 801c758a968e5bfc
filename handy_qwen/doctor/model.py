"""The speech model: which one would be used, and whether it is whole."""

from __future__ import annotations

from collections.abc import Iterator

from handy_qwen.core.shelf import DEMO
from handy_qwen.doctor.context import Context
from handy_qwen.doctor.finding import Finding, failed, fine, warning
from handy_qwen.engine.manifest import MANIFEST_FILE, find_damage, load_manifest
from handy_qwen.errors import EngineError, ModelMissingError
from handy_qwen.models.installed import (
    InstalledModel,
    find_model,
    fit_custom_words,
    installed_models,
    load_recognizer,
)

NAME = "model"
WORDS = "words"
GET_ONE = "Install a full-size one: tray → Get a full model…, or: handy-qwen model install qwen3-asr-0.6b"


def check(context: Context) -> Iterator[Finding]:
    """Look at the model of the settings; with ``is_thorough`` read all of it and let it run."""
    asked = context.configuration.settings.model
    installed = [model.name for model in installed_models()]
    try:
        model = find_model(asked)
        how = _look_at(model, is_thorough=context.is_thorough)
    except EngineError as error:
        yield failed(NAME, error, model=asked, installed=installed)
        return
    details = {
        "model": model.name,
        "folder": str(model.folder),
        "size_bytes": model.size_bytes,
        "installed": installed,
        "is_demo": model.name == DEMO,
        "is_thorough": context.is_thorough,
    }
    text = f"{model.name}, {model.size_bytes / 1e6:.0f} MB: {how}."
    if model.name == DEMO:
        yield warning(NAME, f"{text} Only this tiny demo model is used: some 300 words.", GET_ONE, **details)
    else:
        yield fine(NAME, text, **details)


def check_words(context: Context) -> Iterator[Finding]:
    """Count the custom words that the model reads. The words themselves are in no finding."""
    settings = context.configuration.settings
    if not settings.custom_words:
        yield fine(WORDS, "There are no custom words.", words=0)
        return
    try:
        words = fit_custom_words(settings.model, settings.custom_words)
    except EngineError:
        return  # ``check`` says what is wrong with the model
    details = {"words": words.total, "used": words.used, "tokens": words.tokens, "limit": words.limit}
    text = f"Custom words: {words.summary}"
    if words.left_out:
        hint = "Put the most important words first in custom_words, or remove some."
        yield warning(WORDS, text, hint, **details)
    else:
        yield fine(WORDS, text, **details)


def _look_at(model: InstalledModel, *, is_thorough: bool) -> str:
    """What was compared, in words.

    Raises:
        ModelMissingError, ModelCorruptError: It is not whole.
        EngineError: It does not run.
    """
    has_manifest = (model.folder / MANIFEST_FILE).is_file()
    if not model.folder.is_dir():
        raise ModelMissingError(model.folder)
    manifest = load_manifest(model.folder) if has_manifest else None
    if not is_thorough:
        return "all files are there, of the right size" if manifest else "ONNX files of the published layout"
    if manifest:
        find_damage(model.folder, manifest)
    recognizer = load_recognizer(str(model.folder))
    try:
        recognizer.self_test()
    finally:
        recognizer.close()
    return "all files are as they were made, and it works" if manifest else "it works"
