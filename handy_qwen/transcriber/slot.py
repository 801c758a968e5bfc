"""The model in use: loading, replacing and unloading it.

    wanted --model-load--> present --replaced, still used by a take--> retired --> closed

Threads: everything here is called on the engine's thread. ``model-load`` exists while a model is being loaded
and only passes on the result, so that takes continue with the current model meanwhile.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import sys
import threading
from collections.abc import Callable, Collection
from functools import partial

from handy_qwen.core.events import ModelFailed, ModelLoading, ModelReady, ModelUnloaded
from handy_qwen.core.ports import Post
from handy_qwen.engine.api import Model
from handy_qwen.errors import EngineError, HandyError, OutOfMemoryError
from handy_qwen.message import Message

logger = logging.getLogger(__name__)


class ModelSlot:
    """At most one current model, initially ``name``, and at most one being loaded.

    ``load`` loads a model, on ``model-load``, and raises HandyErrors. ``do`` calls a function on the engine's
    thread; any thread may call it. ``on_ready``: the current model has changed; ``on_none``: there is none,
    because of that error.
    """

    def __init__(
        self,
        post: Post,
        load: Callable[[str], Model],
        name: str,
        *,
        do: Callable[[Callable[[], None]], None],
        on_ready: Callable[[], None],
        on_none: Callable[[HandyError], None],
    ) -> None:
        self._post = post
        self._load_model = load
        self._name = name
        self._do = do
        self._on_ready = on_ready
        self._on_none = on_none
        self._retired: list[Model] = []  # replaced, and still used by a take
        self._loading: str | None = None
        self.present: Model | None = None

    def switch(self, name: str) -> None:
        """Load the model ``name`` while the current one stays in use."""
        self._name = name
        self._load()

    def ensure(self) -> None:
        """Load the model unless it is loaded."""
        if self.present is None:
            self._load()

    def close_unused(self, used: Collection[Model | None]) -> None:
        """Close replaced models that no take uses any more."""
        for model in [one for one in self._retired if one not in used]:
            self._retired.remove(model)
            _close(model)
            return_freed_memory()

    def unload(self) -> None:
        """Close all models, which must not be in use, and free the memory."""
        models = [model for model in [*self._retired, self.present] if model is not None]
        self._retired.clear()
        self.present = None
        for model in models:
            _close(model)
        if models:
            models.clear()
            return_freed_memory()
            self._post(ModelUnloaded())

    def _load(self) -> None:
        if self._loading is not None:
            return  # ``_loaded`` checks whether it is still wanted
        self._loading = self._name
        self._post(ModelLoading(self._name))
        thread = threading.Thread(
            target=self._load_behind, args=(self._name,), name="model-load", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system allows no more threads
            logger.exception("the model could not be loaded")
            self._not_loaded(self._name, _not_loadable())

    def _load_behind(self, name: str) -> None:
        """Runs on ``model-load``. However it ends, the engine's thread gets the result."""
        error: HandyError = _not_loadable()
        model: Model | None = None
        try:
            model = self._load_model(name)
        except HandyError as exc:
            error = without_frames(exc)
        except MemoryError:
            error = OutOfMemoryError()
        except Exception:
            logger.exception("the model could not be loaded")
        finally:
            self._do(partial(self._loaded, name, model) if model else partial(self._not_loaded, name, error))

    def _loaded(self, name: str, model: Model) -> None:
        self._loading = None
        if name != self._name:  # another one was requested meanwhile
            _close(model)
            self._load()
            return
        if self.present is not None:
            self._retired.append(self.present)
        self.present = model
        self._post(ModelReady(name, model.languages))
        self._on_ready()

    def _not_loaded(self, name: str, error: HandyError) -> None:
        self._loading = None
        if name != self._name:
            self._load()
            return
        logger.warning("model not loaded: %s", error)
        self._post(ModelFailed(name, error))
        if self.present is None:
            self._on_none(error)


def without_frames(error: HandyError) -> HandyError:
    """``error`` without its traceback, which holds open files that Windows could then not delete."""
    reason: BaseException | None = error
    while reason is not None:
        reason.__traceback__ = None
        reason = reason.__cause__ or reason.__context__
    return error


def _close(model: Model) -> None:
    try:
        model.close()
    except Exception:  # no longer used; the next one must still be loaded
        logger.exception("a model could not be closed")


def _not_loadable() -> EngineError:
    return EngineError(Message("The speech model could not be loaded."), Message("See the log for details."))


def return_freed_memory() -> None:
    """Return memory that glibc keeps for later allocations to the system. Takes some milliseconds."""
    gc.collect()
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except AttributeError:  # another C library, such as musl
        logger.debug("no malloc_trim here")
