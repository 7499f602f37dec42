"""Right lowerings raise no alarm, wherever their products are and whatever holds their weights and factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxtile
from tests.support import FORMS, assert_verified, parse, rightly_lowered, run_onnxruntime, whole

F32 = np.dtype(np.float32)
LIMITS = (4, 3, 4)
HEAD = '<ir_version: 10, opset_import: ["" : 20, "local" : 1]> g'
A, B, C = whole([6, 9], F32, 1), whole([9, 10], F32, 2), whole([10], F32, 3)


def in_all_forms(model: onnx.ModelProto, **feeds: np.ndarray) -> None:
    for form in FORMS:
        rightly_lowered(model, LIMITS, feeds, form=form)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk,kl->il", [[8, 7], [7, 8], [8, 5]]),
        ("bij,bjk,bkl->bil", [[2, 5, 6], [2, 6, 7], [2, 7, 5]]),
        ("ij,kj,kl,lm->mi", [[5, 6], [7, 6], [7, 5], [5, 8]]),
        ("bsd,dnh,nhe->bse", [[2, 5, 6], [6, 2, 4], [2, 4, 5]]),
        ("...ij,jk,...kl->...li", [[2, 5, 6], [6, 7], [1, 7, 5]]),
    ],
)
@pytest.mark.parametrize("constants", [(), (1,), (0, 2)], ids=str)
def test_einsum_of_three_operands_or_more(equation: str, shapes: list[list[int]], constants: tuple[int, ...]) -> None:
    arrays = {f"x{index}": whole(shape, F32, index) for index, shape in enumerate(shapes)}
    fed = {name: array for index, (name, array) in enumerate(arrays.items()) if index not in constants}
    graph = helper.make_graph(
        [helper.make_node("Einsum", list(arrays), ["y"], "e", equation=equation)],
        "g",
        [helper.make_tensor_value_info(name, 1, array.shape) for name, array in fed.items()],
        [helper.make_tensor_value_info("y", 1, np.einsum(equation, *arrays.values()).shape)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items() if name not in fed],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    for form in FORMS:
        lowered = onnxtile.lower(model, LIMITS, form=form)
        np.testing.assert_array_equal(run_onnxruntime(lowered, fed)[0], np.einsum(equation, *arrays.values()))
        assert_verified(model, lowered)


def test_a_chain_of_products_in_one_region_is_followed_into_the_next() -> None:
    """Show that what the first product gives is cut again: wrong lengths there are told."""
    arrays = [whole([8, 8], F32, seed) for seed in range(3)]
    model = parse(
        """<ir_version: 10, opset_import: ["" : 20]> g (float[8,8] a, float[8,8] b, float[8,8] c) => (float[8,8] y) {
            [e] y = Einsum <equation = "ij,jk,kl->il"> (a, b, c) }"""
    )
    lowered = onnxtile.lower(model, (4, 4, 4))
    (split,) = [node for node in lowered.graph.node if "e/product_1" in node.input]
    split.output[0], split.output[1] = split.output[1], split.output[0]
    feeds = dict(zip("abc", arrays, strict=True))
    assert (run_onnxruntime(lowered, feeds)[0] != run_onnxruntime(model, feeds)[0]).any()
    (region,) = onnxtile.verify(model, lowered).regions
    assert not region.equivalent


@pytest.mark.parametrize("factor", ["alpha", "beta"])
@pytest.mark.parametrize("given", ["", "<scale = 4.0>", "<scale = 0.3>"])
def test_a_factor_that_a_function_or_its_caller_gives(factor: str, given: str) -> None:
    """The default is the function's; a call in another function leaves it to that one's caller, or out."""
    model = parse(
        f"""{HEAD} (float[6,9] x) => (float[6,10] y, float[6,10] z, float[6,10] v) {{
            y = local.lin {given} (x, w, k)
            z = local.outer {given.replace("scale", "size")} (x, w, k)
            v = local.lin <scale = 2.0> (x, w, k)
        }}
        <domain: "local", opset_import: ["" : 20]> lin <scale: float = 0.5> (a, b, c) => (o) {{
            [gm] o = Gemm <{factor}: float = @scale> (a, b, c)
        }}
        <domain: "local", opset_import: ["" : 20, "local" : 1]> outer <size: float = 3.0> (a, b, c) => (o) {{
            t = local.lin <scale: float = @size> (a, b, c)  s = local.lin (a, b, c)  o = Add (s, t)
        }}""",
        w=B,
        k=C,
    )
    for form in FORMS:
        assert_verified(model, onnxtile.lower(model, LIMITS, form=form))
    if "0.3" not in given:
        feeds = {"x": A}
        np.testing.assert_array_equal(
            run_onnxruntime(onnxtile.lower(model, LIMITS), feeds), run_onnxruntime(model, feeds)
        )


def test_another_default_is_another_function() -> None:
    text = f"""{HEAD} (float[6,9] x) => (float[6,10] y) {{ y = local.lin (x, w) }}
        <domain: "local", opset_import: ["" : 20]> lin <scale: float = 0.5> (a, b) => (o) {{
            o = Gemm <alpha: float = @scale> (a, b) }}"""
    model = parse(text, w=B)
    other = parse(text.replace("= 0.5", "= 0.25"), w=B)
    assert onnxtile.verify(model, model).equivalent
    assert not onnxtile.verify(model, other).equivalent
    assert not onnxtile.verify(model, onnxtile.lower(other, LIMITS)).equivalent


def weight(name: str, array: np.ndarray) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], f"{name}_made", value=numpy_helper.from_array(array, name))


def function(name: str, inputs: list[str], output: str, nodes: list[onnx.NodeProto], **defaults: Any) -> Any:
    attributes = [helper.make_attribute(key, value) for key, value in defaults.items()]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, inputs, [output], nodes, opsets, [], attributes)


def branches(output: str, then: onnx.GraphProto, other: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("If", ["c"], [output], "either", then_branch=then, else_branch=other)


def product(a: str, b: str, y: str) -> onnx.NodeProto:
    return helper.make_node("MatMul", [a, b], [y], f"to_{y}")


def body(name: str, y: str, nodes: list[onnx.NodeProto], **weights: np.ndarray) -> onnx.GraphProto:
    tensors = [numpy_helper.from_array(array, key) for key, array in weights.items()]
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(y, 1, [6, 10])], tensors)


def holding(nodes: list[onnx.NodeProto], *functions: onnx.FunctionProto) -> onnx.ModelProto:
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [info("x", 1, [6, 9]), info("c", onnx.TensorProto.BOOL, [])], [info("y", 1, [6, 10])]
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=functions)


def given_weight() -> onnx.NodeProto:
    """A Constant whose tensor is an attribute of the function around it."""
    node = helper.make_node("Constant", [], ["k"], "k_made")
    attribute = node.attribute.add(name="value", ref_attr_name="table", type=onnx.AttributeProto.TENSOR)
    assert attribute.ref_attr_name
    return node


def places() -> dict[str, onnx.ModelProto]:
    """A product by B, wherever its weight may be held."""
    call = helper.make_node("layer", ["x"], ["y"], "l1", domain="local")
    inner = helper.make_node("inner", ["x"], ["y"], "l2", domain="local")
    held = [weight("k", B), product("x", "k", "y")]
    two = branches(
        "y", body("t", "p", [product("x", "k", "p")], k=B), body("e", "q", [product("x", "j", "q")], j=B + 1)
    )
    both = branches(
        "y", body("t", "p", [weight("k", B), product("x", "k", "p")]), body("e", "q", [product("x", "k", "q")], k=B)
    )
    table = numpy_helper.from_array(B, "table")
    with_table = function("layer", ["x"], "y", [given_weight(), product("x", "k", "y")], table=table)
    handed = helper.make_node("layer", ["x"], ["y"], "l1", domain="local", table=numpy_helper.from_array(B - 1, "t"))
    return {
        "a function": holding([call], function("layer", ["x"], "y", held)),
        "a function in a function": holding(
            [call], function("inner", ["x"], "y", held), function("layer", ["x"], "y", [inner])
        ),
        "two calls of a function": holding(
            [
                helper.make_node("layer", ["x"], ["h"], "l1", domain="local"),
                helper.make_node("layer", ["x"], ["i"], "l2", domain="local"),
                helper.make_node("Add", ["h", "i"], ["y"]),
            ],
            function("layer", ["x"], "y", held),
        ),
        "branches": holding([two]),
        "branches, one in a node": holding([both]),
        "branches in a function": holding(
            [helper.make_node("layer", ["x", "c"], ["y"], "l1", domain="local")],
            function("layer", ["x", "c"], "y", [two]),
        ),
        "a function's default": holding([call], with_table),
        "an attribute of a call": holding([handed], with_table),
        "around the branches of a function": holding(
            [helper.make_node("layer", ["x", "c"], ["y"], "l1", domain="local")],
            function("layer", ["x", "c"], "y", [
                weight("k", B),
                branches("y", body("t", "p", [product("x", "k", "p")]), body("e", "q", [product("x", "k", "q")])),
            ]),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("place", places())
def test_a_weight_held_anywhere(place: str) -> None:
    model = places()[place]
    feeds = {"x": A, "c": np.array(True)}
    for form in FORMS:
        lowered = onnxtile.lower(model, LIMITS, form=form)
        np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[0], run_onnxruntime(model, feeds)[0])
        assert_verified(model, lowered)


def test_two_products_share_a_weight_and_one_result_is_read_as_well() -> None:
    model = parse(
        f"""{HEAD} (float[9,9] x) => (float[9,9] h, float[9,9] y, float[9,9] z) {{
            h = MatMul (x, w)  y = MatMul (h, w)  r = Relu (h)  z = Gemm <transB = 1> (r, w) }}""",
        w=whole([9, 9], F32, 4),
    )
    in_all_forms(model, x=whole([9, 9], F32, 5))


def test_a_product_that_feeds_itself() -> None:
    model = parse(
        f"""{HEAD} (float[6,6] x, int64 n) => (float[6,6] y) {{
            y = Loop (n, , x) <body = b (int64 i, bool more, float[6,6] before) => (bool go, float[6,6] after) {{
                go = Identity (more)  after = MatMul (before, w) }}> }}""",
        w=np.eye(6, dtype=F32)[::-1] * 2,
    )
    in_all_forms(model, x=whole([6, 6], F32, 6), n=np.array(3, np.dtype(np.int64)))


@pytest.mark.parametrize("kept", ["w", "t", "both"])
def test_a_weight_that_is_computed_and_read_elsewhere_too(kept: str) -> None:
    outputs = {"w": "float[9,10] w", "t": "float[10,9] t", "both": "float[9,10] w, float[10,9] t"}[kept]
    model = parse(
        f"""{HEAD} (float[6,9] x) => (float[6,10] y, {outputs}) {{
            t = Cast <to = 1> (q)  w = Transpose <perm = [1, 0]> (t)  y = MatMul (x, w) }}""",
        q=B.T.astype(np.float16),
    )
    in_all_forms(model, x=A)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint32"])
def test_weights_of_integers_by_other_names_and_without_metadata(dtype: str) -> None:
    text = f"{HEAD} ({dtype}[6,9] x) => ({dtype}[6,10] y) {{ y = MatMul (x, NAME) }}"
    array = whole([9, 10], np.dtype(dtype), 2)
    model = parse(text.replace("NAME", "w"), w=array)
    assert_verified(model, parse(text.replace("NAME", "other"), other=array))
    assert not onnxtile.verify(
        model, parse(text.replace("NAME", "other"), other=array + array.dtype.type(1))
    ).equivalent
    lowered = onnxtile.lower(model, LIMITS)
    for node in lowered.graph.node:
        del node.metadata_props[:]
    assert_verified(model, lowered)


def test_a_bias_that_is_one_number_as_a_factor_is() -> None:
    """Show that what a node is called doesn't decide what its constants are."""
    model = parse(
        f"""{HEAD} (float[6,9] x) => (float[6,10] y) {{ [alpha_1] y = Gemm <alpha = 6.0, beta = 2.0> (x, w, c) }}""",
        w=B,
        c=np.array(3, F32),
    )
    in_all_forms(model, x=A)


def test_names_say_nothing_of_what_constants_are() -> None:
    body = "{ t = MatMul (x, w)  y = Add (t, NAME) }"
    text = f"{HEAD} (float[6,9] x) => (float[6,10] y) {body}"
    model = parse(text.replace("NAME", "c"), w=B, c=C)
    assert_verified(model, parse(text.replace("NAME", '"c/tiles"'), w=B, **{"c/tiles": C}))


def test_lengths_that_are_no_numbers_are_a_difference() -> None:
    text = f"{HEAD} (float[6,9] x) => (float[6,10] y) "
    model = parse(text + "{ y = MatMul (x, w) }", w=B)
    lowered = parse(
        text + "{ a, b = Split <axis = 1> (x, s)  t = MatMul (a, v)  u = MatMul (b, z)  y = Add (t, u) }",
        v=B[:4], z=B[4:], s=np.array([4, 5]),
    )  # fmt: skip
    for node, box in zip(lowered.graph.node[1:], ("m0:6,k0:4,n0:10", "m0:6,k4:9,n0:10"), strict=False):
        node.metadata_props.add(key="onnxtile.tile", value=box)
    assert_verified(model, lowered)
    lengths = lowered.graph.initializer[-1]
    assert lengths.name == "s"
    lengths.CopyFrom(numpy_helper.from_array(np.array([np.nan, 5], F32), "s"))
    assert not onnxtile.verify(model, lowered).equivalent


def test_a_tile_without_axes_is_a_difference() -> None:
    text = f"{HEAD} (float[6,9] x) => (float[6,10] y) "
    model = parse(text + "{ y = MatMul (x, w) }", w=B)
    lowered = parse(text + "{ y = MatMul (x, w) }", w=B)
    lowered.graph.node[0].input[1] = "c"
    lowered.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(1, F32), "c"))
    lowered.graph.node[0].metadata_props.add(key="onnxtile.tile", value="m0:,k0:,n0:")
    assert not onnxtile.verify(model, lowered).equivalent
