"""annotate: costs in the nodes' metadata, which change nothing else and can be taken out again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

import onnxtile
from onnxtile.errors import UsageError
from onnxtile.ir.io.load import from_proto, load
from onnxtile.profiling.annotate import KEYS, annotate
from tests.profiling.test_engine_profile import SMALL, network, profiled
from tests.support import FLOAT, matmul, parse, run_onnxruntime, whole
from tests.tiling.forms.test_golden import compare

CHAIN = """<ir_version: 8, opset_import: ["" : 17]>
    chain (float[batch,8] x) => (float[batch,2] y) { [fc1] h = MatMul (x, w)  [fc2] y = MatMul (h, v) }"""
CALLS = """<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
    calls (float[2,4] x, float[3,4] z, bool c) => (float[2,4] y, float[3,4] u, float[2,4] t) {
        [one] y = local.layer (x, w)
        [two] u = local.layer (z, w)
        [if] t = If (c) <
            then_branch = a () => (float[2,4] p) { [then] p = local.layer (x, w) },
            else_branch = b () => (float[2,4] q) { [else] q = MatMul (x, w) }
        >
    }
    <domain: "local", opset_import: ["" : %d, "local" : 1]>
    layer (a, b) => (r) { [first] s = MatMul (a, b)  [inside] r = local.square (s, b) }
    <domain: "local", opset_import: ["" : %d]>
    square (a, b) => (r) { [second] r = MatMul (a, b) }"""


def chain() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    return parse(CHAIN, w=rng.random([8, 4], np.float32), v=rng.random([4, 2], np.float32))


def calls(opset: int = 20) -> onnx.ModelProto:
    return parse(CALLS % (opset, opset), w=whole([4, 4], np.dtype(np.float32), 0))


def held(node: ir.Node | onnx.NodeProto) -> dict[str, str]:
    """Return what is written in a node, without the prefix."""
    props = node.metadata_props
    pairs = props.items() if isinstance(props, dict) else ((pair.key, pair.value) for pair in props)
    return {key.removeprefix("onnxtile."): value for key, value in pairs if key in KEYS}


def named(model: ir.Model) -> dict[str, dict[str, str]]:
    return {str(node.name): held(node) for node in model.graph.all_nodes()}


def data(model: ir.Model) -> bytes:
    found: bytes = ir.to_proto(model).SerializeToString(deterministic=True)
    return found


@st.composite
def networks(draw: st.DrawFn) -> onnx.ModelProto:
    """A chain of square products and other operators, some in an If, some in a local function, some free in size."""
    size, free = draw(st.integers(1, 4)), draw(st.booleans())
    shape = ["n" if free else size, size]
    nodes, last = [], "x"
    for index, (op, place) in enumerate(
        draw(
            st.lists(
                st.tuples(
                    st.sampled_from(["MatMul", "Gemm", "Add", "Relu", "Identity", "Softmax"]),
                    st.sampled_from(["", "", "if", "function"]),
                ),
                min_size=1,
                max_size=5,
            )
        )
    ):
        inputs = [last, "w"] if op in ("MatMul", "Gemm") else [last, last] if op == "Add" else [last]
        output = f"v{index}"
        node = helper.make_node(op, inputs, [output], f"node{index}")
        if place == "if":
            node.output[0] = f"inner{index}"
            info = helper.make_tensor_value_info(node.output[0], FLOAT, shape)
            body = helper.make_graph([node], f"body{index}", [], [info])
            other = onnx.GraphProto.FromString(body.SerializeToString().replace(b"inner", b"other"))
            node = helper.make_node("If", ["c"], [output], f"if{index}", then_branch=body, else_branch=other)
        elif place == "function":
            node = helper.make_node("layer", [last, "w"], [output], f"call{index}", domain="local")
        nodes.append(node)
        last = output
    function = helper.make_function(
        "local", "layer", ["a", "b"], ["r"],
        [helper.make_node("MatMul", ["a", "b"], ["p"], "m"), helper.make_node("Relu", ["p"], ["r"], "r")],
        [helper.make_opsetid("", 20)],
    )  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", FLOAT, shape), helper.make_tensor_value_info("c", 9, [])],
        [helper.make_tensor_value_info(last, FLOAT, shape)],
        [onnx.numpy_helper.from_array(whole([size, size], np.dtype(np.float32), 1), "w")],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=[function])
    onnx.checker.check_model(model)
    return model


@given(networks(), st.booleans())
def test_it_changes_no_output_and_leaves_no_trace(proto: onnx.ModelProto, bound: bool) -> None:
    model = from_proto(proto)
    before = data(model)
    free = proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"
    assert annotate(model, {"n": 3} if free and bound else None)
    annotated = ir.to_proto(model)
    assert not annotate(model, {"n": 3} if free and bound else None)
    assert all({"macs", "live_bytes"} <= held(node).keys() for node in model.graph.all_nodes())

    onnx.checker.check_model(annotated)
    width = proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    rows = 3 if free else width
    feeds = {"x": np.random.default_rng(0).random([rows, width], np.float32), "c": np.array(True)}
    for ours, theirs in zip(run_onnxruntime(annotated, feeds), run_onnxruntime(proto, feeds), strict=True):
        assert ours.tobytes() == theirs.tobytes()

    assert annotate(model, clear=True)
    assert data(model) == before
    assert not annotate(model, clear=True)


def test_what_is_written() -> None:
    model = from_proto(chain())
    assert annotate(model)
    notes = named(model)
    assert notes["fc1"] == {
        "macs": "32*batch", "flops": "64*batch", "params": "32", "weight_bytes": "128", "input_bytes": "32*batch + 128",
        "output_bytes": "16*batch", "bandwidth": "48*batch + 128", "live_bytes": "48*batch",
    }  # fmt: skip
    assert notes["fc2"]["macs"] == "8*batch"
    assert "onnxtile.sizes" not in model.metadata_props
    assert annotate(model, {"batch": 5})
    assert named(model)["fc1"]["macs"] == "160"
    assert model.metadata_props == {"onnxtile.sizes": "batch=5"}
    assert str(model.graph.inputs[0].shape) == "[batch,8]"  # the model's own sizes stay
    assert not annotate(model, {"batch": 5})


def test_it_says_what_profile_says() -> None:
    model = from_proto(chain())
    annotate(model)
    rows = {row.name: row for row in onnxtile.profile(chain()).nodes}
    for name, notes in named(model).items():
        amounts = {key: str(getattr(rows[name], key)) for key in notes}
        assert amounts == notes


@pytest.mark.parametrize("opset", [20, 18])
def test_a_call_is_told_the_sum_of_its_body(opset: int) -> None:
    """With another opset than the model's, a function can't be put in the place of its calls."""
    model = from_proto(calls(opset))
    assert annotate(model)
    notes = named(model)
    assert [notes[name]["macs"] for name in ("one", "two", "else", "if")] == ["64", "96", "0..32", "0"]
    assert notes["then"]["macs"] == "0..64"
    assert notes["then"]["times"] == "0..1"
    assert [notes[name]["params"] for name in ("one", "two")] == ["16", "16"]  # both products share the weight
    assert notes["one"]["input_bytes"] == str(2 * (2 * 4 + 4 * 4) * 4)
    assert notes["one"]["output_bytes"] == str(2 * 2 * 4 * 4)
    assert not any(held(node) for function in model.functions.values() for node in function.all_nodes())


def test_a_body_that_runs_several_times() -> None:
    model = from_proto(
        parse(
            """<ir_version: 8, opset_import: ["" : 17]>
            loop (float[2,4] x) => (float[2,4] y) <int64 n = {5}> {
                [loop] y = Loop (n, "", x) <body = b (int64 i, bool more, float[2,4] h) => (bool go, float[2,4] g) {
                    [id] go = Identity (more)
                    [step] g = MatMul (h, w)
                }>
            }""",
            w=whole([4, 4], np.dtype(np.float32), 0),
        )
    )
    annotate(model)
    assert named(model)["step"]["macs"] == str(5 * 2 * 4 * 4)
    assert named(model)["step"]["times"] == "5"


def test_what_is_unknown_says_why() -> None:
    model = from_proto(
        parse("""<ir_version: 8, opset_import: ["" : 17, "other" : 1]>
            strange (float[2,4] x) => (float[2,4] y) { [what] h = other.What (x)  [then] y = Relu (h) }""")
    )
    annotate(model)
    assert named(model)["what"]["macs"].startswith("unknown: ")
    assert named(model)["then"]["input_bytes"] == "unknown: the shape of 'h' isn't known"


def test_a_size_beyond_all_memory_is_unknown() -> None:
    shape = [2**62] * 300
    info = [helper.make_tensor_value_info(name, FLOAT, shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"], "node")], "graph", info[:1], info[1:])
    model = from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))
    annotate(model)
    assert named(model)["node"]["input_bytes"] == "unknown: 'x' has more elements than any memory holds"


def test_names_of_a_megabyte_are_shortened() -> None:
    proto = matmul([2, 4], [4, 4], [2, 4])
    long = "x\x1b[2J" + "y" * 1_000_000
    proto.graph.node.add(op_type="What", domain="other", name="what", input=["Y"], output=[long])
    proto.graph.node.add(op_type="Relu", name="relu", input=[long], output=["Z"])
    proto.graph.output[0].name = "Z"
    proto.opset_import.add(domain="other", version=1)
    model = from_proto(proto)
    annotate(model)
    text = named(model)["relu"]["input_bytes"]
    assert len(text) < 600
    assert "\x1b" not in text
    assert "(1,000,0" in text


@pytest.mark.parametrize("form", ["unrolled", "batched", "loop", "function"])
def test_a_lowered_model(form: str, tmp_path: Path) -> None:
    path = tmp_path / "lowered.onnx"
    onnxtile.lower(chain(), "*,4,2", form=form, bind={"batch": 3}, output=path)
    model = load(path)
    before = data(model)
    origins = [dict(node.metadata_props) for node in model.graph.all_nodes()]
    assert any("onnxtile.origin" in props for props in origins)
    annotate(model)
    assert onnxtile.verify(chain(), ir.to_proto(model), bind={"batch": 3}).equivalent
    for node, props in zip(model.graph.all_nodes(), origins, strict=True):
        assert props.items() <= dict(node.metadata_props).items()
    profiled = sum(row.macs for row in onnxtile.profile(path).nodes if isinstance(row.macs, int))
    assert sum(int(held(node)["macs"]) for node in model.graph.all_nodes()) == profiled == 3 * (8 * 4 + 4 * 2)
    annotate(model, clear=True)
    assert data(model) == before


def test_foreign_metadata_stays() -> None:
    proto = chain()
    theirs = {"namespace": "layer", "onnxtile.origin": "old", "onnxtile.tile": "m0:,k0:4,n0:4", "onnxtile.other": "1"}
    for key, value in theirs.items():
        proto.graph.node[0].metadata_props.add(key=key, value=value)
    proto.graph.node[0].metadata_props.add(key="onnxtile.macs", value="a lie")
    proto.metadata_props.add(key="author", value="them")
    model = from_proto(proto)
    assert annotate(model, {"batch": 1})
    assert named(model)["fc1"]["macs"] == "32"
    assert annotate(model, clear=True)
    assert dict(model.graph[0].metadata_props) == theirs
    assert model.metadata_props == {"author": "them"}


def test_notes_of_a_function_s_body_are_taken_out() -> None:
    """They come from a tool that made a function of annotated nodes, and would be wrong for any call."""
    proto = calls()
    proto.functions[0].node[0].metadata_props.add(key="onnxtile.macs", value="7")
    model = from_proto(proto)
    assert annotate(model)
    assert not any(held(node) for function in model.functions.values() for node in function.all_nodes())


def test_a_golden_model() -> None:
    lines = []
    model = from_proto(calls())
    annotate(model)
    for node in model.graph.all_nodes():
        notes = ", ".join(f"{key} {value}" for key, value in sorted(held(node).items()))
        lines.append(f"{node.name} {node.op_type}: {notes}\n")
    lines.append(onnx.printer.to_text(ir.to_proto(model)) + "\n")
    compare("annotated", "".join(lines))


def test_what_nodes_take_on_an_engine() -> None:
    model = network()
    noted = onnxtile.annotate(model, engine=SMALL)
    by_name = {node.name: {entry.key: entry.value for entry in node.metadata_props} for node in noted.graph.node}
    layers = {layer.name: layer for layer in profiled(model).layers}
    for name in ("conv", "fc", "batch"):
        notes, layer = by_name[name], layers[name]
        assert notes["onnxtile.engine"] == "engine"
        assert notes["onnxtile.engine_cycles"] == str(layer.cycles)
        assert notes["onnxtile.engine_bytes"] == str(layer.bytes)
        assert notes["onnxtile.engine_bound"] == layer.bound
        assert notes["onnxtile.engine_utilization"] == f"{layer.utilization:.4f}"
        assert notes["onnxtile.engine_schedule"] == layer.schedule
    assert by_name["relu"]["onnxtile.engine_other_bytes"] == str(layers["relu"].other_bytes)
    assert by_name["relu"]["onnxtile.engine_other_cycles"].startswith("unknown: no rate is given")
    assert onnxtile.annotate(noted, clear=True) == model
    assert not any("engine" in key for notes in _notes(onnxtile.annotate(model)) for key in notes)
    with pytest.raises(UsageError, match="an engine says what to write, and clear takes it out"):
        onnxtile.annotate(model, engine=SMALL, clear=True)


def test_of_the_tiles_of_a_product_the_first_says_it_for_all() -> None:
    lowered = onnxtile.lower(network(), engine=SMALL)
    noted = _notes(onnxtile.annotate(lowered, engine=SMALL))
    told = [notes for notes in noted if "onnxtile.engine_calls" in notes]
    assert [notes["onnxtile.origin"] for notes in told] == ["conv", "fc", "batch"]
    assert sum(int(notes["onnxtile.engine_bytes"]) for notes in told) == profiled(lowered).totals.bytes


def _notes(model: onnx.ModelProto) -> list[dict[str, str]]:
    return [{entry.key: entry.value for entry in node.metadata_props} for node in model.graph.node]
