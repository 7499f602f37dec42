"""Test that capture of torch modules gives what hooks see, for modules, TorchScript and exported programs alike."""

from __future__ import annotations

import copy
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` isn't installed")

import onnxtile  # noqa: E402  # torch may be missing
from onnxtile.errors import UnsupportedError, UsageError  # noqa: E402
from onnxtile.torch_frontend.capture import capture_torch  # noqa: E402
from onnxtile.torch_frontend.network import Network  # noqa: E402
from tests import torch_scripts  # noqa: E402

NETWORKS = torch_scripts.networks()


def reloaded(module: Any) -> Any:
    file = io.BytesIO()
    torch.jit.save(module, file)
    file.seek(0)
    return torch.jit.load(file)


def kinds_of(network: Any, args: tuple[Any, ...]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what tracing and exporting leave out
        traced = torch.jit.trace(network, args)
        exported = torch.export.export(network, args)
    return {
        "module": network,
        "scripted": reloaded(torch.jit.script(network)),
        "traced": reloaded(traced),
        "exported": exported,
    }


@pytest.fixture
def nested() -> tuple[Any, tuple[Any, ...]]:
    network, args = NETWORKS["nested"]
    return copy.deepcopy(network).eval(), args


def no_hooks(network: Any) -> bool:
    return not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_all_front_ends_give_what_hooks_see(nested: tuple[Any, tuple[Any, ...]]) -> None:
    network, args = nested
    wanted: dict[str, np.ndarray] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, out, path=path: wanted.update({path: out.numpy().copy()}))
        for path, module in network.named_modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))
    ]
    with torch.no_grad():
        network(*args)
    for hook in hooks:
        hook.remove()
    assert len(wanted) == 5
    for kind, model in kinds_of(network, args).items():
        found = onnxtile.capture(model, inputs=args, op=["Conv2d", "Linear"])
        assert list(found) == list(wanted), kind
        for path in wanted:
            np.testing.assert_allclose(found[path], wanted[path], atol=1e-5, err_msg=f"{kind} {path}")
        assert [row.op for row in found.report.values] == ["Conv2d"] * 4 + ["Linear"]
        assert found.report.inputs.source == "given"
    assert no_hooks(network)


def test_names_are_patterns_of_paths(nested: tuple[Any, tuple[Any, ...]]) -> None:
    network, args = nested
    for model in kinds_of(network, args).values():
        assert list(onnxtile.capture(model, inputs=args, name="stages.0.*")) == [
            "stages.0.0.conv", "stages.0.0.norm", "stages.0.0", "stages.0.1.conv", "stages.0.1.norm", "stages.0.1",
        ]  # fmt: skip
        assert list(onnxtile.capture(model, inputs=args, name="stages.0*", op="Block")) == ["stages.0.0", "stages.0.1"]
    assert list(onnxtile.capture(network, inputs=args, op="Nested")) == ["Nested"]


def test_a_module_that_is_called_several_times_is_numbered() -> None:
    network, args = NETWORKS["twice"]
    x = args[0]
    for kind, model in kinds_of(network.eval(), args).items():
        found = onnxtile.capture(model, inputs=args, op="Linear")
        assert list(found) == ["layer", "layer#1", "layer#2"], kind
        with torch.no_grad():
            first = network.layer(x)
            # the first output is changed in place afterwards, which the copy doesn't show
            for name, wanted in (("layer", first), ("layer#1", network.layer(first.relu())), ("layer#2", first)):
                np.testing.assert_allclose(found[name], wanted.numpy(), atol=1e-6, err_msg=f"{kind} {name}")


def test_outputs_of_several_parts() -> None:
    network, args = NETWORKS["recurrent"]
    with torch.no_grad():
        y, (h, c) = network.eval().lstm(network.embed(args[0]))
    for kind, model in kinds_of(network, args).items():
        found = onnxtile.capture(model, inputs=args, name="lstm")
        if kind in ("module", "scripted"):
            assert list(found) == ["lstm/0", "lstm/1.0", "lstm/1.1"]
        for array, wanted in zip(found.values(), (y, h, c), strict=True):
            np.testing.assert_allclose(array, wanted.numpy(), atol=1e-6, err_msg=kind)
    choice, args = NETWORKS["yes"]
    assert list(onnxtile.capture(choice, inputs=args, op="Choice")) == ["Choice/y", "Choice/x", "Choice/sum"]


class Odd(torch.nn.Module):
    def forward(self, x: Any) -> Any:
        return x, None, 7, x.to_sparse(), x.to(torch.bfloat16), torch.fft.fft(x), "text"


def test_what_is_no_tensor_is_skipped_with_the_reason(tmp_path: Path) -> None:
    found = onnxtile.capture(torch.nn.Sequential(Odd()), inputs=torch.eye(2), name="0")
    assert list(found) == ["0/0", "0/4", "0/5"]
    assert str(found["0/4"].dtype) == "bfloat16"
    assert found["0/5"].dtype == np.complex64
    reasons = [skipped.reason for skipped in found.report.skipped]
    assert reasons == [
        "'0/1' is None", "'0/2' is a int, not a tensor", "'0/3' is a sparse tensor, which no array is",
        "'0/6' is a str, not a tensor",
    ]  # fmt: skip
    report = onnxtile.capture(torch.nn.Sequential(Odd()), inputs=torch.eye(2), name="0", output=tmp_path / "v.npz")
    assert report.values[1].stored == "bits in uint16"
    assert sorted(np.load(tmp_path / "v.npz")) == ["0/0", "0/4", "0/5"]


def test_files_are_written_as_for_onnx(nested: tuple[Any, tuple[Any, ...]], tmp_path: Path) -> None:
    network, args = nested
    report = onnxtile.capture(network, inputs=args, op="Linear", output=tmp_path / "values.npz")
    held = onnxtile.capture(network, inputs=args, op="Linear")
    with np.load(tmp_path / "values.npz") as file:
        assert list(file) == ["head"]
        np.testing.assert_array_equal(file["head"], held["head"])
    row = report.to_json()["values"][0]
    assert (row["value"], row["node"], row["op"], tuple(row["shape"]), row["place"]) == (
        "head",
        "head",
        "Linear",
        (2, 5),
        "head",
    )
    onnxtile.capture(network, inputs=args, op="Linear", output=tmp_path / "folder")
    assert json.loads((tmp_path / "folder" / "index.json").read_text())["values"][0]["place"] == "head.npy"


def test_files_and_texts(nested: tuple[Any, tuple[Any, ...]], tmp_path: Path) -> None:
    network, _ = nested
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.script(network), str(path))
    found = onnxtile.capture(path, inputs="1x3x8x8", op="Linear", seed=3)
    again = onnxtile.capture(network, inputs=["1x3x8x8"], op="Linear", seed=3)
    np.testing.assert_allclose(found["head"], again["head"], atol=1e-6)
    assert found.report.inputs.seed == 3
    named = onnxtile.capture(network, inputs={"x": np.ones((1, 3, 8, 8), np.float32)}, op="Linear")
    assert named["head"].shape == (1, 5)


def test_the_report_alone(nested: tuple[Any, tuple[Any, ...]]) -> None:
    network, args = nested
    report = capture_torch(Network(network, args), op="Conv2d", keep=False)
    assert isinstance(report, onnxtile.CaptureReport)
    assert report.values[0].value == "stem"
    assert report.values[0].mean == pytest.approx(float(network.stem(args[0]).detach().mean()), abs=1e-5)


def test_the_model_stays_as_it_was(nested: tuple[Any, tuple[Any, ...]]) -> None:
    network, args = nested
    network.train()
    network.head.eval()
    before = copy.deepcopy(network.state_dict())
    onnxtile.capture(network, inputs=args, name="*")
    assert network.stem.training and not network.head.training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert no_hooks(network)


class Fails(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        self.layer(x)
        raise ValueError("not\ntoday")


def test_hooks_are_removed_after_errors_and_nothing_is_written(tmp_path: Path) -> None:
    network = Fails()
    with pytest.raises(UsageError, match="the model fails on these inputs: ValueError: not today"):
        onnxtile.capture(network, inputs=torch.ones(1, 4), op="Linear", output=tmp_path / "values.npz")
    assert no_hooks(network)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"op": "Conv2D"}, "no module is a 'Conv2D': the model has Conv2d"),
        ({"name": "haed"}, "no module is called 'haed': it has head"),
        ({"op": "Linear", "name": "stem"}, "no module called 'stem' is a Linear: leave --op or --name out"),
        ({}, "say which nodes: by operator"),
        ({"op": "Linear", "bind": {"n": 1}}, "bind is for models of ONNX"),
        ({"op": "Linear", "inputs": None}, "doesn't say what it takes: give inputs"),
        ({"op": "Linear", "inputs": torch.ones(3)}, "the model fails on these inputs: RuntimeError"),
        ({"op": "Linear", "output": "values.txt"}, "neither FILE.npz nor a folder"),
    ],
)
def test_what_cannot_be_captured(nested: tuple[Any, tuple[Any, ...]], asked: dict[str, Any], words: str) -> None:
    network, args = nested
    with pytest.raises(UsageError, match=words):
        onnxtile.capture(network, **{"inputs": args, **asked})


def test_modules_that_are_not_called_and_those_inside_what_runs_whole() -> None:
    network, args = NETWORKS["no"]
    with pytest.raises(UsageError, match="'yes' isn't called in this run"):
        onnxtile.capture(network, inputs=args, op="Linear")
    network, args = NETWORKS["strange"]
    scripted = torch.jit.script(network)
    found = onnxtile.capture(scripted, inputs=args, op="Linear")
    assert list(found) == ["first", "last"]
    assert [(skipped.node, skipped.reason) for skipped in found.report.skipped] == [
        ("strange.inner", "is in 'strange', which runs whole: prim::CreateObject isn't known")
    ]


def test_the_models_file_is_not_written_over(nested: tuple[Any, tuple[Any, ...]], tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    torch.jit.save(torch.jit.script(nested[0]), str(path))
    from onnxtile.torch_frontend.load import load

    with pytest.raises(UsageError, match="which is needed; give another path"):
        capture_torch(Network(load(str(path)), nested[1]), op="Linear", output=path, source=path)


def test_a_failure_of_ours_isnt_the_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the model catches what its modules raise."""

    def fails(found: object) -> object:
        raise KeyError("tensor")

    class Catches(torch.nn.Module):  # type: ignore[misc]  # torch's classes have no types
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)

        def forward(self, x: Any) -> Any:
            try:
                return self.layer(x)
            except Exception:
                return x

    monkeypatch.setattr("onnxtile.torch_frontend.capture.array_of", fails)
    for model in (Catches(), torch.jit.script(torch.nn.Linear(3, 2))):
        with pytest.raises(
            UnsupportedError, match="can't capture what module '(layer|Linear)' gives: KeyError: 'tensor'"
        ):
            onnxtile.capture(model, inputs=torch.ones(1, 3), op="Linear")


def test_a_scripted_module_inside_a_network_is_skipped() -> None:
    inner = torch.jit.script(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()))
    network = torch.nn.Sequential(inner, torch.nn.Linear(3, 2))
    values = onnxtile.capture(network, inputs=(torch.ones(1, 4),), name="*")
    assert list(values) == ["1", "Sequential"]
    skipped = [(value.node, value.op) for value in values.report.skipped]
    assert skipped == [("0", "Sequential"), ("0.0", "Linear"), ("0.1", "ReLU")]
