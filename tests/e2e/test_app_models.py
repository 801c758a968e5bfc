"""A model got through the window of the real program: fetched, paused, gone on with after a restart, used."""

import pytest

from handy_qwen.models.catalogue import read_catalogue
from tests.conftest import CHECKPOINT
from tests.e2e.app import App
from tests.e2e.desk import QtTarget
from tests.e2e.desk.processes import wait_until
from tests.hub.server import FakeHub

pytestmark = pytest.mark.desktop
NAME = "qwen3-asr-0.6b"
SAID = "is to be installed"


@pytest.fixture
def hub():
    """A hub that has a small model under the name of the recommended one."""
    with FakeHub(CHECKPOINT, read_catalogue().find(NAME).repository) as server:
        yield server


def app_at(desktop, hub):
    """The program, whose hub is this one; a second one has the home of the first."""
    app = App(desktop, "models")
    app.env |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(app.home / "hf")}
    return app


def open_models(desktop):
    """Open the window by the letters of the tray's menu, Model and Manage models, and return its handle."""
    panel = desktop.run("xdotool", "search", "--onlyvisible", "--name", "^panel$").split()[0]
    geometry = desktop.run("xdotool", "getwindowgeometry", "--shell", panel)
    place = {
        key: int(value) for key, _, value in (line.partition("=") for line in geometry.splitlines()) if value
    }
    middle = (str(place["X"] + place["WIDTH"] // 2), str(place["Y"] + place["HEIGHT"] // 2))
    desktop.run("xdotool", "mousemove", *middle, "click", "3")

    def opened():
        desktop.keys.chord("m")
        names = {window: desktop.run("xdotool", "getwindowname", str(window)) for window in desktop.windows()}
        return next((window for window, name in names.items() if name.startswith("Models")), None)

    window = wait_until(opened, "the Models window")
    wait_until(lambda: desktop.active_window() == window, "its focus")
    return window


def install(desktop, app, hub):
    """Press Enter, which is on the button of the recommended model, until the hub is asked for files."""
    before, said = len(hub.requests), app.output().count(SAID)

    def is_begun():
        if app.output().count(SAID) > said:
            return True
        desktop.keys.chord("Return")  # nothing happens as long as the models are looked for
        return False

    wait_until(is_begun, "the installation", interval_s=3.0)
    wait_until(lambda: len(hub.requests) > before, "the download", timeout_s=60)


def test_a_download_outlasts_window_and_program_and_the_model_is_used(desktop, hub):
    hub.bytes_per_s = 400_000
    first = app_at(desktop, hub)
    partial = first.home / "data" / "models" / ".incoming" / NAME
    with first:
        open_models(desktop)
        install(desktop, first, hub)
        wait_until(
            lambda: sum(p.stat().st_size for p in partial.rglob("*") if p.is_file()) > 1_500_000, "bytes"
        )
        desktop.screenshot("app-models-downloading")
        desktop.keys.chord("Escape")
        wait_until(
            lambda: any("continues" in notice["title"] for notice in first.status()["notices"]), "the notice"
        )
    assert partial.is_dir()
    hub.bytes_per_s = 0
    with app_at(desktop, hub) as again:
        open_models(desktop)
        install(desktop, again, hub)
        wait_until(lambda: again.status()["model"] == NAME, "the model", timeout_s=90)
        wait_until(lambda: again.status().get("is_ready"), "the model to be loaded", timeout_s=60)
        desktop.screenshot("app-models-installed")
        desktop.keys.chord("Escape")
        editor = desktop.open(QtTarget)
        again.dictate("chairs")
        assert "chairs" in editor.wait_for_text("We need twenty-five chairs for the office.")
        editor.close()
    data = "model.safetensors"
    assert hub.sent_bytes(data) < (CHECKPOINT / data).stat().st_size + 1_000_000, "bytes were fetched twice"
