"""Nothing leaves the machine: neither the program nor the libraries it uses report to anybody."""

import os
import subprocess
import sys


def test_the_engines_library_writes_no_reports(tmp_path):
    # ONNX Runtime keeps quiet by itself where CI is set, so that this has to be taken away.
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "ORT_DISABLE_TELEMETRY"}}
    environment = kept | {
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": "",
        "HANDY_QWEN_HOME": str(tmp_path / "own"),
    }
    command = [sys.executable, "-m", "handy_qwen", "demo"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert not [file for file in tmp_path.rglob("*") if "icrosoft" in str(file) or "onnx" in str(file)]
