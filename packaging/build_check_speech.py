"""Makes assets/check-speech: recordings on which a conversion compares its result with the original.

    python packaging/build_check_speech.py KENNEDY.wav [--debs FOLDER]

KENNEDY.wav is the end of J. F. Kennedy's inaugural address of 1961, 11 s at 16 kHz. Everything else comes
from Debian's packages: espeak-ng must be installed, and those with recordings are fetched with apt-get, or
taken from FOLDER. G.722 is decoded by PyAV (the extra "video").

Who spoke, and under which licence, is in assets/check-speech/README.md and index.json.
"""

# ruff: noqa: RUF001  sentences in many scripts

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import product
import soundfile
import soxr

Samples = npt.NDArray[np.float32]
FOLDER = product.ROOT / "assets" / "check-speech"
RATE_HZ = 16_000
PEAK = 10 ** (-14 / 20)
SILENCE = 10 ** (-50 / 20)
GAP_S = 0.12  # between recorded words that are joined to one sentence
PACKAGES = (
    "pocketsphinx-testdata",
    *(f"asterisk-core-sounds-{code}-g722" for code in ("it", "ru", "fr", "es")),
)
PUBLIC_DOMAIN, BY, BY_SA = "Public domain", "CC BY 3.0", "CC BY-SA 3.0"
DECLARATION = "Universal Declaration of Human Rights, Article 1, spoken by espeak-ng"


@dataclass(frozen=True, slots=True)
class Clip:
    """A sentence, and where its sound comes from. ``words``: the recordings that are joined to it."""

    file: str
    language: str
    text: str
    licence: str
    source: str
    words: tuple[str, ...] = ()
    voice: str = ""  # of espeak-ng
    spoken: str = ""  # what espeak-ng is given where it cannot read ``text``


LIBRIVOX = "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-{}.wav"
AUSTEN = "Jane Austen, Sense and Sensibility, chapter 1, read for LibriVox"


def digits(voice: str, *names: str) -> tuple[str, ...]:
    """Recorded words of Asterisk's core sounds."""
    return tuple(f"usr/share/asterisk/sounds/{voice}/digits/{name}.g722" for name in names)


def synthetic(file: str, language: str, voice: str, text: str, spoken: str = "") -> Clip:
    """A sentence that espeak-ng speaks."""
    return Clip(file, language, text, PUBLIC_DOMAIN, DECLARATION, voice=voice, spoken=spoken)


CLIPS = (  # mixed, so that the first few are of several kinds already
    Clip(
        "english-kennedy",
        "English",
        "And so, my fellow Americans: ask not what your country can do for you, ask what you can do for your"
        " country.",
        PUBLIC_DOMAIN,
        "J. F. Kennedy, inaugural address, 20 January 1961",
    ),
    synthetic(
        "korean", "Korean", "ko+f3", "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다."
    ),
    Clip(
        "russian-numbers",
        "Russian",
        "Двадцать три, сорок семь, двенадцать, шестьдесят восемь, девять.",
        BY,
        "Maxim Topal (ivrvoice.ru), Asterisk core sounds, words joined",
        digits("ru_RU_f_IvrvoiceRU", "20", "3", "40", "7", "12", "60", "8", "9"),
    ),
    synthetic(
        "japanese",
        "Japanese",
        "ja+m3",
        "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
        "すべての にんげんわ、うまれながらにして じゆうであり、"
        "かつ、そんげんと けんりとに ついて びょうどうである。",
    ),
    synthetic(
        "german", "German", "de+f2", "Alle Menschen sind frei und gleich an Würde und Rechten geboren."
    ),
    synthetic("arabic", "Arabic", "ar+m3", "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق."),
    Clip(
        "french-months",
        "French",
        "Janvier, février, mars, avril, mai, juin, juillet, août.",
        BY_SA,
        "June Wallack, Asterisk core sounds, words joined",
        digits("fr_CA_f_June", *(f"mon-{month}" for month in range(8))),
    ),
    synthetic(
        "hindi",
        "Hindi",
        "hi+f2",
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
    ),
    synthetic("chinese", "Chinese", "cmn+f1", "人人生而自由，在尊严和权利上一律平等。"),
    Clip(
        "english-leisure",
        "English",
        "And Mr. John Dashwood had then leisure to consider how much there might be prudently in his power to"
        " do for them.",
        PUBLIC_DOMAIN,
        AUSTEN,
        (LIBRIVOX.format("0870"),),
    ),
    synthetic(
        "korean-reason",
        "Korean",
        "ko+m1",
        "인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
    ),
    Clip(
        "italian-week",
        "Italian",
        "Lunedì, martedì, mercoledì, giovedì, venerdì, sabato, domenica.",
        BY,
        "Carlo Flora (segreterietelefoniche.it), Asterisk core sounds, words joined",
        digits("it_IT_m_Carlo", *(f"day-{day}" for day in (1, 2, 3, 4, 5, 6, 0))),
    ),
    synthetic(
        "turkish", "Turkish", "tr+m1", "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar."
    ),
    synthetic(
        "vietnamese",
        "Vietnamese",
        "vi+m1",
        "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
    ),
    Clip(
        "english-respectable",
        "English",
        "Had he married a more amiable woman, he might have been made still more respectable than he was.",
        PUBLIC_DOMAIN,
        AUSTEN,
        (LIBRIVOX.format("0920"),),
    ),
    synthetic(
        "polish",
        "Polish",
        "pl+f3",
        "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    ),
    Clip(
        "spanish-week",
        "Spanish",
        "Lunes, martes, miércoles, jueves, viernes, sábado, domingo.",
        BY_SA,
        "Allison Smith (theivrvoice.com), Asterisk core sounds, words joined",
        digits("es_MX_f_Allison", *(f"day-{day}" for day in (1, 2, 3, 4, 5, 6, 0))),
    ),
    synthetic(
        "greek",
        "Greek",
        "el+f1",
        "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    ),
    synthetic(
        "portuguese",
        "Portuguese",
        "pt+m3",
        "Todos os seres humanos nascem livres e iguais em dignidade e em direitos.",
    ),
    synthetic(
        "persian",
        "Persian",
        "fa+f2",
        "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند.",
    ),
)


def main() -> None:
    """Write the folder anew, but for its README."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("kennedy", type=Path)
    arguments.add_argument("--debs", type=Path, help="a folder with the Debian packages of the recordings")
    options = arguments.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.glob("*.flac"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        recordings = unpacked(Path(folder), options.debs)
        entries = [write(clip, sound(clip, recordings, options.kennedy.read_bytes)) for clip in CLIPS]
    index = {"format": 1, "clips": entries}
    text = json.dumps(index, ensure_ascii=False, indent=1) + "\n"
    (FOLDER / "index.json").write_text(text, encoding="utf-8")
    seconds = sum(entry["seconds"] for entry in entries)
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    languages = len({entry["language"] for entry in entries})
    print(f"{len(entries)} sentences in {languages} languages, {seconds:.1f} s, {size / 1e6:.2f} MB")


def unpacked(folder: Path, debs: Path | None) -> Path:
    """Unpack the recordings' packages into ``folder``; fetch them unless they are in ``debs``."""
    if debs is None:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, check=True)
    for package in PACKAGES:
        (deb,) = (debs or folder).glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)
    return folder


def sound(clip: Clip, recordings: Path, kennedy: Callable[[], bytes]) -> Samples:
    """The samples of ``clip``: shape (n,), float32 in [-1, 1], 16 kHz."""
    if clip.voice:
        command = ["espeak-ng", "-v", clip.voice, "--stdout", clip.spoken or clip.text]
        data = subprocess.run(command, check=True, capture_output=True).stdout
        return quieter(trimmed(from_wave(data)))
    if not clip.words:
        return from_wave(kennedy())
    gap = np.zeros(round(GAP_S * RATE_HZ), np.float32)
    parts: list[Samples] = []
    for name in clip.words:
        path = recordings / name
        parts += [gap, from_g722(path) if path.suffix == ".g722" else from_wave(path.read_bytes())]
    return np.concatenate([*parts, gap])


def quieter(samples: Samples) -> Samples:
    """At the level of an ordinary recording: espeak-ng is louder, which only costs space."""
    return samples * np.float32(PEAK / np.abs(samples).max())


def trimmed(samples: Samples) -> Samples:
    """Without the silence at both ends, but for GAP_S."""
    loud = np.flatnonzero(np.abs(samples) > SILENCE)
    gap = round(GAP_S * RATE_HZ)
    return samples[max(0, loud[0] - gap) : loud[-1] + gap]


def from_wave(data: bytes) -> Samples:
    """The one channel of a WAV file at 16 kHz."""
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
    resampled: Samples = soxr.resample(samples, rate_hz, RATE_HZ)
    return resampled


def from_g722(path: Path) -> Samples:
    """A file of bare G.722, which is at 16 kHz."""
    with av.open(str(path), format="g722") as container:
        decoded = b"".join(frame.to_ndarray().tobytes() for frame in container.decode(audio=0))
    return np.frombuffer(decoded, np.int16).astype(np.float32) / np.float32(32768)


def write(clip: Clip, samples: Samples) -> dict[str, Any]:
    """Write the file of ``clip``; return what the index says of it."""
    path = FOLDER / f"{clip.file}.flac"
    soundfile.write(path, np.clip(samples, -1, 1), RATE_HZ, subtype="PCM_16", compression_level=1.0)
    return {
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "seconds": round(len(samples) / RATE_HZ, 2),
        "language": clip.language,
        "text": clip.text,
        "licence": clip.licence,
        "source": clip.source,
    }


if __name__ == "__main__":
    main()
