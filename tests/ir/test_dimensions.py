"""Free dimensions: found, named, bound; left symbolic where that's sound, refused otherwise."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.errors import ModelError
from onnxtile.ir.dimensions import bind_dimensions, free_dimensions, name_free_dimensions
from onnxtile.passes import InferShapes
from tests.support import matmul, parse, run_onnxruntime, run_reference, sizes_of_products, whole

F32 = np.dtype(np.float32)


def with_dims(*dims: object) -> ir.Model:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 18]> g (float[8,8,8] "in put") => (float[8,8,8] y) { y = Neg ("in put") }'
    )
    for proto, dim in zip(model.graph.input[0].type.tensor_type.shape.dim, dims, strict=True):
        if dim is None:
            proto.Clear()
        elif isinstance(dim, int):
            proto.dim_value = dim
        else:
            proto.dim_param = str(dim)
    return ir.from_proto(model)


@pytest.mark.parametrize(
    ("dims", "names"),
    [
        ((1, "batch", 3), ["batch"]),
        ((None, 2, None), ["in_put_0", "in_put_2"]),
        (("?", -1, "?"), ["in_put_0", "in_put_1", "in_put_2"]),
        (("n", "n", "2*n + k"), ["n", "k"]),
        (("a b", "9**9**9", "Dim.0"), ["a_b", "_9__9__9", "Dim.0"]),
        ((1, 2, 3), []),
    ],
)
def test_names_of_free_dimensions(dims: tuple[object, ...], names: list[str]) -> None:
    model = with_dims(*dims)
    name_free_dimensions(model)
    assert free_dimensions(model) == names
    assert not name_free_dimensions(model)


def refusal(model: onnx.ModelProto, limits: tuple[int | None, int | None, int | None], **how: str) -> str:
    """The reason why the model's one product is refused; the model comes back as it was."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, Path(folder, "m.onnx"))
        report = onnxtile.lower(Path(folder, "m.onnx"), limits, output=Path(folder, "out.onnx"), **how)
        assert onnx.load(Path(folder, "out.onnx")) == model
    (row,) = report.contractions
    assert row.status == "refused"
    return str(row.reason)


def test_each_unknown_axis_is_refused_with_its_name_and_the_cure() -> None:
    dynamic = '<ir_version: 8, opset_import: ["" : 18]> g (float[m,k] a, float[k,n] b) => (float[m,n] y)'
    model = parse(dynamic + " { y = MatMul (a, b) }")
    words = refusal(model, (4, 4, 4))
    assert words == "symbolic-k: K is 'k'; bind it with --bind k=INT"
    fixed_k = parse(dynamic.replace("k", "8") + " { y = MatMul (a, b) }")
    assert refusal(fixed_k, (4, 4, 4)) == "symbolic-n: N is 'n'; bind it with --bind n=INT"
    fixed_n = parse(dynamic.replace("k", "8").replace(",n]", ",8]") + " { y = MatMul (a, b) }")
    words = refusal(fixed_n, (4, 4, 4))
    assert words == (
        "symbolic-m: M is 'm'; bind it with --bind m=INT, leave M unlimited (--max *,K,N), or take --form batched"
    )
    old = parse(dynamic.replace("k", "8").replace(",n]", ",8]").replace("18", "10") + " { y = MatMul (a, b) }")
    assert refusal(old, (4, 4, 4), form="batched").endswith("; opset 10 can't cut it at run time")
    empty = parse(dynamic.replace("k", "0").replace(",n]", ",8]") + " { y = MatMul (a, b) }")
    for form in ("batched", "loop", "function"):
        assert refusal(empty, (4, 4, 4), form=form) == (
            "symbolic-m: M is 'm' in a product without elements; bind it with --bind m=INT, "
            "or leave M unlimited (--max *,K,N)"
        )


def test_a_shape_known_only_at_run_time_is_refused_with_the_cure() -> None:
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[n] x, float[8,8] w) => (float[p,8] y) {
           i = NonZero (x)  f = Cast <to = 1> (i)  t = Transpose (f)  e = Expand (t, s)  y = MatMul (e, w) }""",
        s=np.array([1, 8], np.int64),
    )
    words = refusal(model, (4, 4, 4))
    assert words.startswith("symbolic-m: M is ")
    assert "bind the model's free dimensions (n) with --bind" in words


@given(st.integers(1, 20), st.integers(1, 9), st.integers(1, 6), st.sampled_from(["*", "3", "7"]), st.booleans())
def test_m_may_stay_symbolic(m: int, k: int, n: int, limit: str, split: bool) -> None:
    model = matmul(["batch", "seq", k], [k, n], ["batch", "seq", n], opset=13)
    feeds = {"X": whole([2, m, k], F32, 1)}
    for form in ["batched", "loop", "function"] + ["unrolled"] * (limit == "*"):
        lowered = onnxtile.lower(model, f"{limit},4,2", form=form, weights="split" if split else "pretile")
        assert lowered.graph.output == model.graph.output
        for run in (run_reference, run_onnxruntime):
            np.testing.assert_array_equal(run(lowered, feeds)[0], run(model, feeds)[0])
        bound = ir.from_proto(lowered)
        bind_dimensions(bound, {"batch": 2, "seq": m})
        limits = (None if limit == "*" else int(limit), 4, 2)
        for sizes in sizes_of_products(ir.to_proto(bound)):
            assert all(most is None or size <= most for size, most in zip(sizes, limits, strict=True))


MOBILENET_TAIL = """<ir_version: 5, opset_import: ["" : 10]>
g (float[batch_size,6,1,1] pooled) => (float[batch_size,10] y) {
   s = Shape (pooled)  b = Gather <axis = 0> (s, zero)  u = Unsqueeze <axes = [0]> (b)
   t = Concat <axis = 0> (u, rest)  f = Reshape (pooled, t)  [fc] y = Gemm <transB = 1> (f, w, c)
}"""


def test_shapes_behind_reshape_are_found() -> None:
    model = parse(
        MOBILENET_TAIL, zero=np.array(0), rest=np.array([-1]), w=whole([10, 6], F32, 1), c=whole([10], F32, 2)
    )
    feeds = {"pooled": whole([3, 6, 1, 1], F32, 3)}
    for limits, bind, form in (("2,4,4", {"batch_size": 3}, "unrolled"), ("*,4,4", {}, "unrolled")):
        lowered = onnxtile.lower(model, limits, bind=bind, form=form)
        assert onnxtile.check(lowered, limits, bind=bind if not bind else {}).ok
        np.testing.assert_array_equal(run_onnxruntime(lowered, feeds)[0], run_onnxruntime(model, feeds)[0])


def test_onnx_s_own_inference_fills_in_and_agrees() -> None:
    """Show that where both libraries know a shape, they agree."""
    model = parse(
        """<ir_version: 8, opset_import: ["" : 18]>
        g (float[2,3,8] x) => (float[2,3,4] y) { h = MatMul (x, w)  r = Reshape (h, s)  t = Transpose <perm = [1,0]> (r)
           u = Transpose <perm = [1,0]> (t)  y = Reshape (u, z) }""",
        w=whole([8, 4], F32, 1),
        s=np.array([6, -1]),
        z=np.array([2, 3, 4]),
    )
    ours = ir.from_proto(model)
    assert InferShapes()(ours).modified
    theirs = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for info in theirs.graph.value_info:
        value = next(v for node in ours.graph for v in node.outputs if v.name == info.name)
        assert list(value.shape or ()) == [dim.dim_value for dim in info.type.tensor_type.shape.dim]


def test_declared_shapes_that_contradict_are_refused() -> None:
    with pytest.raises(ModelError, match="contradict"):
        onnxtile.check(matmul([8, 7], [8, 8], [8, 8]), (4, 4, 4))


def test_a_path_for_a_name_is_no_quotient() -> None:
    """torch's exporter names sizes after values, whose names are paths."""
    model = matmul(["Squeeze/model/Squeeze_output_0_dim_1", 8], [8, 4], ["Squeeze/model/Squeeze_output_0_dim_1", 4])
    assert str(onnxtile.profile(model).totals.macs) == "32*Squeeze_model_Squeeze_output_0_dim_1"
