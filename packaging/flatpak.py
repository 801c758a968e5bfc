"""The manifest of a Flatpak, from which flatpak-builder, or a store, builds the package.

The libraries are those of uv.lock, each with address and checksum, so that the build needs the network only
for them. The program itself is the release's wheel. The sandbox's permissions are in ``PERMISSIONS``.

    python3 packaging/build.py wheel flatpak      which prints the next command
    flatpak-builder --user --install --install-deps-from=flathub --force-clean build/flatpak MANIFEST
    flatpak run io.github.handy_qwen

Tried on x86_64 with flatpak-builder 1.4.4 and Flatpak 1.16.6, not on the runtime itself but on a substitute
of that name: Debian 13, with Python 3.13, glibc 2.41 and its ALSA plugins. The manifest was built as it is.
On X11 a dictation came from PulseAudio's microphone into a terminal outside of the sandbox; a second start
and the command line found the first one; tray and pausing music worked. xdg-desktop-portal 1.20 wrote the
autostart entry, and on sway its global shortcuts began and ended a recording, with a simulated desktop
backend. Not tried: the real runtime, GNOME, KDE, keys pressed by the portal, aarch64.

On sway, which denies sandboxes data control, virtual keyboards and layers, a text can neither be inserted nor
copied: it is held. There, wl-copy put into the sandbox by hand did reach the clipboard.

The sandbox has no AT-SPI, so the text before the cursor is unknown; no logind, so sleep is not noticed; no
kglobalaccel, so on KDE Escape cancels only if the user assigns it.

Flathub's linter, according to its source, would refuse the identifier, which has too few parts for one of
GitHub's; x11 beside wayland, without an exception; and metadata without pictures and a homepage.

Source: https://docs.flatpak.org/en/latest/manifests.html; docs.flathub.org, "Requirements" and "Linter"; what
is in the runtime: freedesktop-sdk, elements/platform.bst, and the notes of release 25.08.2.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import product

RUNTIME, VERSION, PYTHON = "org.freedesktop.Platform", "25.08", "3.13"
ARCHES = {"x86_64": "x86_64", "aarch64": "aarch64"}
GLIBC = 42  # 2.42, of the runtime
PERMISSIONS = (
    "--socket=wayland",
    "--socket=x11",  # on Wayland, too: the overlay, and GNOME's clipboards
    "--share=ipc",  # X11 needs it
    "--socket=pulseaudio",  # the microphone
    "--device=dri",
    "--share=network",  # models that the user asks for
    "--talk-name=org.kde.StatusNotifierWatcher",  # the tray
    "--talk-name=org.freedesktop.Notifications",  # its messages
    "--talk-name=org.mpris.MediaPlayer2.*",  # music is paused
)
PORTAUDIO = {  # Debian 13's portaudio19_19.7.0.orig.tar.gz
    "type": "archive",
    "url": "https://github.com/PortAudio/portaudio/archive/refs/tags/v19.7.0.tar.gz",
    "sha256": "5af29ba58bbdbb7bbcefaaecc77ec8fc413f0db6f4c4e286c40c3e1b83174fa0",
}


def build() -> None:
    """Write the manifest and the files it names into dist/flatpak."""
    folder = product.DIST / "flatpak"
    folder.mkdir(parents=True, exist_ok=True)
    (wheel,) = product.DIST.glob(f"handy_qwen-{product.version()}-*.whl")
    files = {
        f"{product.APP_ID}.desktop": product.filled(product.PACKAGING / "linux" / "handy-qwen.desktop.in"),
        f"{product.APP_ID}.metainfo.xml": product.filled(
            product.PACKAGING / "linux" / "handy-qwen.metainfo.xml.in"
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    for file in (wheel, product.ROOT / "assets" / "icons" / "handy-qwen.svg"):
        shutil.copy(file, folder)
    manifest = folder / f"{product.APP_ID}.json"
    names = (wheel.name, "handy-qwen.svg", *files)
    manifest.write_text(json.dumps(manifest_of(names), indent=2) + "\n", encoding="utf-8")
    options = "--user --install --install-deps-from=flathub --force-clean"
    print(f"Build it: flatpak-builder {options} build/flatpak {manifest}")


def manifest_of(files: tuple[str, ...]) -> dict[str, Any]:
    """The manifest of the program in ``files``, which are beside it: wheel, icon, menu entry, metadata."""
    lock = tomllib.loads((product.ROOT / "uv.lock").read_text(encoding="utf-8"))
    share = "/app/share"
    # The SDK has packages of the same names: pip would remove those, or consider them sufficient.
    pip = "pip3 install --no-index --no-build-isolation --no-deps --ignore-installed --prefix=/app"
    install = [
        f"{pip} *.whl",
        f"install -Dm644 {product.APP_ID}.desktop -t {share}/applications",
        f"install -Dm644 {product.APP_ID}.metainfo.xml -t {share}/metainfo",
        f"install -Dm644 handy-qwen.svg {share}/icons/hicolor/scalable/apps/{product.APP_ID}.svg",
    ]
    own = [{"type": "file", "path": name} for name in files]
    return {
        "app-id": product.APP_ID,
        "runtime": RUNTIME,
        "runtime-version": VERSION,
        "sdk": "org.freedesktop.Sdk",
        "command": product.NAME,
        "finish-args": list(PERMISSIONS),
        "modules": [
            {
                "name": "portaudio",
                "buildsystem": "autotools",
                "cleanup": ["/include", "/lib/pkgconfig", "*.a", "*.la"],
                "sources": [PORTAUDIO],
            },
            {
                "name": product.NAME,
                "buildsystem": "simple",
                "build-commands": install,
                "sources": [*sources_of(lock), *own],
            },
        ],
    }


def sources_of(lock: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The libraries needed on Linux, for each processor. Raises LookupError: no wheel."""
    for package in needed(lock):
        for arch in ARCHES:
            wheel = best_wheel(package, arch)
            is_for_all = wheel["url"].endswith("-any.whl")
            source = {"type": "file", "url": wheel["url"], "sha256": wheel["hash"].removeprefix("sha256:")}
            yield source if is_for_all else {**source, "only-arches": [arch]}
            if is_for_all:
                break


def needed(lock: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The packages of ``lock`` needed on Linux, including indirect ones, by name."""
    from packaging.markers import Marker  # in build's environment

    system = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    system |= {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
    system |= {"implementation_name": "cpython", "platform_python_implementation": "CPython", "extra": ""}
    packages = {(package["name"], package.get("version")): package for package in lock["package"]}
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for package in lock["package"]:
        by_name.setdefault(package["name"], []).append(package)
    found: dict[str, Mapping[str, Any]] = {}
    (program,) = by_name[product.NAME]
    waiting = list(program["dependencies"])
    while waiting:
        wish = waiting.pop()
        if "marker" in wish and not Marker(wish["marker"]).evaluate(system):
            continue
        package = packages.get((wish["name"], wish.get("version"))) or by_name[wish["name"]][0]
        extras = package.get("optional-dependencies", {})
        waiting += [one for extra in wish.get("extra", ()) for one in extras.get(extra, ())]
        if wish["name"] not in found:
            found[wish["name"]] = package
            waiting += package.get("dependencies", ())
    return [found[name] for name in sorted(found)]


def best_wheel(package: Mapping[str, Any], arch: str) -> Mapping[str, Any]:
    """The wheel of ``package`` that pip would choose in the runtime on ``arch``. Raises LookupError."""
    from packaging.tags import compatible_tags, cpython_tags
    from packaging.utils import parse_wheel_filename

    version = (int(PYTHON.partition(".")[0]), int(PYTHON.partition(".")[2]))
    platforms = [f"manylinux_2_{minor}_{arch}" for minor in range(GLIBC, 4, -1)]
    platforms += [f"manylinux2014_{arch}", f"manylinux2010_{arch}", f"manylinux1_{arch}", f"linux_{arch}"]
    tags = [
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, f"cp{version[0]}{version[1]}", platforms),
    ]
    ranks = {tag: rank for rank, tag in enumerate(tags)}
    fitting: list[tuple[int, Mapping[str, Any]]] = []
    for wheel in package.get("wheels", ()):
        own = parse_wheel_filename(wheel["url"].rpartition("/")[2])[3]
        if known := [ranks[tag] for tag in own if tag in ranks]:
            fitting.append((min(known), wheel))
    if not fitting:
        raise LookupError(f"{package['name']} has no wheel for {arch}")
    chosen: Mapping[str, Any] = min(fitting, key=lambda one: one[0])[1]
    return chosen
