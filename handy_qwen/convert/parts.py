"""Writes the graphs and weights of a package, each part in the quickest form that is faithful enough.

What counts is the error of a part's output against float32, on the check speech. Rounding with a scale per
channel costs 1.4 % in one product of random numbers, and norms and residuals keep those of many layers from
adding up: 8 bits that suit a model end at 1 to 2 % for the encoder and at 2 to 3 % for all of it, and hardly
ever change a first choice. Where the error is larger, a finer form is tried, and kept.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from handy_qwen.convert.check import Check, Choices, compare_choices
from handy_qwen.convert.checkpoint import Checkpoint
from handy_qwen.convert.decoder import write_decoder, write_embedding, write_head
from handy_qwen.convert.encoder import write_encoder, write_frontend
from handy_qwen.convert.folding import FoldedTensors
from handy_qwen.convert.presets import PLAIN, Precision, Preset
from handy_qwen.convert.trial import Case, TooCoarseError, relative_error
from handy_qwen.engine.qwen3 import names
from handy_qwen.engine.qwen3.compact import open_table
from handy_qwen.engine.qwen3.manifest import Fidelity, TableForm
from handy_qwen.engine.qwen3.model import ModelConfig

FEATURES_LIMIT, LOGITS_LIMIT = 0.02, 0.03
ROWS_LOGITS_LIMIT = 0.025
"""Of a decoder whose activations have a scale for each row: words are worth more than the speed it gains."""
_AUDIO, _TEXT = "audio encoder", "text decoder"


@dataclass(frozen=True, slots=True)
class Parts:
    """What was written."""

    table: TableForm
    forms: dict[str, str]  # of each part, in words
    fidelity: Fidelity | None  # None if all is float32


class PartsWriter:
    """Writes the parts one after the other."""

    def __init__(
        self,
        folder: Path,
        weights: Checkpoint,
        config: ModelConfig,
        preset: Preset,
        check: Check | None,
        *,
        threads: int,
        enter: Callable[[str], None],
    ) -> None:
        """Begin.

        Args:
            folder: Where to.
            weights: The checkpoint.
            config: What it says of itself.
            preset: How precisely to keep each part, at least.
            check: The check speech; without it, the preset is followed and nothing is compared.
            threads: For sessions.
            enter: Called with the name of what begins, or begins again.
        """
        self._folder, self._weights, self._config, self._preset = folder, weights, config, preset
        self._check, self._threads, self._enter = check, threads, enter
        self._notes: list[str] = []

    def write(self) -> Parts:
        """Write all parts."""
        self._enter(_AUDIO)
        forms, windows = self._write_audio()
        self._enter("embedding")
        table = self._write_head(self._preset.head)
        self._enter(_TEXT)
        decoder, sentences = self._write_decoder(table, windows)
        forms["decoder"] = decoder
        fidelity = None
        if self._check is not None:
            self._enter("check")
            choices = compare_choices(self._folder, self._weights, sentences, self._threads)
            fidelity = self._fidelity(_error(windows, names.FEATURES), choices)
        head = Precision(table.bits, table.block)
        forms["embedding and head"] = str(head)
        for path in self._folder.iterdir():
            if path.stat().st_size == 0:  # beside a graph whose weights all fit inside
                path.unlink()
        return Parts(table, forms, fidelity)

    def _write_audio(self) -> tuple[dict[str, str], list[Case]]:
        """Write the convolutions and the encoder."""
        config, check, threads = self._config.audio, self._check, self._threads
        chunks = check.chunks() if check else []
        path = self._folder / names.FRONTEND_FILE
        tensors = FoldedTensors(self._weights)
        convolutions, projection = write_frontend(
            path, tensors, config, self._preset, cases=chunks, threads=threads
        )
        if self._preset.convolutions != convolutions:
            self._notes.append("The convolutions stay in float32: 8 bits are too coarse for them.")

        def write(form: Precision, windows: list[Case]) -> Counter[Precision]:
            tensors, preset = FoldedTensors(self._weights), replace(self._preset, encoder=form)
            path = self._folder / names.ENCODER_FILE
            return write_encoder(path, tensors, config, preset, cases=windows, threads=threads)

        forms, windows = self._faithful(
            write,
            lambda: check.windows(chunks) if check else [],
            what="encoder",
            stage=_AUDIO,
            form=self._preset.encoder,
            width=config.d_model,
            value=names.FEATURES,
            limit=FEATURES_LIMIT,
        )
        words = {"convolutions": str(convolutions), "encoder": _in_words(forms + projection)}
        return words, windows

    def _write_decoder(self, table: TableForm, windows: list[Case]) -> tuple[str, list[Case]]:
        config, check = self._config.text, self._check

        def sentences() -> list[Case]:
            rows = open_table(self._folder, config, table)
            return check.sentences(windows, self._weights, rows) if check else []

        def write(form: Precision, sentences: list[Case]) -> Counter[Precision]:
            tensors, preset = FoldedTensors(self._weights), replace(self._preset, decoder=form)
            path = self._folder / names.DECODER_FILE
            has_finer = form != _tries(form, config.hidden)[-1]
            limit = ROWS_LOGITS_LIMIT if form.is_by_row and has_finer else math.inf
            return write_decoder(
                path, tensors, config, preset, cases=sentences, limit=limit, threads=self._threads
            )

        forms, cases = self._faithful(
            write,
            sentences,
            what="decoder",
            stage=_TEXT,
            form=self._preset.decoder,
            width=config.hidden,
            value=names.HIDDEN,
            limit=LOGITS_LIMIT,
        )
        return _in_words(forms), cases

    def _faithful(
        self,
        write: Callable[[Precision, list[Case]], Counter[Precision]],
        begin: Callable[[], list[Case]],
        *,
        what: str,
        stage: str,
        form: Precision,
        width: int,
        value: str,
        limit: float,
    ) -> tuple[Counter[Precision], list[Case]]:
        """Write a part as ``form`` asks for, and again in finer forms while ``value`` is further off."""
        tries = _tries(form, width)
        for tried in tries:
            if tried is not tries[0]:
                self._enter(stage)
            cases = begin()
            try:
                forms = write(tried, cases)
                error = _error(cases, value)
            except TooCoarseError as exc:
                error = exc.error
            most = ROWS_LOGITS_LIMIT if tried.is_by_row else limit
            if error <= most or form.bits < 8:  # whoever asks for 4 bits knows what they cost
                break
            if tried is tries[-1]:
                self._notes.append(f"The {what} is {error:.1%} off; up to {limit:.0%} is usual.")
            elif not tried.is_by_row:  # which is only tried because it is quick
                self._notes.append(f"The {what} takes a finer form: with {form}, it was {error:.1%} off.")
        return forms, cases

    def _write_head(self, form: Precision) -> TableForm:
        table = write_embedding(self._folder, self._weights, form)
        write_head(self._folder / names.HEAD_FILE, self._config.text, table)
        return table

    def _fidelity(self, features: float, choices: Choices) -> Fidelity:
        return Fidelity(
            clips=len(choices.same),
            clips_same=sum(bool(same.all()) for same in choices.same),
            choices=sum(len(same) for same in choices.same),
            choices_same=sum(int(same.sum()) for same in choices.same),
            features=features,
            logits=choices.error,
            notes=tuple(self._notes),
        )


def _tries(form: Precision, width: int) -> list[Precision]:
    """Forms to write a part of that width as, the quickest first."""
    return [tried for tried in form.and_finer(width) if tried == form or tried != PLAIN]


def _error(cases: list[Case], name: str) -> float:
    return relative_error((case.rounded[name], case.exact[name]) for case in cases)


def _in_words(forms: Counter[Precision]) -> str:
    """The form of most products, and how many are of another."""
    (usual, _), *others = forms.most_common()
    total = sum(forms.values())
    return "; ".join([str(usual), *(f"{count} of {total} products {form}" for form, count in others)])
