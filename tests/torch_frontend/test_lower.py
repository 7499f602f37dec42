"""`lower` of torch models: exported, lowered, and held against torch itself."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

import onnxtile  # noqa: E402  # the same
from onnxtile.errors import PassError, UsageError  # noqa: E402  # the same
from onnxtile.torch_frontend import lower as lowering  # noqa: E402  # the same
from onnxtile.torch_frontend.export import export  # noqa: E402  # the same
from onnxtile.torch_frontend.network import Network  # noqa: E402  # the same
from tests.support import run_onnxruntime, sizes_of_products  # noqa: E402  # the same
from tests.torch_support import document, inputs_of, network, run, saved, tensors_of  # noqa: E402  # the same

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of much that isn't ours


@pytest.mark.parametrize("name", ["attention", "gru", "vision", "experts"])
def test_modules(name: str) -> None:
    made, args = network(name), tensors_of(name)
    lowered = onnxtile.lower(made, inputs_of(name), max=(8, 8, 8))
    assert all(max(sizes) <= 8 for sizes in sizes_of_products(lowered))
    names = [value.name for value in lowered.graph.input]
    with torch.no_grad():
        wanted = made(*args)
    (got,) = run_onnxruntime(lowered, dict(zip(names, (each.numpy() for each in args), strict=True)))
    torch.testing.assert_close(torch.from_numpy(got), wanted, rtol=1e-3, atol=1e-4)
    assert lowered.ir_version <= 10 and lowered.opset_import[0].version <= 22


@pytest.mark.parametrize("kind", ["traced", "scripted", "exported"])
def test_files_on_the_command_line(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, kept = saved("attention", kind, tmp_path), tmp_path / "exported.onnx"
    options = () if kind == "exported" else ("--input", *inputs_of("attention"))  # an exported program has its own
    found = document(
        run(
            monkeypatch,
            capsys,
            "lower",
            path,
            *options,
            "--max",
            "16,16,16",
            "--verify",
            "--keep-exported",
            kept,
            "--json",
        )
    )
    assert found["output"] == str(tmp_path / "attention.tiled.onnx")
    assert found["verify"]["equivalent"] and found["verify_torch"]["equivalent"]
    assert found["verify_torch"]["engine"].startswith("torch and")
    assert onnxtile.check(found["output"], (16, 16, 16)).ok
    assert onnxtile.verify(kept, found["output"]).equivalent
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([path.name, kept.name, "attention.tiled.onnx"])


def test_dropout_and_training_mode_are_left_alone() -> None:
    made = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train()
    state = torch.get_rng_state()
    lowered = onnxtile.lower(made, torch.ones(2, 4), max=(2, 2, 2))
    assert made.training and made[1].training and torch.equal(torch.get_rng_state(), state)
    assert "Dropout" not in [node.op_type for node in lowered.graph.node]


def test_a_report_comes_back_with_an_output(tmp_path: Path) -> None:
    report = onnxtile.lower(
        nn.Linear(8, 8), torch.ones(2, 8), max=(4, 4, 4), output=tmp_path / "out.onnx", form="batched"
    )
    assert report.ok and len(onnx.load(tmp_path / "out.onnx").graph.node) < 20


def test_what_is_not_equivalent_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(network: Network, path: Path) -> None:
        export(Network(nn.Linear(8, 8), network.args), path)  # another's weights

    monkeypatch.setattr(lowering, "export", wrong)
    with pytest.raises(PassError, match=r"isn't equivalent: 'linear' is outside its bound; it wasn't kept"):
        onnxtile.lower(nn.Linear(8, 8), torch.ones(2, 8), max=(4, 4, 4), output=tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_those_of_the_inputs() -> None:
    with pytest.raises(UsageError, match="bind is for models of ONNX"):
        onnxtile.lower(nn.Linear(2, 2), torch.ones(1, 2), max=(1, 1, 1), bind={"n": 1})
    with pytest.raises(UsageError, match=r"doesn't say what it takes: give inputs \(--input 1x3x224x224\)"):
        onnxtile.lower(nn.Linear(2, 2), max=(1, 1, 1))


def test_the_exported_model_goes_to_a_place_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = saved("plain", "traced", tmp_path)
    same = ("-o", tmp_path / "x.onnx", "--keep-exported", tmp_path / "x.onnx")
    found = run(monkeypatch, capsys, "lower", path, "--input", *inputs_of("plain"), "--max", "4,4,4", *same)
    assert found[0] == 2 and "is needed; give another path" in found[2]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
