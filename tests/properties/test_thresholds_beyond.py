"""Both sides of each size at which verifying, capturing, profiling or reducing does another thing.

`tests/thresholds.py` lists all such sizes, with the tests that stand on both sides of each.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import sympy
from onnx import numpy_helper

import onnxtile
from onnxtile.cli import capture as cli_capture
from onnxtile.cli import isolation, screen, sheets, table
from onnxtile.cli import verify as cli_verify
from onnxtile.cli.views import profile as profile_view
from onnxtile.cli.views import summary as facts_view
from onnxtile.debugging.capture import call_inlining as calls
from onnxtile.debugging.capture import output_files as writing
from onnxtile.debugging.capture import selection
from onnxtile.debugging.capture import session as running
from onnxtile.debugging.capture import statistics as describing
from onnxtile.debugging.reduce import interface_types as known
from onnxtile.errors import ModelError, UnsupportedError
from onnxtile.ir import bounds, printable
from onnxtile.ir.attributes import UnsizedError
from onnxtile.ir.bounds import allowing
from onnxtile.ir.io import partial_files as partial
from onnxtile.ir.io.progress import TOLD_BYTES, Meter
from onnxtile.ir.symbolic import amounts
from onnxtile.ir.symbolic import comparison as ordering
from onnxtile.ir.symbolic.amounts import Unknown
from onnxtile.operators import measures
from onnxtile.operators import trip_counts as trips
from onnxtile.profiling import attribute_summary as attribute_facts
from onnxtile.profiling import constant_inputs as weights
from onnxtile.profiling import formatting as texts
from onnxtile.verification import (
    arguments,
    engines,
    inputs,
    opened,
)
from onnxtile.verification import certificate as record
from tests.places import PLACES, fed, placed
from tests.support import make, matmul, node_model, parse, run_onnxruntime, whole
from tests.terminals import terminal

F32 = np.dtype(np.float32)
HEAD = """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>"""
LIMITS = (2, 3, 4)


def product() -> onnx.ModelProto:
    return matmul([3, 4], [4, 5], [3, 5], opset=18)


# verify


def test_models_that_go_to_one_engine_first_and_those_that_go_to_the_other() -> None:
    assert engines.preferred(engines.MANY_NODES - 1)[0] == "onnxruntime"
    assert engines.preferred(engines.MANY_NODES)[0] == "onnx.reference"


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_weights_that_are_compared_at_once_and_in_chunks(more: int) -> None:
    assert opened.CHUNK == 1 << 24
    for shape in ([opened.CHUNK + more], [4, opened.CHUNK // 4 + more]):
        one, other = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        assert opened.same_bits(one, other)
        other.flat[-1] = 1
        assert not opened.same_bits(one, other)


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


@pytest.mark.parametrize("columns", [running.HANDED_BYTES // 16, running.HANDED_BYTES // 16 + 1])
@pytest.mark.parametrize("place", PLACES)
def test_weights_that_are_in_the_model_and_weights_that_are_handed_over(place: str, columns: int) -> None:
    model = placed(matmul([3, 4], [4, columns], [3, columns], opset=18), place)
    feeds = fed({"X": whole([3, 4], F32, 9)}, place)
    captured = onnxtile.capture(model, name="*", inputs=feeds)
    np.testing.assert_array_equal(captured["Y"], run_onnxruntime(model, feeds)[0])


@pytest.mark.parametrize("size", [describing.BLOCK - 1, describing.BLOCK, describing.BLOCK + 1])
def test_values_that_are_described_at_once_and_in_blocks(size: int) -> None:
    array = np.arange(size, dtype=np.float32)
    array[-1] = np.nan
    found = describing.numbers_of(array, ir.DataType.FLOAT)
    assert (found.min, found.max, found.nan, found.infinite) == (0, size - 2, 1, 0)
    assert found.mean == pytest.approx((size - 2) / 2, rel=1e-12)


def test_calls_as_many_as_are_inlined_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 calls would take seconds: 3 stand for them."""
    assert calls.MOST_CALLS == 10_000
    model = parse(
        f"""{HEAD} g (float[2] x) => (float[2] y) {{ a = local.f (x)  b = local.f (a)  y = local.f (b) }}
        <domain: "local", opset_import: ["" : 18]> f (a) => (b) {{ b = Neg (a) }}"""
    )
    feeds = {"x": np.ones(2, np.float32)}
    monkeypatch.setattr(calls, "MOST_CALLS", 3)
    np.testing.assert_array_equal(onnxtile.capture(model, name="*", inputs=feeds)["y"], -feeds["x"])
    monkeypatch.setattr(calls, "MOST_CALLS", 2)
    with pytest.raises(UnsupportedError, match="called more than 2 times"):
        onnxtile.capture(model, name="*", inputs=feeds)


@pytest.mark.parametrize("place", [selection.MOST_COMPARED - 1, selection.MOST_COMPARED])
def test_names_that_are_compared_with_one_that_is_not_there(place: int) -> None:
    names = [f"n{number}" for number in range(place)] + ["wanted"]
    assert ("wanted" in selection.nearest("wanteed", names, "it has")) is (place < selection.MOST_COMPARED)


@pytest.mark.parametrize("length", [writing.MOST_NAME, writing.MOST_NAME + 1])
def test_names_of_files_as_long_as_they_may_be_and_longer(length: int, tmp_path: Path) -> None:
    name = "v" * length
    model = parse(f"{HEAD} g (float[2] x) => (float[2] {name}) {{ {name} = Neg (x) }}")
    feeds = {"x": np.ones(2, np.float32)}
    onnxtile.capture(model, name="*", inputs=feeds, output=tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as held:
        assert list(held) == [name[: writing.MOST_NAME]]
    onnxtile.capture(model, name="*", inputs=feeds, output=tmp_path / "o")
    assert max(len(each.name) for each in (tmp_path / "o").iterdir()) == writing.MOST_NAME + len(".npy")


@pytest.mark.parametrize("most", [10, writing.MOST_COMMENT])
def test_comments_as_long_as_a_zip_file_takes_and_longer(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_COMMENT", most)
    model = parse(f"{HEAD} g (float[2] x) => (float[2] y) {{ y = Neg (x) }}")
    onnxtile.capture(model, name="*", inputs={"x": np.ones(2, np.float32)}, output=tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as held:
        np.testing.assert_array_equal(held["y"], [-1, -1])
        assert bool(held.zip.getinfo("y.npy").comment) is (most > 10)  # type: ignore[union-attr]  # it's open


def test_elements_and_letters_that_are_shown_and_more() -> None:
    for count in (describing.FIRST, describing.FIRST + 1):
        assert len(describing.described("y", "n", "Op", np.arange(count), ir.DataType.INT64).first) == describing.FIRST
    for length in (describing.MOST_TEXT, describing.MOST_TEXT + 1):
        assert describing.shown("x" * length) == repr("x" * describing.MOST_TEXT)


# profile


@pytest.mark.parametrize(("size", "told"), [(measures.SMALL, True), (measures.SMALL + 1, False)])
def test_constants_that_are_small_enough_to_be_read_and_larger_ones(size: int, told: bool) -> None:
    model = node_model("Tile", [[2], [size]], [1])
    model.graph.initializer.append(numpy_helper.from_array(np.ones(size, np.int64), "X1"))
    del model.graph.input[1:]
    node = ir.from_proto(model).graph[0]
    if told:
        assert measures.constant(node, 1, "repeats").size == size
    else:
        with pytest.raises(UnsizedError, match="known only at run time"):
            measures.constant(node, 1, "repeats")


@pytest.mark.parametrize(("count", "known_"), [(weights.MOST, True), (weights.MOST + 1, False)])
def test_a_product_fed_by_as_many_constants_as_are_told_and_by_more(count: int, known_: bool) -> None:
    names = ", ".join(f"w{n}" for n in range(count))
    model = parse(
        f"{HEAD} g (float[1,{count}] x) => (float[1,1] y) {{ w = Concat <axis = 0> ({names})  y = MatMul (x, w) }}",
        **{f"w{n}": np.ones([1, 1], np.float32) for n in range(count)},
    )
    rows = {row.op: row for row in onnxtile.profile(model).nodes}
    assert isinstance(rows["MatMul"].params, Unknown) is not known_
    if known_:
        assert rows["MatMul"].params == count


@pytest.mark.parametrize(("links", "behind"), [(trips._MOST_LINKS, "n0"), (trips._MOST_LINKS + 1, "n1")])
def test_trip_counts_behind_as_many_nodes_as_are_seen_through_and_behind_more(links: int, behind: str) -> None:
    chain = " ".join(f"n{i + 1} = Identity (n{i})" for i in range(links))
    model = parse(
        f"""{HEAD} g (float[2] x, int64 n0) => (float[2] y) {{ {chain} y = Loop (n{links}, "", x) <body = b (int64 i,
        bool c, float[2] a) => (bool d, float[2] b) {{ d = Identity (c)  b = Neg (a) }}> }}"""
    )
    (row,) = (row for row in onnxtile.profile(model).nodes if row.op == "Neg")
    assert str(row.times) == behind


@pytest.mark.parametrize(("links", "goes_on"), [(trips._MOST_LINKS - 1, True), (trips._MOST_LINKS, False)])
def test_conditions_behind_as_many_nodes_as_are_seen_through_and_behind_more(links: int, goes_on: bool) -> None:
    chain = " ".join(f"c{i + 1} = Identity (c{i})" for i in range(links))
    model = parse(
        f"""{HEAD} g (float[2] x, int64 n) => (float[2] y) {{ y = Loop (n, "", x) <body = b (int64 i, bool c0,
        float[2] a) => (bool c{links}, float[2] b) {{ {chain} b = Neg (a) }}> }}"""
    )
    (row,) = (row for row in onnxtile.profile(model).nodes if row.op == "Neg")
    assert (str(row.times) == "n") is goes_on


@pytest.mark.parametrize("length", [trips._LONGEST, trips._LONGEST + 1])
def test_symbols_as_long_as_they_may_be_and_longer(length: int) -> None:
    name = "n" * length
    model = parse(
        f"""{HEAD} g (float[2] x, int64 {name}) => (float[2] y) {{ y = Loop ({name}, "", x) <body = b (int64 i,
        bool c, float[2] a) => (bool d, float[2] b) {{ d = Identity (c)  b = Neg (a) }}> }}"""
    )
    (row,) = (row for row in onnxtile.profile(model).nodes if row.op == "Neg")
    assert str(row.times) == "n" * trips._LONGEST


@pytest.mark.parametrize(("number", "endless"), [(trips._ENDLESS - 1, False), (trips._ENDLESS, True)])
def test_trip_counts_and_the_one_that_stands_for_no_end(number: int, endless: bool) -> None:
    model = parse(
        f"""{HEAD} g (float[2] x) => (float[2] y) {{ y = Loop (n, "", x) <body = b (int64 i,
        bool c, float[2] a) => (bool d, float[2] b) {{ d = Identity (c)  b = Neg (a) }}> }}""",
        n=np.array(number),
    )
    (row,) = (row for row in onnxtile.profile(model).nodes if row.op == "Neg")
    assert isinstance(row.times, Unknown) is endless


@pytest.mark.parametrize("count", [attribute_facts.MOST_VALUES, attribute_facts.MOST_VALUES + 1])
def test_values_of_attributes_that_are_listed_and_more(count: int) -> None:
    (facts,) = attribute_facts.attribute_facts(ir.AttrInt64("axis", number) for number in range(count))
    assert facts.distinct == count
    assert len(facts.values) == attribute_facts.MOST_VALUES


def test_texts_as_long_as_they_are_shown_and_longer() -> None:
    for most in (printable.SHORT, printable.LONGEST):
        assert printable.printable("x" * most, most) == "x" * most
        assert printable.printable("x" * (most + 1), most).endswith(f"({most + 1:,} characters)")
    assert texts.shape_text(ir.Shape([1] * texts.MOST_ITEMS)).count("1") == texts.MOST_ITEMS
    assert texts.shape_text(ir.Shape([2] * (texts.MOST_ITEMS + 1))).endswith("... 1 more]")


def test_amounts_up_to_what_can_be_measured_and_beyond() -> None:
    most = amounts._BEYOND
    assert amounts.product([most, 1]) == most
    assert isinstance(amounts.product([most, 2]), Unknown)


def test_powers_that_are_taken_apart_and_higher_ones() -> None:
    x, most = sympy.Symbol("x", positive=True), ordering._MOST_POWERS
    assert ordering._factors(x ** (most - 1)) == (x,) * (most - 1)
    assert ordering._factors(x**most) == (x**most,)
    assert ordering._sum([ordering._LARGEST / 2]) == ordering._LARGEST / 2
    assert ordering._sum([ordering._LARGEST]) == 0.0


def test_reasons_that_are_shown_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [onnx.helper.make_node(f"Op{n}", ["x"], [f"v{n}"], domain="local") for n in range(4)]
    info = [onnx.helper.make_tensor_value_info(name, 1, [2]) for name in ("x", "v0")]
    opsets = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("local", 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", info[:1], info[1:]), opset_imports=opsets)
    profile = onnxtile.profile(model)
    every = len({reason for row in profile.nodes for reason in row.unknown.values()})
    for most in (every, every - 1):
        monkeypatch.setattr(profile_view, "MOST_REASONS", most)
        with terminal(200) as shown:
            profile_view._print_totals(profile)
        assert shown.text.count("\nunknown: ") == most
        assert (f"unknown for {every} reasons" in shown.text) is (most < every)


@pytest.mark.parametrize("more", [0, 1])
def test_lines_and_values_of_facts_that_are_shown_and_more(more: int) -> None:
    with terminal(80):
        lines = list(facts_view._named("inputs", ["x"] * (facts_view.MOST_LINES + more)))
    assert [words for _, words in lines[facts_view.MOST_LINES :]] == ["... and 1 more; --json lists them all"] * more
    values = facts_view.FEW_VALUES + more
    (facts,) = attribute_facts.attribute_facts(ir.AttrInt64("axis", number) for number in range(values))
    assert (".." in str(facts_view._attribute(facts, values))) is bool(more)


# others


def test_progress_is_told_once_so_many_bytes_are_written() -> None:
    told: list[int] = []
    meter = Meter(lambda words, done=0, total=None: told.append(done), "write", 100)
    meter.add(TOLD_BYTES)
    assert told == []
    meter.add(1)
    assert told == [TOLD_BYTES + 1]


@pytest.mark.parametrize(("size", "open_"), [(known.MOST_FROZEN, True), (known.MOST_FROZEN + 1, False)])
def test_values_that_a_reduction_takes_as_constants_and_larger_ones(size: int, open_: bool) -> None:
    value = ir.Value(name="x", shape=ir.Shape([size]), type=ir.TensorType(ir.DataType.INT64))
    assert known._is_open(value) is open_


@pytest.mark.parametrize("length", [isolation._MOST_LETTERS, isolation._MOST_LETTERS + 1])
def test_last_words_of_a_process_that_are_shown_and_longer_ones(length: int) -> None:
    assert isolation._death("it", 11, "x" * length).count("x") == isolation._MOST_LETTERS


@pytest.mark.parametrize("most", [cli_capture.MOST_ROWS, table.MOST_ROWS, cli_verify.MOST_ROWS])
def test_rows_that_are_shown_on_a_terminal_and_more(most: int) -> None:
    for count in (most, most + 1):
        assert len(screen.first(range(count), most)) == count  # a pipe gets all
        with terminal(80):
            assert len(screen.first(range(count), most)) == most


@pytest.mark.parametrize("letter", ["x", "\u540d"])
def test_names_of_outputs_that_are_in_those_of_files_in_the_making_and_longer_ones(letter: str, tmp_path: Path) -> None:
    size = len(letter.encode())
    for length in (partial._LONGEST // size, partial._LONGEST // size + 1, 245 // size):
        target = tmp_path / f"{letter * length}.onnx"
        with partial.partial_file(target) as path:
            assert path.name.count(letter) >= partial._LONGEST // size - 5
            assert len(path.name.encode()) < 255
        onnxtile.lower(product(), LIMITS, output=target)
        assert onnx.load(target).graph.node


def test_columns_that_are_shortened_first_and_those_of_usual_length() -> None:
    columns = table.Table([table.Column("name", shorten="middle"), table.Column("words", shorten="end")])
    assert columns._fitted([table._LONG + 1, 20], table._LONG + 20) == [table._LONG, 20]
    assert columns._fitted([table._LONG, 20], table._LONG + 19) == [table._LONG, 19]


@pytest.mark.parametrize("length", [sheets.LONGEST, sheets.LONGEST + 1])
def test_cells_of_sheets_as_long_as_are_written_whole_and_longer(length: int) -> None:
    assert sheets._text("x" * length).count("x") == sheets.LONGEST
