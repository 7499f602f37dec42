"""Certificates that say more than is so, and models beside them that were changed: neither holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from onnxtile.errors import OnnxtileError
from onnxtile.verification.certificate import recheck
from tests.commands import status
from tests.faults.forgery import ORIGINAL, W, changed, lowered, nodes, text

Document = dict[str, Any]
ROWS = text("(float[n,8] x) => (float[n,4] y) { h = Relu (x)  y = MatMul (h, w) }", w=W)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    onnx.save(ROWS(), tmp_path / "a.onnx")
    onnx.save(lowered(ROWS(), (3, 4, 2), form="batched"), tmp_path / "b.onnx")
    path = tmp_path / "c.json"
    assert status("verify", tmp_path / "a.onnx", tmp_path / "b.onnx", "--certificate", path) == 0
    return path


def holds(path: Path) -> bool:
    """Return whether it holds, by the library and by the command line alike."""
    code = status("verify", "--recheck", path)
    try:
        told = recheck(path).holds
    except OnnxtileError:
        told = False
    assert told == (code == 0)
    return told


def region(document: Document) -> Document:
    found: Document = document["verdict"]["regions"][0]
    return found


def longer(document: Document) -> None:
    document["limits"]["k"] = document["limits"]["k"] + 1


LIES: dict[str, Callable[[Document], object]] = {
    "the largest product is smaller": lambda c: c["limits"].update(k=1),
    "the largest product is larger": longer,
    "a limit is gone": lambda c: c["limits"].pop("m"),
    "no limits": lambda c: c.update(limits={}),
    "more nodes were kept": lambda c: c["verdict"].update(kept=c["verdict"]["kept"] + 1),
    "a region is gone": lambda c: c["verdict"]["regions"].pop(),
    "a region is there twice": lambda c: c["verdict"]["regions"].append(region(c)),
    "a region is another node's": lambda c: region(c).update(name="z"),
    "a region's operator is another": lambda c: region(c).update(op="Gemm"),
    "a region differs": lambda c: region(c).update(equivalent=False),
    "a region was judged in another way": lambda c: region(c).update(method="structure"),
    "a region holds more products": lambda c: region(c).update(tiles=99),
    "an output is gone": lambda c: c["verdict"].update(outputs=[]),
    "an output is another": lambda c: c["verdict"]["outputs"][0].update(name="z"),
    "the models are different": lambda c: c["verdict"].update(equivalent=False),
    "the whole is proven, or not": lambda c: c["verdict"].update(proven=not c["verdict"]["proven"]),
    "another method": lambda c: c["verdict"].update(method="bound"),
    "a dimension is bound": lambda c: c.update(bind={"n": 3}),
    "a dimension that there isn't is bound": lambda c: c.update(bind={"q": 3}),
    "a dimension is bound to none": lambda c: c.update(bind={"n": 0}),
    "the original is certified for the lowered": lambda c: c.update(lowered=c["original"]),
    "another file": lambda c: c["lowered"].update(file="a.onnx"),
    "a hash of another file": lambda c: c["lowered"]["sha256"].update({"b.onnx": "0" * 64}),
    "no hashes": lambda c: c["lowered"].update(sha256={}),
    "no seed": lambda c: c.pop("seed"),
    "no versions": lambda c: c.pop("versions"),
    "another schema": lambda c: c.update(schema="onnxtile.certificate/1000"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_not_so_is_noticed(lie: str, certificate: Path) -> None:
    document = json.loads(certificate.read_text())
    LIES[lie](document)
    certificate.write_text(json.dumps(document))
    assert not holds(certificate)


def test_a_whole_one_holds_and_a_changed_model_does_not(certificate: Path) -> None:
    assert holds(certificate)
    path = certificate.parent / "b.onnx"
    model = onnx.load(path)
    model.graph.node[0].doc_string = "one word"
    onnx.save(model, path)
    assert not holds(certificate)


def test_sizes_that_a_seed_draws_may_be_others(tmp_path: Path) -> None:
    """Of two free dimensions and both at once; the proof that is repeated draws its own."""
    free = text("(float[n,m,8] x) => (float[n,m,4] y) { y = MatMul (x, w) }", w=W)
    onnx.save(free(), tmp_path / "a.onnx")
    onnx.save(lowered(free(), (3, 4, 2), form="batched"), tmp_path / "b.onnx")
    for seed in range(4):
        words = ("verify", tmp_path / "a.onnx", tmp_path / "b.onnx", "--seed", seed)
        assert status(*words, "--certificate", tmp_path / "c.json") == 0
        assert holds(tmp_path / "c.json")


def test_limits_are_those_of_the_products_not_of_what_metadata_says(tmp_path: Path) -> None:
    def lie(model: onnx.ModelProto) -> None:
        for _, node in nodes(model):
            node.metadata_props.add(key="onnxtile.tile", value="m1,k1,n1")

    onnx.save(ORIGINAL(), tmp_path / "a.onnx")
    onnx.save(changed(text("(float[2,8] x) => (float[2,4] y) { t = MatMul (x, w)  y = Identity (t) }", w=W), lie)(),
              tmp_path / "b.onnx")  # fmt: skip
    if status("verify", tmp_path / "a.onnx", tmp_path / "b.onnx", "--certificate", tmp_path / "c.json") == 0:
        limits = json.loads((tmp_path / "c.json").read_text())["limits"]
        assert limits in ({}, {"m": 2, "k": 8, "n": 4})


def test_a_wrong_model_gets_no_certificate(tmp_path: Path) -> None:
    onnx.save(ORIGINAL(), tmp_path / "a.onnx")
    onnx.save(text("(float[2,8] x) => (float[2,4] y) { t = MatMul (x, w)  y = Round (t) }", w=W)(), tmp_path / "b.onnx")
    assert status("verify", tmp_path / "a.onnx", tmp_path / "b.onnx", "--certificate", tmp_path / "c.json") == 1
    assert not (tmp_path / "c.json").exists()


def test_a_broken_file_is_another_exit_status(tmp_path: Path) -> None:
    onnx.save(ORIGINAL(), tmp_path / "a.onnx")
    (tmp_path / "b.onnx").write_bytes(b"\x08\x0a\x12")
    assert status("verify", tmp_path / "a.onnx", tmp_path / "b.onnx") == 2
