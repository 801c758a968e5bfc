"""A model that hears tones as words, and may lose its place, read its context out, or say that nobody speaks.

    samples = said("one", "two", "three")      each word a tone of its own, and a short pause
    model = hearing(answers)                   answers(heard) -> what it says, to any audio and prompt

Features are those of the engine. The encoder gives each of its tokens the word that sounds there; the decoder
says what ``answers`` makes of the words, one token after the other. So a word that is lost, doubled or read
twice at a joint shows in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, islice

import numpy as np

from handy_qwen.engine.api import Cancel, LiveText, Transcript
from handy_qwen.engine.qwen3.features import SAMPLE_RATE, log_mel
from handy_qwen.engine.qwen3.live import LiveTranscription
from handy_qwen.engine.qwen3.model import AudioConfig, Float32, ModelConfig, ModelParts, Rows, TextConfig
from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.segmenter import Segmenter
from handy_qwen.engine.qwen3.tokenizer import Tokenizer, load_tokenizer
from handy_qwen.engine.qwen3.vad import FRAME_SAMPLES, SpeechSpan
from tests.conftest import CHECKPOINT

_NUMBERS = "one two three four five six seven eight nine ten eleven twelve"
_NOUNS = (
    "apple bread cheese door eagle flower garden house island juice kitchen lemon mountain night ocean river"
)
WORDS = [*_NUMBERS.split(), *_NOUNS.split()]
_TONES_HZ = np.linspace(400.0, 7000.0, len(WORDS))  # each in a mel band of its own
WORD_S, PAUSE_S = 0.6, 0.4
_FRAMES_PER_TOKEN = 8
_HIDDEN = 2  # of a feature: the word's number or -1; of a token: its id and a mark
_SILENT = -1.0
_HANGOVER = 6 * FRAME_SAMPLES


def said(*words: str, pause_s: float = PAUSE_S) -> Float32:
    """The sound of ``words``, each with a pause behind it."""
    t = np.arange(int(WORD_S * SAMPLE_RATE)) / SAMPLE_RATE
    quiet = np.zeros(int(pause_s * SAMPLE_RATE))
    tones = [0.3 * np.sin(2 * np.pi * _TONES_HZ[WORDS.index(word)] * t) for word in words]
    return np.concatenate([part for tone in tones for part in (tone, quiet)]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the decoder was given: the words of the audio, the context, and whether to write German text."""

    words: tuple[str, ...]
    context: str
    is_forced: bool


Answers = Callable[[Heard], Iterable[str]]
"""Texts that the model says one after the other, perhaps without an end; "|" is the division."""


def plainly(heard: Heard) -> Iterable[str]:
    """The answer of a model that makes no mistakes."""
    text = " ".join(heard.words)
    named = [] if heard.is_forced else ["language English" if text else "language None", "|"]
    return [*named, text]


class HearingEncoder:
    """Implements ``model.AudioEncoder``."""

    def __init__(self) -> None:
        t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
        tones = [np.sin(2 * np.pi * hz * t).astype(np.float32) for hz in _TONES_HZ]
        self._bands = np.array([int(log_mel(tone).mean(axis=1).argmax()) for tone in tones])
        assert len(set(self._bands.tolist())) == len(WORDS), "each word has its own band"
        self.windows = 0

    def prepare(self, index: int, mel: Float32, cancel: Cancel) -> None:
        """See ``model.AudioEncoder``."""

    def encode(self, mel: Float32, cancel: Cancel) -> Float32:
        """See ``model.AudioEncoder``."""
        cancel.check()
        self.windows += 1
        rows = []
        for chunk in range(0, mel.shape[1], 100):
            for first in range(chunk, min(chunk + 100, mel.shape[1]), _FRAMES_PER_TOKEN):
                piece = mel[:, first : min(first + _FRAMES_PER_TOKEN, chunk + 100)].mean(axis=1)
                band = int(piece.argmax())
                is_silent = np.ptp(piece) < 0.3
                nearest = int(np.abs(self._bands - band).argmin())
                rows.append([_SILENT if is_silent else float(nearest), 0.0])
        return np.array(rows, np.float32)


class HearingDecoder:
    """Implements ``model.TextDecoder``. ``asked`` has what it was asked, once for each answer begun."""

    draft_rows = 8

    def __init__(self, tokenizer: Tokenizer, answers: Answers) -> None:
        self._tokenizer, self._answers = tokenizer, answers
        self._rows: list[int | float] = []  # token ids, and words of the audio as floats
        self._read = 0
        self.asked: list[Heard] = []
        self.written = 0

    @property
    def length(self) -> int:
        """See ``model.TextDecoder``."""
        return len(self._rows)

    def extend(self, rows: Rows) -> None:
        """See ``model.TextDecoder``."""
        self._rows += [float(row[0]) for row in rows] if isinstance(rows, np.ndarray) else list(rows)

    def flush(self, cancel: Cancel) -> None:
        """See ``model.TextDecoder``."""
        cancel.check()
        self._read = self.length

    def truncate(self, length: int) -> None:
        """See ``model.TextDecoder``."""
        del self._rows[length:]
        self._read = min(self._read, length)

    def logits(self, count: int, cancel: Cancel) -> Float32:
        """See ``model.TextDecoder``."""
        cancel.check()
        assert 1 <= count <= self.length - self._read, "logits of rows that are not new"
        self._read = self.length
        out = np.zeros((count, 1000), np.float32)
        for row in range(count):
            out[row, self._next(self._rows[: self.length - count + row + 1])] = 1.0
        self.written += count
        return out

    def close(self) -> None:
        """See ``model.TextDecoder``."""

    def _next(self, rows: Sequence[int | float]) -> int:
        prompt = build_prompt(self._tokenizer)
        audio = [i for i, row in enumerate(rows) if isinstance(row, float)]
        first = (audio[-1] if audio else len(prompt.head) - 1) + 1
        behind = [int(row) for row in rows[first:]]
        turn, answer = behind[: len(prompt.tail)], behind[len(prompt.tail) :]
        assert tuple(turn) == prompt.tail
        head = [int(row) for row in rows if not isinstance(row, float)][: audio[0] if audio else first]
        words = [WORDS[int(word)] for word, _ in groupby(rows[i] for i in audio) if word != _SILENT]
        context = self._tokenizer.decode(head).removeprefix("system\n").removesuffix("\nuser\n").strip("\n")
        german = [*self._tokenizer.encode("language German"), prompt.asr_text]
        is_forced = answer[: len(german)] == german
        heard = Heard(tuple(words), context, is_forced)
        said = answer[len(german) :] if is_forced else answer
        if not said:
            self.asked.append(heard)
        stream = (token for text in self._answers(heard) for token in self._tokens(text, prompt.asr_text))
        found = list(islice(stream, len(said) + 1))
        if found[: len(said)] == said and len(found) > len(said):
            return found[len(said)]
        return min(prompt.ends)

    def _tokens(self, text: str, division: int) -> list[int]:
        return [division] if text == "|" else self._tokenizer.encode(text)


class ToneDetector:
    """Knows silence as zeros. Implements what the segmenter asks of a VoiceStream."""

    def __init__(self, *, is_sure: bool = True) -> None:
        self._is_sure = is_sure
        self._heard, self._carry = 0, np.zeros(0, np.float32)
        self._spans: list[SpeechSpan] = []

    def feed(self, samples: Float32) -> None:
        """See ``vad.VoiceStream``."""
        waiting = np.concatenate((self._carry, samples))
        whole = len(waiting) - len(waiting) % FRAME_SAMPLES
        for frame in waiting[:whole].reshape(-1, FRAME_SAMPLES):
            self._judge(frame)
        self._carry = waiting[whole:]

    def finish(self) -> None:
        """See ``vad.VoiceStream``."""
        if len(self._carry):
            self._judge(self._carry)
            self._carry = self._carry[:0]

    def _judge(self, frame: Float32) -> None:
        start, self._heard = self._heard, self._heard + len(frame)
        if not frame.any():
            return
        if self._spans and start - self._spans[-1].end < _HANGOVER:
            self._spans[-1] = SpeechSpan(self._spans[-1].start, self._heard)
        else:
            self._spans.append(SpeechSpan(start, self._heard))

    @property
    def speech_end_samples(self) -> int:
        """See ``vad.VoiceStream``."""
        return self._spans[-1].end if self._spans else 0

    def spans(self) -> list[SpeechSpan]:
        """See ``vad.VoiceStream``."""
        return list(self._spans)

    def clear_samples(self, start: int, end: int) -> int:
        """See ``vad.VoiceStream``."""
        inside = (min(span.end, end) - max(span.start, start) for span in self._spans)
        return sum(max(0, samples) for samples in inside) if self._is_sure else 0


class Hearing:
    """A model with such ears and a script; makes transcriptions."""

    def __init__(self, answers: Answers = plainly) -> None:
        tokenizer = load_tokenizer(CHECKPOINT)
        self.decoder = HearingDecoder(tokenizer, answers)
        self.encoder = HearingEncoder()
        audio = AudioConfig(layers=1, d_model=2, heads=1, ffn=2, conv_channels=1, output_dim=_HIDDEN)
        text = TextConfig(1, _HIDDEN, 1, 1, 2, 2, 1000, 1e4, 1e-6)
        config = ModelConfig(audio, text, ("English", "German"))
        self.parts = ModelParts("hearing", config, tokenizer, self.encoder, self.decoder, pass_s=60.0)

    def live(
        self,
        *,
        language: str | Sequence[str] = "",
        context: str = "",
        entries: Sequence[str] = (),
        exact: bool = False,
        drafts: bool = True,
        is_sure: bool = True,
        limit_s: float = 60.0,
    ) -> LiveTranscription:
        """Begin one. ``is_sure``: whether the detector hears words clearly."""
        prompt = build_prompt(self.parts.tokenizer, language=language, context=context, entries=entries)
        segmenter = Segmenter(
            ToneDetector(is_sure=is_sure),  # type: ignore[arg-type]  # a fake
            limit_samples=int(limit_s * SAMPLE_RATE),
            trims_silence=not exact,
        )
        return LiveTranscription(
            self.parts, prompt, segmenter, is_exact=exact, has_drafts=drafts, cancel=Cancel()
        )

    def transcript(self, samples: Float32, **asked: object) -> Transcript:
        """Of a whole clip, without drafts."""
        live = self.live(drafts=False, **asked)  # type: ignore[arg-type]
        live.feed(samples)
        return finished(live)


def finished(live: LiveText) -> Transcript:
    """Do all that is due and finish."""
    while live.advance():
        pass
    return live.finish()


def dictated(live: LiveText, samples: Float32, size: int) -> tuple[Transcript, list[str]]:
    """Feed blocks of ``size`` and finish. Also the previews, as they would be shown."""
    shown = []
    for first in range(0, len(samples), size):
        live.feed(samples[first : first + size])
        while live.advance():
            pass
        shown.append(live.preview().committed + live.preview().tentative)
    return live.finish(), shown
