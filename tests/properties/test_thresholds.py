"""Models on both sides of each size at which lowering does another thing: in the main graph, bodies and functions.

`tests/thresholds.py` lists all such sizes, with the tests that stand on both sides of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.errors import UnsupportedError, UsageError
from onnxtile.ir import constant_folding as folding
from onnxtile.ir.bounds import allowing, most
from onnxtile.ir.constants import constant_tensor
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.io import checker as structure
from onnxtile.ir.io import lazy as skimming
from onnxtile.lowering import postcondition
from onnxtile.lowering import weight_stream as streaming
from onnxtile.passes import decompose_blockwise, specialize_functions
from onnxtile.passes.infer_shapes import InferShapes
from onnxtile.passes.rewrites import qdq
from onnxtile.passes.shape_inference import bounded
from onnxtile.passes.shape_inference.sizes import FAR
from onnxtile.passes.specialize_functions import SpecializeFunctions
from onnxtile.passes.tile_matmul import TileMatMul
from onnxtile.tiling import legality
from onnxtile.tiling.forms.unrolled import Unrolled
from onnxtile.tiling.limits import Limits
from onnxtile.tiling.plan import TilePlan
from tests.passes.test_decompose_blockwise import n_bits
from tests.places import PLACES, fed, placed
from tests.support import matmul, parse, run_onnxruntime, whole

F32 = np.dtype(np.float32)
FORMS = ("unrolled", "batched", "loop", "function")
HEAD = """<ir_version: 10, opset_import: ["" : 18, "com.microsoft" : 1]>"""


def weighted(columns: int, place: str) -> onnx.ModelProto:
    """X[3,4] by a weight of 4 rows and so many columns, in a place."""
    return placed(matmul([3, 4], [4, columns], [3, columns], opset=18), place)


X = {"X": whole([3, 4], F32, 9)}


def same(lowered: Any, model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> None:
    """Both give the same bits in onnxruntime."""
    for one, other in zip(run_onnxruntime(lowered, feeds), run_onnxruntime(model, feeds), strict=True):
        np.testing.assert_array_equal(one, other)


def operators_everywhere(model: onnx.ModelProto) -> list[str]:
    """Operators of all graphs and functions."""
    waiting, found = [*model.graph.node, *(node for function in model.functions for node in function.node)], []
    for node in waiting:
        found.append(node.op_type)
        waiting += [inner for attribute in node.attribute for inner in attribute.g.node]
    return found


@pytest.mark.parametrize("columns", [structure.KEPT_ELEMENTS // 4, structure.KEPT_ELEMENTS // 4 + 1])
@pytest.mark.parametrize("place", PLACES)
def test_weights_that_a_skeleton_keeps_and_weights_that_it_leaves_out(place: str, columns: int) -> None:
    model = weighted(columns, place)
    report = onnxtile.check(model, (16, 16, 16))
    assert not report.ok
    assert {(found.k, found.n) for found in report.contractions} == {(4, columns)}
    for form in FORMS:
        lowered = onnxtile.lower(model, (16, 16, 16), form=form)
        same(lowered, model, fed(X, place))
        assert onnxtile.check(lowered, (16, 16, 16)).ok
        assert onnxtile.verify(model, lowered).equivalent


@pytest.mark.parametrize("columns", [skimming.LARGE // 16 - 2, skimming.LARGE // 16, skimming.LARGE // 16 + 1])
@pytest.mark.parametrize("place", PLACES)
def test_weights_that_stay_in_the_file_and_weights_that_are_read(place: str, columns: int, tmp_path: Path) -> None:
    model = weighted(columns, place)
    onnx.save(model, tmp_path / "m.onnx")
    told, wanted = (onnxtile.profile(each).to_json() for each in (tmp_path / "m.onnx", model))
    assert told["nodes"] == wanted["nodes"]
    assert told["totals"] == wanted["totals"]


def test_fields_at_the_edge_of_a_window(tmp_path: Path) -> None:
    """Names push a field's beginning over the edge of what is read at once, byte by byte."""
    for length in range(skimming.WINDOW - 60, skimming.WINDOW + 20):
        model = matmul([3, 4], [4, 80], [3, 80])
        model.graph.node[0].doc_string = "d" * length
        onnx.save(model, tmp_path / "m.onnx")
        skimmed = skimming.skim(tmp_path / "m.onnx")
        weight = skimmed.graph.initializers["W"].const_value
        assert isinstance(weight, ir.ExternalTensor)
        np.testing.assert_array_equal(weight.numpy(), whole([4, 80], F32, 1))
        assert skimmed.graph[0].doc_string == "d" * length


@pytest.mark.parametrize("columns", [streaming.INLINE_BYTES // 16, streaming.INLINE_BYTES // 16 + 1])
@pytest.mark.parametrize("place", PLACES)
def test_weights_that_stay_in_the_model_and_weights_of_a_data_file(place: str, columns: int, tmp_path: Path) -> None:
    model = weighted(columns, place)
    path = tmp_path / "o.onnx"
    onnxtile.lower(model, (2, 4, 16), weights="split", output=path, external_data=True)
    written = onnx.load(path, load_external_data=False)
    outside = [tensor.name for tensor in written.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    assert outside == (["W"] if place == "main graph" and 16 * columns > streaming.INLINE_BYTES else [])
    same(onnx.load(path), model, fed(X, place))
    assert onnxtile.verify(model, path).equivalent


@pytest.mark.parametrize("n", [128, 129])
@pytest.mark.parametrize("external", [False, True])
def test_tiles_that_are_copied_and_tiles_that_are_not(n: int, external: bool, tmp_path: Path) -> None:
    assert streaming._COPIED_BYTES == 128 * 128 * 4
    model = matmul([2, 256], [256, n], [2, n])
    onnxtile.lower(model, (2, 128, n), output=tmp_path / "o.onnx", external_data=external)
    same(onnx.load(tmp_path / "o.onnx"), model, {"X": whole([2, 256], F32, 9)})


def too_large(self: Unrolled, sink: object, product: object, *rest: object) -> None:
    """Leave a product whole, under its own name."""
    sink.node("MatMul", [rest[0].name, rest[1].name], [rest[2]])  # type: ignore[attr-defined]


@pytest.mark.parametrize("nodes", [postcondition.MOST_CHECKED, postcondition.MOST_CHECKED + 1])
def test_models_that_are_judged_by_inference_or_by_what_is_in_the_file(
    nodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = matmul([3, 4], [4, 5], [3, 5], opset=18), tmp_path / "o.onnx"
    for wrong in (False, True):
        if wrong:
            monkeypatch.setattr(Unrolled, "write", too_large)
        report = onnxtile.lower(model, (2, 3, 4), weights="split", output=path)
        more = range(nodes - report.nodes_after)
        larger = onnx.ModelProto.FromString(model.SerializeToString())
        larger.graph.node.extend(onnx.helper.make_node("Relu", ["X"], [f"relu{number}"]) for number in more)
        report = onnxtile.lower(larger, (2, 3, 4), weights="split", output=path)
        assert report.nodes_after == nodes
        assert report.ok is not wrong


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("wrong", [False, True])
def test_models_that_are_judged_by_inference_or_by_what_is_in_the_file_elsewhere(
    place: str, wrong: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models as small as others here stand for those of 2,000 nodes."""
    if wrong:
        monkeypatch.setattr(Unrolled, "write", too_large)
    model, path = placed(matmul([3, 4], [4, 5], [3, 5], opset=18), place), tmp_path / "o.onnx"
    nodes = onnxtile.lower(model, (2, 3, 4), weights="split", output=path).nodes_after
    for checked in (nodes, nodes - 1):
        monkeypatch.setattr(postcondition, "MOST_CHECKED", checked)
        assert onnxtile.lower(model, (2, 3, 4), weights="split", output=path).ok is not wrong


@pytest.mark.parametrize("place", PLACES)
def test_products_of_as_many_tiles_as_are_made_and_of_more(place: str) -> None:
    tiles = legality.MOST_TILES
    for m, refused in ((tiles // 4000, False), (tiles // 4000 + 1, True)):
        text = f"{HEAD} g (float[{m},4000] x, float[4000,1] w) => (float[{m},1] y) {{ y = MatMul (x, w) }}"
        model = ir.from_proto(placed(parse(text), place))
        for each in (InferShapes(), SpecializeFunctions()):
            each(model)
        decisions = [decision for _, decision in TileMatMul(Limits(1, 1, 1)).decide(model)]
        assert len(decisions) == (2 if "branch" in place else 1)
        for decision in decisions:
            assert isinstance(decision, TilePlan) is not refused
            if refused:
                assert str(decision).startswith(f"too-many-tiles: it makes {m * 4000:,} tiles, more than {tiles:,}")


@pytest.mark.parametrize("place", ["main graph", "branch"])
def test_packed_weights_of_as_many_tiles_as_are_made_and_of_more(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 tiles would take minutes: 4 stand for them."""
    assert decompose_blockwise.MOST_PACKED_TILES == 100_000
    model = placed(n_bits([4, 32], 32, 8), place)
    for tiles, status in ((4, "tiled"), (3, "refused")):
        monkeypatch.setattr(decompose_blockwise, "MOST_PACKED_TILES", tiles)
        rows = onnxtile.estimate(model, (4, 16, 4))[0].contractions
        assert {row.status for row in rows} == {status}


@pytest.mark.parametrize("place", PLACES)
def test_weights_behind_as_many_operators_as_are_seen_through_and_behind_more(place: str) -> None:
    seen = folding.MOST_LINKS - (place == "function")  # a Constant node is one of them
    for links, cut in ((seen, True), (seen + 1, False)):
        chain = " ".join(f"v{i + 1} = Identity (v{i})" for i in range(links))
        text = f"{HEAD} g (float[3,4] X) => (float[3,5] y) {{ {chain} y = MatMul (X, v{links}) }}"
        model = placed(parse(text, v0=whole([4, 5], F32, 1)), place)
        lowered = onnxtile.lower(model, (3, 4, 3))
        same(lowered, model, fed(X, place))
        assert (operators_everywhere(lowered).count("Identity") == (place == "loop")) is cut  # a loop's own


@pytest.mark.parametrize(("axes", "known"), [(folding._MOST_AXES, True), (folding._MOST_AXES + 1, False)])
def test_constants_of_as_many_axes_as_are_made_and_of_more(axes: int, known: bool) -> None:
    shape = numpy_helper.from_array(np.ones(axes, np.int64), "s")
    node = onnx.helper.make_node("ConstantOfShape", ["s"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [], [onnx.helper.make_tensor_value_info("y", 1, None)], [shape])
    value = ir.from_proto(onnx.helper.make_model(graph)).graph.outputs[0]
    assert (constant_tensor(value, 10) is not None) is known


@pytest.mark.parametrize(("size", "known"), [(1 << 29, True), ((1 << 29) + 1, False)])
def test_constants_as_large_as_are_made_and_larger(size: int, known: bool) -> None:
    assert most("generated-bytes") == 4 << 29
    shape = numpy_helper.from_array(np.array([size]), "s")
    node = onnx.helper.make_node("ConstantOfShape", ["s"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [], [onnx.helper.make_tensor_value_info("y", 1, None)], [shape])
    value = ir.from_proto(onnx.helper.make_model(graph)).graph.outputs[0]
    assert (constant_tensor(value, 10) is not None) is known  # it takes no memory


def test_functions_called_in_as_many_ways_as_are_copied_and_in_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 copies would take half a minute: 3 stand for them."""
    assert specialize_functions.MOST_COPIES == 1000
    monkeypatch.setattr(specialize_functions, "MOST_COPIES", 3)
    for ways in (3, 4):
        calls = " ".join(f"y{n} = local.f (x{n}, w)" for n in range(ways))
        inputs, outputs = (
            ", ".join(f"float[{n + 3},{k}] {v}{n}" for n in range(ways)) for v, k in (("x", 7), ("y", 5))
        )
        model = parse(
            f"""<ir_version: 10, opset_import: ["" : 18, "local" : 1]> g ({inputs}) => ({outputs}) {{ {calls} }}
            <domain: "local", opset_import: ["" : 18]> f (a, b) => (c) {{ c = MatMul (a, b) }}""",
            w=whole([7, 5], F32, 1),
        )
        feeds = {f"x{n}": whole([n + 3, 7], F32, n) for n in range(ways)}
        if ways == 3:
            same(onnxtile.lower(model, (2, 3, 4)), model, feeds)
        else:
            with pytest.raises(UnsupportedError, match="called in more than 3 ways"):
                onnxtile.lower(model, (2, 3, 4))


def calling(depth: int, inside: str = "b = Neg (a)") -> onnx.ModelProto:
    """A function that calls a function that calls ..., so deep."""
    last = f'<domain: "local", opset_import: ["" : 18, "local" : 1]> f1 (a) => (b) {{ {inside} }}'
    others = [
        f'<domain: "local", opset_import: ["" : 18, "local" : 1]> f{n} (a) => (b) {{ b = local.f{n - 1} (a) }}'
        for n in range(2, depth + 1)
    ]
    head = '<ir_version: 10, opset_import: ["" : 18, "local" : 1]> g (float[2] x) => (float[2] y)'
    return parse(f"{head} {{ y = local.f{depth} (x) }} {' '.join([last, *others])}")


def test_calls_as_deep_as_are_followed_and_deeper() -> None:
    deepest = most("call-depth")
    assert onnxtile.check(calling(deepest), (2, 2, 2)).ok
    with pytest.raises(UnsupportedError, match=f"{deepest + 1} deep, more than {deepest}"):
        onnxtile.check(calling(deepest + 1), (2, 2, 2))


@pytest.mark.parametrize("place", PLACES)
def test_calls_of_as_many_nodes_as_are_put_in_place_and_of_more(place: str) -> None:
    """50,000 inlined-nodes would take long: as few as there are stand for them."""
    assert most("inlined-nodes") == 50_000
    model = calling(4, "t = Neg (a) u = Abs (t) b = Exp (u)")
    functions = list(model.functions)
    model.ClearField("functions")
    model = placed(model, place)
    model.functions.extend(functions)
    nodes = {"main graph": 3, "branch": 7, "loop": 3 + 5, "function": 3, "branch of a function": 7}[place]
    with allowing({"inlined-nodes": nodes}):
        assert onnxtile.check(model, (2, 2, 2)).ok
    with allowing({"inlined-nodes": nodes - 1}), pytest.raises(UnsupportedError, match=f"come to {nodes} nodes, more"):
        onnxtile.check(model, (2, 2, 2))


@pytest.mark.parametrize("axes", [most("axes"), most("axes") + 1])
def test_shapes_of_as_many_axes_as_are_followed_and_of_more(axes: int) -> None:
    text = f"{HEAD} g (float[n] x) => (float[m] y) {{ z = Mul (x, w)  r = Reshape (z, s)  y = Reshape (r, t) }}"
    model = ir.from_proto(
        parse(text, s=np.array([-1] + [1] * (axes - 1)), t=np.array([-1]), w=np.array([2], np.float32))
    )
    InferShapes()(model)
    shape = model.graph[1].outputs[0].shape
    assert (shape is not None and str(shape[0]) == "n") is (axes <= most("axes"))


@pytest.mark.parametrize("end", [FAR - 1, FAR])
def test_slices_that_end_somewhere_and_those_that_take_all(end: int) -> None:
    text = f"{HEAD} g (float[n] x) => (float[m] y) {{ y = Slice (x, zero, end) }}"
    model = ir.from_proto(parse(text, zero=np.array([0]), end=np.array([end])))
    InferShapes()(model)
    shape = model.graph[0].outputs[0].shape
    assert shape is not None
    assert (str(shape[0]) == "n") is (end >= FAR)


def test_vectors_as_long_as_onnx_may_follow_them_and_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million numbers take seconds: as few as there are stand for them."""
    assert bounded.MOST_JOINED == 1 << 20
    text = f"{HEAD} g (float[4,2] x) => (float[2,4] y) {{ s = Concat <axis = 0> (a, b)  y = Reshape (x, s) }}"
    model = parse(text, a=np.array([2]), b=np.array([4]))
    for longest in (3, 2):
        monkeypatch.setattr(bounded, "MOST_JOINED", longest)
        assert bounded.may_be_followed(model) is (longest == 3)
        assert onnxtile.check(model, (2, 2, 2)).ok


@pytest.mark.parametrize("place", ["main graph", "branch"])
def test_vectors_that_onnx_may_make_a_dimension_of_each_element_of_and_longer(place: str) -> None:
    """Its data propagation doesn't ask for the type: 70 bytes an element, node by node."""
    for length, short in ((bounded.MOST_JOINED // 4, True), (bounded.MOST_JOINED, False)):
        model = placed(parse(f"{HEAD} g (float[{length}] x) => (float[{length}] y) {{ y = Add (x, x) }}"), place)
        inferred = onnx.shape_inference.infer_shapes(model)
        assert bounded.vectors_are_short(inferred) is short


def test_a_shape_that_is_not_known_may_be_a_vector_of_the_largest_tensor() -> None:
    for rows, short in ((bounded.MOST_MADE // 1024, True), (bounded.MOST_MADE // 1024 + 1, False)):
        text = f"{HEAD} g (float[{rows},1024] x, int64[1] s) => (float[m] y) {{ r = Reshape (x, s)  y = Add (r, r) }}"
        inferred = onnx.shape_inference.infer_shapes(parse(text))
        assert bounded.vectors_are_short(inferred) is short


@pytest.mark.parametrize("place", ["main graph", "branch"])
def test_quantized_products_as_long_as_int32_holds_and_longer(place: str) -> None:
    for k, cut in ((qdq.LONGEST, True), (qdq.LONGEST + 1, False)):
        text = f"""<ir_version: 10, opset_import: ["" : 18]> g (uint8[1,{k}] x) => (uint8[1,1] y) {{
            a = DequantizeLinear (x, s, z)  b = DequantizeLinear (w, s, z)  p = MatMul (a, b)
            y = QuantizeLinear (p, t, z)
        }}"""
        numbers = {"s": np.float32(0.5), "t": np.float32(2.0**25), "z": np.uint8(0)}
        model = placed(
            parse(text, w=np.full([k, 1], 255, np.uint8), **{name: np.array(each) for name, each in numbers.items()}),
            place,
        )
        report, _ = onnxtile.estimate(model, (1, 9000, 1))
        assert {row.status for row in report.contractions} == {"tiled"}
        lowered = onnxtile.lower(model, (1, 9000, 1))
        assert ("MatMulInteger" in operators_everywhere(lowered)) is cut
        x = whole([1, k], np.dtype(np.uint8), 3)
        same(lowered, model, fed({"x": x}, place))


@pytest.mark.parametrize("limit", [LARGEST, LARGEST + 1])
def test_limits_as_large_as_a_size_may_be_and_larger(limit: int) -> None:
    model = matmul([3, 4], [4, 5], [3, 5])
    for limits in ((limit, None, None), f"{limit},4,5"):
        if limit == LARGEST:
            assert onnxtile.check(model, limits).ok
        else:
            with pytest.raises(UsageError, match="limit"):
                onnxtile.check(model, limits)
