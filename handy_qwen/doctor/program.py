"""Checks of the program itself: version, installation, running instance; memory, processor and disk."""

from __future__ import annotations

import os
import platform as machine
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import psutil

import handy_qwen
from handy_qwen import __version__, paths
from handy_qwen.control import LOCK_FILE, InstanceLock
from handy_qwen.doctor.findings import Context, Finding, fine, problem, warning
from handy_qwen.errors import EngineError
from handy_qwen.message import Message, Size, messages, sentences, verbatim
from handy_qwen.models.installed import find_model, needed_memory

PROGRAM = "program"
OLDEST_PYTHON = (3, 11)
ASSETS = (
    "demo-model/manifest.json",
    "vad/silero_vad_16k_op15.onnx",
    "icons/handy-qwen.svg",
    "sounds/start.wav",
)


def check_program(context: Context) -> Iterator[Finding]:
    """Report versions, and missing files or libraries."""
    where = installation(context.environment, platform=context.platform)
    system = _system()
    yield fine(
        PROGRAM,
        Message(
            "Handy Qwen {version}, Python {python}, {system}; installed: {how}.",
            version=__version__,
            python=machine.python_version(),
            system=system,
            how=where.text,
        ),
        version=__version__,
        python=machine.python_version(),
        system=system,
        machine=machine.machine(),
        installation=where.kind,
        libraries=versions(),
    )
    if sys.version_info < OLDEST_PYTHON or sys.maxsize < 2**32:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        text = Message("This Python is too old, or 32-bit.")
        hint = Message("Use 64-bit Python {oldest} or newer.", oldest=oldest)
        yield problem(PROGRAM, text, hint)
    missing = [name for name in ASSETS if not paths.asset(name).is_file()]
    if missing:
        text = Message("Files that ship with the program are missing: {names}.", names=", ".join(missing))
        hint = Message("Install it again.")
        yield problem(PROGRAM, text, hint)


def versions() -> dict[str, str]:
    """The required libraries and their versions; "" for a missing one."""
    try:
        required = metadata.requires(paths.APP_NAME) or []
    except metadata.PackageNotFoundError:  # run from a checkout, or frozen without metadata
        required = ["numpy", "onnxruntime", "PySide6-Essentials", "sounddevice", "soxr", "regex"]
    found = {}
    for line in required:
        name = re.split(r"[ ;<>=!~\[(]", line, maxsplit=1)[0]
        version = _version(name)
        if version or ";" not in line:  # conditional ones may be for another system
            found[name] = version
    return found


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _system() -> str:
    kernel = f"{machine.system()} {machine.release()}"
    try:
        return f"{machine.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, KeyError):  # not on Linux, or without that line
        return kernel


@dataclass(frozen=True, slots=True)
class Installation:
    """A kind of installation: ``kind`` for programs, ``text`` for people, ``removal`` says how to undo it."""

    kind: str
    text: str
    removal: str


def installation(
    environment: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    executable: str = sys.executable,
    package: Path = Path(handy_qwen.__file__).parent,
    prefix: str = sys.prefix,
    is_frozen: bool = bool(getattr(sys, "frozen", False)),
) -> Installation:
    """Determine how the running copy was installed."""
    if paths.is_flatpak(environment):  # APPIMAGE would be the terminal's
        return Installation("flatpak", "a Flatpak", f"Run: flatpak uninstall {paths.APP_ID}")
    if environment.get("APPIMAGE"):
        image = environment["APPIMAGE"]
        return Installation("appimage", f"the AppImage {image}", f"Delete the file {image}.")
    if is_frozen:
        return _frozen(platform, Path(executable))
    if (package.parent / "pyproject.toml").is_file():
        return Installation("checkout", f"a checkout in {package.parent}", f"Delete {package.parent}.")
    return _packaged(prefix, executable)


def _packaged(prefix: str, executable: str) -> Installation:
    parts = Path(prefix).parts
    if "pipx" in parts:
        return Installation("pipx", f"pipx, in {prefix}", f"Run: pipx uninstall {paths.APP_NAME}")
    if "uv" in parts and "tools" in parts:
        return Installation("uv", f"uv tool, in {prefix}", f"Run: uv tool uninstall {paths.APP_NAME}")
    return Installation("pip", f"pip, in {prefix}", f"Run: {executable} -m pip uninstall {paths.APP_NAME}")


def _frozen(platform: str, executable: Path) -> Installation:
    folder = executable.resolve().parent
    if platform == "darwin":
        bundle = next((one for one in executable.parents if one.suffix == ".app"), folder)
        return Installation("app", f"the app {bundle}", f"Move {bundle} to the Trash.")
    if platform == "win32":
        return Installation(
            "windows", f"a program in {folder}", "Settings → Apps → Installed apps → Handy Qwen → Uninstall."
        )
    if Path(f"/var/lib/dpkg/info/{paths.APP_NAME}.list").exists() and folder.parts[:2] != ("/", "home"):
        return Installation(
            "deb", f"the Debian package, in {folder}", f"Run: sudo apt remove {paths.APP_NAME}"
        )
    if (folder / "installed-files").is_file():  # also elsewhere: in the menu, among icons and manuals
        script = shlex.quote(str(folder / "install.sh"))
        return Installation("folder", f"a folder, {folder}", f"Run: {script} --remove")
    return Installation("folder", f"a folder, {folder}", f"Delete the folder {folder}.")


INSTANCE = "instance"


def check_instance(context: Context) -> Iterator[Finding]:
    """Check whether the app runs, responds, and has this version."""
    status = context.running
    if status is None:
        yield from _silent(context)
        return
    version, phase = str(status.get("version", "")), str(status.get("phase", ""))
    details = {name: status.get(name) for name in ("version", "pid", "phase", "is_ready", "waiting", "held")}
    if version != __version__:
        text = Message(
            "The app that runs is version {version}, this one is {other}.", version=version, other=__version__
        )
        hint = Message("Quit it and start it again: handy-qwen quit")
        yield warning(INSTANCE, text, hint, **details)
    notices = [f"{one.get('title', '')} {one.get('hint', '')}".strip() for one in status.get("notices", ())]
    if phase == "problem":
        told = verbatim(" ".join(notices)) or Message("It does not say what.")
        text = sentences(Message("The app runs, but something keeps it from working."), told)
        hint = Message()
        yield problem(INSTANCE, text, hint, **details)
    else:
        told = Message("The app runs (process {number}) and is ready.", number=status.get("pid"))
        if not status.get("is_ready"):
            told = Message("The app runs (process {number}), but is not ready yet.", number=status.get("pid"))
        yield fine(INSTANCE, told, **details)


def _silent(context: Context) -> Iterator[Finding]:
    """No status: it is not running, or it hangs."""
    folder = paths.runtime_dir()
    if (folder / LOCK_FILE).exists():  # else nothing has ever run here: do not create it
        lock = InstanceLock(folder)
        if not lock.acquire():
            text = Message("The app runs, but does not answer: {answer}", answer=context.answer)
            hint = Message("End its process and start it again. Its log tells more: see --bundle.")
            yield problem(INSTANCE, text, hint, phase="unresponsive")
            return
        lock.release()
    yield fine(INSTANCE, Message("The app does not run at the moment."), phase=None)


GB = 1e9
SCARCE_BYTES = 0.2 * GB  # of disk: writing settings, log and takes may fail at any moment
LOW_BYTES = 3 * GB  # of disk: not enough to download and convert a model
FEW_CORES = 2


def check_memory(context: Context) -> Iterator[Finding]:
    """Compare memory with the model's needs, and check the processor."""
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    details = {"total_bytes": memory.total, "available_bytes": memory.available, "cores": cores}
    try:
        needed = needed_memory(find_model(context.configuration.settings.model))
    except EngineError:
        needed = 0  # reported with the model
    details["needed_bytes"] = needed
    free, total = Size(memory.available), Size(memory.total)
    text = Message("{free} of {total} of memory is free.", free=free, total=total)
    if needed:
        text = sentences(text, Message("The model needs about {needed}.", needed=Size(needed)))
    is_loaded = bool(context.running and context.running.get("is_ready"))
    if memory.available < needed and not is_loaded:
        how_bad = problem if memory.total < needed else warning
        yield how_bad("memory", text, Message("Close other programs, or use a smaller model."), **details)
    else:
        yield fine("memory", text, **details)
    flags = _processor_flags()
    speed = {"cores": cores, "avx2": "avx2" in flags, "vnni": bool({"avx512_vnni", "avx_vnni"} & flags)}
    if flags and not speed["avx2"]:
        yield warning(
            "processor",
            Message("The processor has no AVX2: recognition is several times slower than it could be."),
            Message("Use the smaller model, and short dictations."),
            **speed,
        )
    elif cores < FEW_CORES:
        yield warning(
            "processor",
            Message("There is one processor core."),
            Message("Expect to wait for the text."),
            **speed,
        )
    else:
        text = messages("{count} core.", "{count} cores.", cores)
        if speed["vnni"]:
            text = messages("{count} core, with VNNI.", "{count} cores, with VNNI.", cores)
        yield fine("processor", text, **speed)


def check_disk(_context: Context) -> Iterator[Finding]:
    """Check the disks of settings, models and log."""
    seen = set()
    for what, folder in (
        (Message("models and history"), paths.data_dir()),
        (Message("settings"), paths.config_dir()),
        (Message("log"), paths.log_dir()),
    ):
        there = nearest(folder)
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = psutil.disk_usage(str(there)).free
        details = {"folder": str(folder), "free_bytes": free}
        text = Message("{free} is free for {what}, in {folder}.", free=Size(free), what=what, folder=folder)
        if free < SCARCE_BYTES:
            yield problem("disk", text, Message("Make room: what you say may not be kept."), **details)
        elif free < LOW_BYTES and what.startswith("models"):
            yield warning(
                "disk",
                text,
                Message("Too little to download and convert a model: make room first."),
                **details,
            )
        else:
            yield fine("disk", text, **details)


def nearest(folder: Path) -> Path:
    """``folder``, or its nearest existing parent."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _processor_flags() -> set[str]:
    """Flags of an x86 processor, on Linux; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return set(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))
