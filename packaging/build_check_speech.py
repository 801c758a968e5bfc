"""Makes the recordings of assets/check-speech, on which a conversion compares its result with the original.

    python packaging/build_check_speech.py KENNEDY.wav [--debs FOLDER]

index.json there says what is said in each, by whom and under which licence; this makes the sound anew, and
its checksum. KENNEDY.wav is the end of J. F. Kennedy's inaugural address of 1961, 11 s at 16 kHz. Everything
else comes from Debian's packages: espeak-ng must be installed, and those with recordings are fetched with
apt-get, or taken from FOLDER. G.722 is decoded by PyAV (the extra "video").
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import tempfile
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
GAP_S = 0.12  # between recorded words joined to a sentence
PACKAGES = (
    "pocketsphinx-testdata",
    *(f"asterisk-core-sounds-{code}-g722" for code in ("it", "ru", "fr", "es")),
)
_VOICES = """
    arabic=ar+m3 chinese=cmn+f1 german=de+f2 greek=el+f1 hindi=hi+f2 japanese=ja+m3 korean=ko+f3
    korean-reason=ko+m1 persian=fa+f2 polish=pl+f3 portuguese=pt+m3 turkish=tr+m1 vietnamese=vi+m1
"""
VOICES = dict(one.split("=") for one in _VOICES.split())  # of espeak-ng, by the name of the file
SPOKEN = {  # input for espeak-ng where it cannot read the text
    "japanese": "すべての にんげんわ、うまれながらにして じゆうであり、"
    "かつ、そんげんと けんりとに ついて びょうどうである。"
}
LIBRIVOX = "usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-{}.wav"


def digits(voice: str, names: str) -> list[str]:
    """Recorded words of Asterisk's core sounds."""
    return [f"usr/share/asterisk/sounds/{voice}/digits/{name}.g722" for name in names.split()]


WORDS = {  # the recordings joined to a sentence
    "english-leisure": [LIBRIVOX.format("0870")],
    "english-respectable": [LIBRIVOX.format("0920")],
    "french-months": digits("fr_CA_f_June", "mon-0 mon-1 mon-2 mon-3 mon-4 mon-5 mon-6 mon-7"),
    "italian-week": digits("it_IT_m_Carlo", "day-1 day-2 day-3 day-4 day-5 day-6 day-0"),
    "russian-numbers": digits("ru_RU_f_IvrvoiceRU", "20 3 40 7 12 60 8 9"),
    "spanish-week": digits("es_MX_f_Allison", "day-1 day-2 day-3 day-4 day-5 day-6 day-0"),
}


def main() -> None:
    """Write the recordings, and update the index."""
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("kennedy", type=Path)
    arguments.add_argument("--debs", type=Path, help="a folder with the Debian packages of the recordings")
    options = arguments.parse_args()
    index = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    entries = index["clips"]
    with tempfile.TemporaryDirectory() as folder:
        recordings = unpacked(Path(folder), options.debs)
        for entry in entries:
            write(entry, sound(Path(entry["file"]).stem, entry["text"], recordings, options.kennedy))
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


def sound(name: str, text: str, recordings: Path, kennedy: Path) -> Samples:
    """The samples of the recording ``name``: shape (n,), float32 in [-1, 1], 16 kHz."""
    if name in VOICES:
        command = ["espeak-ng", "-v", VOICES[name], "--stdout", SPOKEN.get(name, text)]
        data = subprocess.run(command, check=True, capture_output=True).stdout
        return quieter(trimmed(from_wave(data)))
    if name not in WORDS:
        return from_wave(kennedy.read_bytes())
    gap = np.zeros(round(GAP_S * RATE_HZ), np.float32)
    parts: list[Samples] = []
    for path in (recordings / word for word in WORDS[name]):
        parts += [gap, from_g722(path) if path.suffix == ".g722" else from_wave(path.read_bytes())]
    return np.concatenate([*parts, gap])


def quieter(samples: Samples) -> Samples:
    """Reduce to the level of an ordinary recording: espeak-ng is louder, which only costs space."""
    return samples * np.float32(PEAK / np.abs(samples).max())


def trimmed(samples: Samples) -> Samples:
    """Remove the silence at both ends, except GAP_S."""
    loud = np.flatnonzero(np.abs(samples) > SILENCE)
    gap = round(GAP_S * RATE_HZ)
    return samples[max(0, loud[0] - gap) : loud[-1] + gap]


def from_wave(data: bytes) -> Samples:
    """Read a mono WAV file at 16 kHz."""
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
    resampled: Samples = soxr.resample(samples, rate_hz, RATE_HZ)
    return resampled


def from_g722(path: Path) -> Samples:
    """Decode a raw G.722 file, at 16 kHz."""
    with av.open(str(path), format="g722") as container:
        decoded = b"".join(frame.to_ndarray().tobytes() for frame in container.decode(audio=0))
    return np.frombuffer(decoded, np.int16).astype(np.float32) / np.float32(32768)


def write(entry: dict[str, Any], samples: Samples) -> None:
    """Write the file of ``entry``, and its checksum and length into that."""
    path = FOLDER / entry["file"]
    soundfile.write(path, np.clip(samples, -1, 1), RATE_HZ, subtype="PCM_16", compression_level=1.0)
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    entry["seconds"] = round(len(samples) / RATE_HZ, 2)


if __name__ == "__main__":
    main()
