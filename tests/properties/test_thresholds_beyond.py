"""Both sides of each size at which verifying, capturing, profiling or reducing does another thing.

`tests/thresholds.py` lists all such sizes, with the tests that stand on both sides of each.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir import bounds
from onnxtile.ir.bounds import allowing
from onnxtile.verification import (
    arguments,
    coverage,
    derivations,
    engines,
    explaining,
    inputs,
    obligation,
    opened,
    proof,
    whole_numbers,
    workers,
)
from onnxtile.verification import certificate as record
from onnxtile.verification import verify as verifier
from tests.places import PLACES, placed
from tests.support import make, matmul, parse, whole

F32 = np.dtype(np.float32)
HEAD = """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>"""
LIMITS = (2, 3, 4)


def product() -> onnx.ModelProto:
    return matmul([3, 4], [4, 5], [3, 5], opset=18)


def broken(model: onnx.ModelProto) -> onnx.ModelProto:
    """One number of a weight is another."""
    changed = copy.deepcopy(model)
    tensor = next(each for each in changed.graph.initializer if each.name.endswith("k1_n0"))
    array = numpy_helper.to_array(tensor).copy()
    array.flat[0] += 1
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return changed


# verify


def test_models_that_go_to_one_engine_first_and_those_that_go_to_the_other() -> None:
    assert engines.preferred(engines.MANY_NODES - 1)[0] == "onnxruntime"
    assert engines.preferred(engines.MANY_NODES)[0] == "onnx.reference"


@pytest.mark.parametrize("constant", ["QUICK_TO_LOAD", "LOADED_AT_ALL"])
@pytest.mark.parametrize("most", [0, 10_000])
@pytest.mark.parametrize("place", PLACES)
def test_regions_that_are_loaded_quickly_and_others(
    place: str, most: int, constant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regions of 300 and 3,000 nodes take seconds: bounds on either side of a small one stand for them."""
    assert (proof.QUICK_TO_LOAD, proof.LOADED_AT_ALL) == (300, 3000)
    monkeypatch.setattr(proof, constant, most)
    model = placed(product(), place)
    lowered = onnxtile.lower(model, LIMITS)
    assert onnxtile.verify(model, lowered).equivalent
    if place == "main graph":
        assert not onnxtile.verify(model, broken(lowered)).equivalent


def test_a_region_of_as_many_nodes_as_onnxruntime_gets_and_one_of_more() -> None:
    pick = proof._engines
    arithmetic = obligation.Arithmetic(ir.DataType.FLOAT, 4)
    plain = obligation.Obligation(b"", b"", (), (), (), (), arithmetic, nodes=0)
    assert pick(dataclasses.replace(plain, nodes=proof.QUICK_TO_LOAD))[0] == ("onnxruntime", "onnxruntime")
    assert pick(dataclasses.replace(plain, nodes=proof.QUICK_TO_LOAD + 1))[0] == ("onnxruntime", "onnx.reference")
    slow = dataclasses.replace(plain, arithmetic=obligation.Arithmetic(ir.DataType.BFLOAT16, 4))
    assert pick(dataclasses.replace(slow, nodes=proof.LOADED_AT_ALL))[0] == ("onnxruntime", "onnxruntime")
    assert pick(dataclasses.replace(slow, nodes=proof.LOADED_AT_ALL + 1))[0] == ("onnxruntime", "onnx.reference")


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_regions_that_are_compared_with_earlier_ones_and_others(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions of 5,000 nodes take seconds: small ones on either side of the bound stand for them."""
    assert workers.MOST_RENAMED == 5000
    monkeypatch.setattr(workers, "MOST_RENAMED", most)
    model = parse(
        f"{HEAD} g (float[3,4] x) => (float[3,4] z) {{ [one] y = MatMul (x, v)  [two] z = MatMul (y, w) }}",
        v=whole([4, 4], F32, 1), w=whole([4, 4], F32, 2),
    )  # fmt: skip
    verdict = onnxtile.verify(model, onnxtile.lower(model, LIMITS))
    assert verdict.equivalent
    assert [region.same_as for region in verdict.regions] == [None, "one" if most else None]


@pytest.mark.parametrize("worth", [0.0, 1e18])
def test_work_that_is_shared_among_processes_and_work_that_is_not(
    worth: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert workers.WORTH_A_PROCESS == 2e9  # two seconds of work
    monkeypatch.setattr(workers, "WORTH_A_PROCESS", worth)
    monkeypatch.setattr(workers.os, "cpu_count", lambda: 2)
    model = parse(
        f"{HEAD} g (float[3,4] x) => (float[3,4] z) {{ [one] y = MatMul (x, v)  [two] z = MatMul (y, w) }}",
        v=whole([4, 5], F32, 1), w=whole([5, 4], F32, 2),
    )  # fmt: skip
    lowered = onnxtile.lower(model, LIMITS)
    assert onnxtile.verify(model, lowered).equivalent


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_weights_that_are_compared_at_once_and_in_chunks(more: int) -> None:
    assert opened.CHUNK == 1 << 24
    for shape in ([opened.CHUNK + more], [4, opened.CHUNK // 4 + more]):
        one, other = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        assert opened.same_bits(one, other)
        other.flat[-1] = 1
        assert not opened.same_bits(one, other)


def test_nodes_that_are_named_where_a_tile_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    model = matmul([2, 8], [8, 8], [2, 8], opset=18)
    lowered = broken(onnxtile.lower(model, (2, 1, 1)))
    every = onnxtile.verify(model, lowered)
    assert not every.equivalent
    monkeypatch.setattr(coverage, "MOST_NAMED", 1)  # 40 of real ones
    few = onnxtile.verify(model, lowered)
    assert not few.equivalent


@pytest.mark.parametrize(("digits", "known"), [(coverage.LONGEST - 3, True), (coverage.LONGEST - 2, False)])
def test_ranges_in_metadata_that_are_read_and_longer_ones(digits: int, known: bool) -> None:
    text = f"k0:{'1' * digits}"
    assert (len(text) <= coverage.LONGEST) is known
    assert (coverage._range(text) is not None) is known


@pytest.mark.parametrize("rank", [derivations.MOST_AXES, derivations.MOST_AXES + 1])
def test_weights_whose_axes_are_tried_in_any_order_and_those_of_more(rank: int) -> None:
    found = list(derivations.orders(rank, any_order=True))
    assert len(found) == (math.factorial(rank) if rank <= derivations.MOST_AXES else 2)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("columns", [explaining.ALTERNATIVES, explaining.ALTERNATIVES + 1])
@pytest.mark.parametrize("few", [1, explaining.FEW, 100])
def test_weights_that_could_come_from_many_places(columns: int, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights of one number everywhere: each tile could be cut from anywhere, by any of many equal weights."""
    monkeypatch.setattr(explaining, "FEW", few)
    text = " ".join(f"y{n} = MatMul (x, w{n})" for n in range(columns))
    outputs = ", ".join(f"float[3,4] y{n}" for n in range(columns))
    equal = {f"w{n}": np.ones([4, 4], np.float32) for n in range(columns)}
    model = parse(f"{HEAD} g (float[3,4] x) => ({outputs}) {{ {text} }}", **equal)
    lowered = onnxtile.lower(model, LIMITS)
    assert onnxtile.verify(model, lowered).equivalent
    assert not onnxtile.verify(model, broken(lowered)).equivalent


@pytest.mark.parametrize(("factor", "fine"), [(1 / obligation.FINEST, True), (1 / obligation.FINEST / 2, False)])
@pytest.mark.parametrize("place", PLACES)
def test_factors_that_cost_no_rounding_and_finer_ones(place: str, factor: float, fine: bool) -> None:
    assert obligation._fine(factor) is fine
    text = f"{HEAD} g (float[3,4] x, float[4,5] w) => (float[3,5] y) {{ y = Gemm <alpha = FACTOR> (x, w) }}"
    model, other = (placed(parse(text.replace("FACTOR", str(each))), place) for each in (factor, 3 * factor))
    assert onnxtile.verify(model, onnxtile.lower(model, LIMITS)).equivalent
    assert not onnxtile.verify(model, onnxtile.lower(other, LIMITS)).equivalent


@pytest.mark.parametrize("height", [verifier.LARGEST_FREE, verifier.LARGEST_FREE + 1])
def test_tiles_that_free_dimensions_are_taken_larger_than_and_larger_tiles(height: int) -> None:
    model = matmul(["n", 4], [4, 5], ["n", 5], opset=18)
    lowered = onnxtile.lower(model, (height, 3, 4), form="batched")
    assert verifier._free_size(lowered) == (height + 1 if height <= verifier.LARGEST_FREE else verifier.FREE)
    assert onnxtile.verify(model, lowered).equivalent


def test_magnitudes_up_to_the_widest() -> None:
    widest = whole_numbers.WIDEST
    for room, most in ((widest**2 - 1, widest - 1), (widest**2, widest), ((widest + 1) ** 2, widest)):
        assert whole_numbers.magnitude(room, 1, 2) == most
    for most in (63, 64, 65, 127, 129):  # up to 64 choices are drawn a byte each
        drawn = whole_numbers.odd_numbers(np.random.default_rng(0), (10_000,), ir.DataType.FLOAT, most)
        assert np.all(drawn % 2 == 1)
        assert np.abs(drawn).max() <= most
        assert drawn.min() < 0 < drawn.max()


def test_numbers_that_are_made_up_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^29 numbers take gigabytes: 12 stand for them."""
    assert inputs.MOST_ELEMENTS == 1 << 29
    model = product()
    lowered = onnxtile.lower(model, LIMITS)
    monkeypatch.setattr(inputs, "MOST_ELEMENTS", 12)
    assert onnxtile.verify(model, lowered, method="bound").equivalent
    monkeypatch.setattr(inputs, "MOST_ELEMENTS", 11)
    with pytest.raises(UnsupportedError, match="at most 11 numbers"):
        onnxtile.verify(model, lowered, method="bound")


@pytest.mark.parametrize("rank", [inputs.MOST_AXES, inputs.MOST_AXES + 1])
def test_inputs_of_as_many_axes_as_are_made_up_and_of_more(rank: int) -> None:
    value = ir.Value(name="x", shape=ir.Shape([1] * rank), type=ir.TensorType(ir.DataType.FLOAT))
    if rank > inputs.MOST_AXES:
        with pytest.raises(UnsupportedError, match=f"on {inputs.MOST_AXES} axes"):
            inputs._feed(value, "whole", np.random.default_rng(0), 100)
    else:
        assert inputs._feed(value, "whole", np.random.default_rng(0), 100).ndim == rank


def test_functions_of_as_many_choices_of_attributes_as_are_copied_and_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 copies would take seconds: 3 stand for them."""
    assert arguments.MOST_COPIES == 10_000
    called = " ".join(f"y{n} = local.f <s = {n}.0> (x, w)" for n in range(1, 4))
    model = parse(
        f"""{HEAD} g (float[3,4] x) => (float[3,5] y1, float[3,5] y2, float[3,5] y3) {{ {called} }}
        <domain: "local", opset_import: ["" : 18]> f <s> (a, b) => (c) {{ c = Gemm <alpha: float = @s> (a, b) }}""",
        w=whole([4, 5], F32, 1),
    )
    lowered = onnxtile.lower(model, LIMITS)
    monkeypatch.setattr(arguments, "MOST_COPIES", 3)
    assert onnxtile.verify(model, lowered).equivalent
    monkeypatch.setattr(arguments, "MOST_COPIES", 2)
    with pytest.raises(UnsupportedError, match="more than 2 choices of attributes"):
        onnxtile.verify(model, lowered)


@pytest.mark.parametrize("cases", [record.MOST_CASES, record.MOST_CASES + 1])
def test_certificates_of_as_many_cases_as_are_repeated_and_of_more(cases: int, tmp_path: Path) -> None:
    model = parse(f"{HEAD} g (float[3,4] x) => (float[3,4] y) {{ y = Neg (x) }}")
    for name in ("a", "b"):
        onnx.save(model, tmp_path / f"{name}.onnx")
    verdict = onnxtile.verify(tmp_path / "a.onnx", tmp_path / "b.onnx")
    record.write_certificate(tmp_path / "c.json", verdict, tmp_path / "a.onnx", tmp_path / "b.onnx", {})
    document = json.loads((tmp_path / "c.json").read_text())
    (tmp_path / "c.json").write_text(json.dumps(document | {"cases": cases}))
    if cases > record.MOST_CASES:
        with pytest.raises(ModelError, match=f"cases is {cases}, not 0 to {record.MOST_CASES}"):
            record.recheck(tmp_path / "c.json")
    else:
        assert record.recheck(tmp_path / "c.json").verdict is not None


def test_sums_that_are_proven_in_as_many_parts_as_are_tried_and_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums of 4,096 parts of a narrow type have millions of terms: 8 parts stand for them."""
    assert proof.MOST_PARTS == 4096
    k, half = 4 * whole_numbers.capacity(ir.DataType.FLOAT16) - 1, onnx.TensorProto.FLOAT16
    info = onnx.helper.make_tensor_value_info
    shapes = (("x", [1, k]), ("w", [k, 1]))
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"], "p")
    graph = onnx.helper.make_graph(
        [node], "g", [info(*each[:1], half, each[1]) for each in shapes], [info("y", half, [1, 1])]
    )
    model = make(graph)
    lowered = onnxtile.lower(model, (None, k // 2, None))
    for most, method in ((8, "exact"), (7, "whole")):
        monkeypatch.setattr(proof, "MOST_PARTS", most)
        verdict = onnxtile.verify(model, lowered)
        assert verdict.equivalent
        (region,) = verdict.regions
        assert region.method == method, region


def test_sparse_weights_as_large_as_are_written_out_and_larger() -> None:
    """2 GB of sparse-bytes take long: those of a small weight stand for them."""
    assert bounds.most("sparse-bytes") == 2 << 30
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [2.0])
    sparse = onnx.helper.make_sparse_tensor(values, onnx.helper.make_tensor("i", onnx.TensorProto.INT64, [1], [3]), [8])
    info = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [8]) for name in "xy"]
    node = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    model = make(onnx.helper.make_graph([node], "g", info[:1], info[1:], sparse_initializer=[sparse]))
    with allowing({"sparse-bytes": 32}):
        assert onnxtile.capture(model, name="*", inputs={"x": np.ones(8, np.float32)})["y"][3] == 3
    with allowing({"sparse-bytes": 31}), pytest.raises(UnsupportedError, match="come to 32 bytes, more than 31"):
        onnxtile.capture(model, name="*", inputs={"x": np.ones(8, np.float32)})


# capture


# profile


# others
