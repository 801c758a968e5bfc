"""ONNX Runtime at its border: graphs that cannot be loaded, runs that fail or are given up."""

import os
import threading
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from handy_qwen.engine.api import Cancel
from handy_qwen.engine.qwen3.sessions import open_session, run
from handy_qwen.errors import (
    CancelledError,
    EngineError,
    ModelCorruptError,
    ModelMissingError,
    OutOfMemoryError,
)


def graph(path, *nodes, x=("n",)):
    """A graph with an input ``x`` and an output ``y``."""
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, x)] for name in "xy"]
    model = helper.make_graph(list(nodes), "test", *ends)
    onnx.save(helper.make_model(model, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


def doubled(folder):
    return graph(folder / "double.onnx", helper.make_node("Add", ["x", "x"], ["y"]))


@pytest.fixture
def doubling(tmp_path):
    return open_session(doubled(tmp_path), threads=1)


@pytest.fixture
def endless(tmp_path):
    """Many products of large matrices, one after the other: minutes of work that can end between any two."""
    nodes, name = [], "x"
    for step in range(2_000):
        nodes.append(helper.make_node("MatMul", [name, "x"], [f"m{step}"]))
        name = f"m{step}"
    nodes.append(helper.make_node("Identity", [name], ["y"]))
    return open_session(graph(tmp_path / "endless.onnx", *nodes, x=(800, 800)), threads=1)


def test_a_graph_is_run(doubling):
    (y,) = run(doubling, {"x": np.array([1, 2], np.float32)}, Cancel())
    np.testing.assert_array_equal(y, [2, 4])


def test_a_missing_graph_is_named(tmp_path):
    with pytest.raises(ModelMissingError) as caught:
        open_session(tmp_path / "a.onnx", threads=1)
    assert caught.value.path == tmp_path / "a.onnx"


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x0a", bytes(1000), b"\xff" * 1000])
def test_a_file_that_is_no_graph_is_named(tmp_path, content):
    path = tmp_path / "a.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelCorruptError, match="ONNX Runtime cannot load it") as caught:
        open_session(path, threads=1)
    assert caught.value.path == path


def test_a_graph_of_unknown_operators_is_named(tmp_path):
    path = graph(tmp_path / "a.onnx", helper.make_node("Dream", ["x"], ["y"]))
    with pytest.raises(ModelCorruptError):
        open_session(path, threads=1)


@pytest.mark.expects_log
def test_a_run_that_fails_is_an_error_of_the_engine_with_details_in_the_log(doubling, caplog):
    with pytest.raises(EngineError, match="failed while running the model"):
        run(doubling, {"x": np.zeros((2, 2), np.float32)}, Cancel())
    assert "Invalid rank for input: x" in caplog.text


def test_work_given_up_before_is_not_begun(doubling):
    cancel = Cancel()
    cancel.set()
    assert cancel.is_set
    with pytest.raises(CancelledError):
        run(doubling, {"x": np.zeros(2, np.float32)}, cancel)


def test_a_long_run_is_given_up_in_its_middle(endless):
    cancel = Cancel()
    threading.Timer(0.1, cancel.set).start()
    with pytest.raises(CancelledError):
        run(endless, {"x": np.zeros((800, 800), np.float32)}, cancel)


def test_threads_never_spin(doubling):
    """Spinning, they would take the processor from whoever they wait for."""
    assert doubling.get_session_options().get_session_config_entry("session.intra_op.allow_spinning") == "0"


@pytest.mark.linux("SCHED_BATCH")
@pytest.mark.parametrize("policy", ["SCHED_OTHER", "SCHED_BATCH"])
def test_threads_displace_nobody_when_they_are_woken(tmp_path, policy):
    """And the thread that starts them stays what it is."""
    found, policy, path, tasks = [], getattr(os, policy), doubled(tmp_path), Path("/proc/self/task")

    def look():
        os.sched_setscheduler(0, policy, os.sched_param(0))
        before = set(tasks.iterdir())
        session = open_session(path, threads=3)
        found.extend(os.sched_getscheduler(int(one.name)) for one in set(tasks.iterdir()) - before)
        found.append(os.sched_getscheduler(0))
        del session

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [os.SCHED_BATCH, os.SCHED_BATCH, policy]


@pytest.mark.linux("SCHED_BATCH")
def test_where_no_other_class_is_allowed_threads_are_ordinary(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert open_session(doubled(tmp_path), threads=2)


def test_a_run_for_which_there_is_no_memory_says_so(tmp_path):
    nodes = [
        helper.make_node("Cast", ["x"], ["shape"], to=TensorProto.INT64),
        helper.make_node("ConstantOfShape", ["shape"], ["y"]),
    ]
    session = open_session(graph(tmp_path / "huge.onnx", *nodes, x=(1,)), threads=1)
    with pytest.raises(OutOfMemoryError, match="not enough memory") as caught:
        run(session, {"x": np.array([2.0**48], np.float32)}, Cancel())
    assert caught.value.hint


def test_a_graph_for_which_there_is_no_memory_is_not_called_corrupt(tmp_path, monkeypatch):
    def fail(*_args, **_more):
        raise ort_errors.RuntimeException("Exception during initialization: std::bad_alloc")

    path = graph(tmp_path / "double.onnx", helper.make_node("Add", ["x", "x"], ["y"]))
    monkeypatch.setattr(ort, "InferenceSession", fail)
    with pytest.raises(OutOfMemoryError):
        open_session(path, threads=1)
