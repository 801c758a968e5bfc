"""Downloads from a hub that does all that hubs and networks do."""

import errno
import shutil
import socket
import subprocess

import pytest
from huggingface_hub import constants

from handy_qwen.core.models import InstallStage
from handy_qwen.errors import CancelledError, DownloadError, DownloadReason, InstallationError
from handy_qwen.models import download as download_module
from handy_qwen.models.download import Meter
from handy_qwen.models.storage import ModelPaths
from tests.hub.server import COMMIT, FakeHub, Fault, describe
from tests.hub.tiny import REPOSITORY, as_in_a_cache, download

WEIGHTS = "model.safetensors"
SIZE = 655_360


def assert_right(places, repository):
    """All that is wanted is there, to the last bit, and nothing else."""
    wanted = {"config.json", "tokenizer.json", WEIGHTS}
    assert {path.name for path in places.source.iterdir()} == wanted
    for name in wanted:
        assert (places.source / name).read_bytes() == (repository / name).read_bytes()


def test_what_is_wanted_is_fetched_from_both_addresses(hub, repository):
    places = download()
    assert_right(places, repository)
    assert hub.sent_bytes(WEIGHTS) == SIZE
    assert hub.sent_bytes("README.md") == 0
    assert all(request.authorization == "" for request in hub.requests)


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(cut_at=100_000)],
        [Fault(cut_at=200_000), Fault(cut_at=0), Fault(cut_at=1), Fault(cut_at=300_000)],
        [Fault(cut_at=300_000), Fault(has_no_range=True)],
        [Fault(cut_at=300_000), Fault(is_shifted=True)],
        [Fault(cut_at=300_000), Fault(status=416)],
        [Fault(status=500), Fault(status=503), Fault(status=502)],
        [Fault(status=429, headers={"Retry-After": "0"})],
        [Fault(length=SIZE - 5)],
        [Fault(length=SIZE + 5)],
        [Fault(flip_at=400_000)],
        [Fault(cut_at=300_000), Fault(flip_at=400_000)],
    ],
    ids=lambda faults: " then ".join(
        ", ".join(f"{key} {value}" for key, value in vars(one).items() if value) for one in faults
    ),
)
def test_what_goes_wrong_for_a_while_ends_in_the_right_files(hub, repository, faults):
    for fault in faults:
        fault.file = WEIGHTS
    hub.faults = faults
    assert_right(download(), repository)
    assert hub.faults == []


@pytest.mark.parametrize(
    ("fault", "reason", "words"),
    [
        (Fault(status=403), DownloadReason.REFUSED, "does not give us"),
        (Fault(status=404), DownloadReason.REFUSED, "does not give us"),
        (Fault(status=410), DownloadReason.REFUSED, "refuses to give"),
        (Fault(status=500), DownloadReason.BUSY, "has an error of its own"),
        (Fault(status=429, headers={"Retry-After": "9000"}), DownloadReason.BUSY, "is refusing requests"),
        (Fault(cut_at=0), DownloadReason.OFFLINE, "broke off"),
        (Fault(length=SIZE - 1), DownloadReason.DAMAGED, "655359 bytes instead of 655360"),
        (Fault(flip_at=9), DownloadReason.DAMAGED, "damaged: its checksum"),
    ],
)
def test_what_stays_wrong_ends_in_one_sentence_and_no_file(hub, fault, reason, words):
    hub.faults = [Fault(**(vars(fault) | {"file": WEIGHTS})) for _ in range(20)]
    with pytest.raises(DownloadError, match=words) as caught:
        download()
    assert caught.value.reason is reason
    assert caught.value.hint
    assert not (ModelPaths("tiny").source / WEIGHTS).exists()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(status=401), DownloadReason.REFUSED),
        (Fault(status=404), DownloadReason.REFUSED),
        (Fault(status=500), DownloadReason.BUSY),
    ],
)
def test_a_repository_that_cannot_be_listed_is_named(hub, fault, reason):
    hub.api_faults = [fault] * 9
    with pytest.raises(DownloadError) as caught:
        download()
    assert caught.value.reason is reason
    assert hub.requests == []


@pytest.mark.parametrize(
    "changes",
    [
        {"sha": "main"},
        {"siblings": [{"rfilename": "config.json"}]},
        {"siblings": [{"rfilename": "config.json", "size": 4, "blobId": ""}]},
        {"siblings": "none"},
    ],
)
def test_an_answer_without_checksums_is_not_believed(hub, changes):
    hub.listing_changes = changes
    with pytest.raises(DownloadError, match="doesn't answer like a model hub"):
        download()
    assert hub.requests == []


def test_names_that_lead_elsewhere_are_never_fetched(hub, repository):
    evil = {"size": 1, "blobId": "0" * 40}
    hub.siblings += [
        evil | {"rfilename": name} for name in ("../config.json", "/config.json", ".config.json")
    ]
    assert_right(download(files=("*.json", WEIGHTS)), repository)


@pytest.mark.usefixtures("hub")
def test_a_file_that_the_repository_lacks_is_named():
    with pytest.raises(DownloadError, match=f"has no file weights.onnx at main \\({COMMIT[:8]}\\)"):
        download(files=("weights.onnx",))


def test_bytes_that_are_here_are_not_fetched_again(hub, repository):
    hub.faults = [Fault(WEIGHTS, cut_at=at) for at in (250_000, 90_000, 123_456)]
    assert_right(download(), repository)
    starts = [request.start for request in hub.requests if request.file == WEIGHTS]
    assert starts == [0, 250_000, 340_000, 463_456]
    assert hub.sent_bytes(WEIGHTS) == SIZE


def test_a_page_instead_of_the_rest_of_a_file_costs_nothing_of_it(hub, repository):
    hub.faults = [Fault(WEIGHTS, cut_at=250_000), Fault(WEIGHTS, is_page=True), Fault(WEIGHTS, is_page=True)]
    told = []
    assert_right(download(told.append), repository)
    assert [request.start for request in hub.requests if request.file == WEIGHTS] == [0, *[250_000] * 3]
    assert hub.sent_bytes(WEIGHTS) == SIZE
    assert all(0 <= one.done_bytes <= one.total_bytes for one in told)


def test_a_download_that_was_given_up_goes_on_where_it_was(hub, repository):
    hub.bytes_per_s = 2_000_000

    def give_up(progress):
        if progress.stage is InstallStage.DOWNLOADING and progress.done_bytes > SIZE / 3:
            raise CancelledError

    with pytest.raises(CancelledError):
        download(give_up)
    part = ModelPaths("tiny").source / f"{WEIGHTS}.part"
    here = part.stat().st_size
    assert ModelPaths("tiny").partial_bytes() >= here > SIZE / 4
    first = len(hub.requests)
    assert_right(download(), repository)
    assert [request.start for request in hub.requests[first:]] == [here]


def test_a_download_is_finished_at_the_commit_at_which_it_was_begun(hub, repository):
    hub.faults = [Fault(WEIGHTS, status=403)]
    with pytest.raises(DownloadError):
        download()
    hub.listing_changes = {"sha": "1" * 40}
    assert_right(download(), repository)


def test_silence_can_be_given_up_at_once(hub):
    hub.faults = [Fault(WEIGHTS, silent_s=5.0)]
    told = []

    def give_up(progress):
        told.append(progress)
        if sum(request.file == WEIGHTS for request in hub.requests) and len(told) > 8:
            raise CancelledError

    with pytest.raises(CancelledError):
        download(give_up)
    assert hub.sent_bytes(WEIGHTS) == 0


@pytest.mark.parametrize("fault", [Fault(WEIGHTS, cut_at=100_000), Fault(WEIGHTS, status=503)])
def test_a_connection_that_is_lost_is_told_at_once_and_until_bytes_come_again(hub, repository, fault):
    hub.faults = [fault]
    told = []
    assert_right(download(told.append), repository)
    stalled = [progress.is_stalled for progress in told]
    assert True in stalled
    lost = told[stalled.index(True)]
    assert (lost.stage, lost.rate_bytes_s) == (InstallStage.DOWNLOADING, 0.0)
    assert not told[-1].is_stalled


def test_a_download_that_brings_nothing_for_a_while_is_stalled_and_a_stage_without_bytes_is_not():
    told, now = [], [0.0]
    meter = Meter(told.append, clock=lambda: now[0])
    meter.enter(InstallStage.DOWNLOADING, 1000)
    for at_s, size in ((1.0, 10), (3.0, 0), (4.5, 0), (5.0, 10)):
        now[0] = at_s
        meter.add(size) if size else meter.keep_alive()
    assert [progress.is_stalled for progress in told] == [False, False, False, True, False]
    meter.enter(InstallStage.CONVERTING)
    now[0] = 60.0
    meter.keep_alive()
    assert not told[-1].is_stalled


def test_a_token_is_sent_to_the_hub_alone_and_only_if_it_is_set(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    download()
    sent = {request.file: request.authorization for request in hub.requests}
    assert sent["config.json"] == "Bearer hf_secret"
    assert sent[WEIGHTS] == ""  # it lies on another host


@pytest.mark.usefixtures("hub_home")
def test_nobody_at_the_address_is_said(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(DownloadError, match="cannot be reached") as caught:
            download()
    assert caught.value.reason is DownloadReason.OFFLINE


@pytest.mark.parametrize(
    "endpoint", ["huggingface.co", "ftp://huggingface.co", "http://[::1", "http://hub..example"]
)
@pytest.mark.usefixtures("hub_home")
def test_an_address_that_is_none_is_said(monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(DownloadError, match="is not the address of a model hub"):
        download()


@pytest.mark.usefixtures("hub_home")
def test_a_hub_with_a_certificate_of_its_own_making_is_not_trusted(repository, tmp_path, monkeypatch):
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    both = tmp_path / "both.pem"
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    with FakeHub(repository, REPOSITORY, certificate=both) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        with pytest.raises(DownloadError, match="certificate verification failed") as caught:
            download()
    assert caught.value.reason is DownloadReason.UNTRUSTED
    assert "certificate" in caught.value.title
    assert served.requests == []


def cached(repository, tmp_path, commit=COMMIT):
    """Lay ``repository`` into the shared cache, as huggingface_hub does."""
    folder = tmp_path / "hf" / "hub" / f"models--{REPOSITORY.replace('/', '--')}"
    for part in ("blobs", "refs", f"snapshots/{commit}"):
        (folder / part).mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    for entry in describe(repository)[0]:
        blob = folder / "blobs" / (entry["lfs"]["sha256"] if "lfs" in entry else entry["blobId"])
        shutil.copyfile(repository / entry["rfilename"], blob)
        as_in_a_cache(folder / "snapshots" / commit / entry["rfilename"], blob)
    return folder


def test_what_the_shared_cache_has_is_not_fetched(hub, repository, tmp_path):
    cached(repository, tmp_path)
    assert_right(download(), repository)
    assert hub.requests == []


def test_a_damaged_file_in_the_shared_cache_is_fetched(hub, repository, tmp_path):
    folder = cached(repository, tmp_path)
    blob = (folder / "snapshots" / COMMIT / WEIGHTS).resolve()
    data = bytearray(blob.read_bytes())
    data[77] ^= 1
    blob.write_bytes(data)
    assert_right(download(), repository)
    assert hub.sent_bytes(WEIGHTS) == SIZE
    assert blob.read_bytes() == data  # it is others' to mend


@pytest.mark.unix("only links, which Windows has not there, tell the sums of files without the hub")
def test_offline_the_shared_cache_is_enough(hub, repository, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=r"^HF_HUB_OFFLINE prevents downloading the model\."):
        download()
    cached(repository, tmp_path)
    assert_right(download(), repository)
    assert hub.requests == []


def test_offline_a_part_of_the_model_is_told_from_nothing(hub, monkeypatch):
    hub.faults = [Fault(WEIGHTS, cut_at=250_000), Fault(WEIGHTS, status=403)]
    with pytest.raises(DownloadError, match="does not give us"):
        download()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match="isn't complete, and HF_HUB_OFFLINE prevents"):
        download()


@pytest.mark.unix("only links, which Windows has not there, tell the sums of files without the hub")
@pytest.mark.usefixtures("hub_home")
def test_without_a_network_the_shared_cache_is_enough(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    cached(repository, tmp_path)
    assert_right(download(), repository)


def test_a_disk_without_room_is_said_in_numbers_before_anything_is_fetched(hub, monkeypatch):
    monkeypatch.setattr(
        "handy_qwen.models.storage.shutil.disk_usage",
        lambda _path: shutil._ntuple_diskusage(10, 9, 100_000_000),
    )
    with pytest.raises(InstallationError, match=r"0\.7 MB of disk space is needed, .* 100\.0 MB is free"):
        download()
    assert hub.requests == []


def test_a_disk_that_fills_up_meanwhile_is_said_and_what_came_is_kept(hub, repository, monkeypatch):
    write_all = download_module.write_all

    def full(out, data):
        if out.tell() > 200_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(out, data)

    monkeypatch.setattr(download_module, "write_all", full)
    with pytest.raises(InstallationError, match="is full"):
        download()
    monkeypatch.setattr(download_module, "write_all", write_all)
    assert_right(download(), repository)
    assert hub.sent_bytes(WEIGHTS) < 2 * SIZE
    assert [request.start for request in hub.requests if request.file == WEIGHTS][1] > 200_000
