"""``model``: what is said of folders, in this process."""

import pytest

from handy_qwen.cli import main


@pytest.fixture(autouse=True)
def home(app_home):
    """No model of the user's is used."""


def test_a_folder_that_is_no_model_is_not_called_one(tmp_path, capsys):
    assert main(["model", "info", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"The model file {tmp_path / 'manifest.json'} is missing." in err


def test_a_published_model_is_called_so(tmp_path, capsys):
    (tmp_path / "decoder_init.int4.onnx").touch()
    assert main(["model", "info", str(tmp_path)]) == 0
    assert "published ONNX files" in capsys.readouterr().out
