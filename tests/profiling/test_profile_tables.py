"""Figures of real networks that were published, or counted by other tools: the profile gives each of them."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir
import pytest

import onnxtile
from onnxtile.cli.app import main
from onnxtile.profiling.conventions.ptflops import ptflops_total
from onnxtile.profiling.profile import first_io
from onnxtile.profiling.results import Profile
from tests.support import ROOT, operators

sys.path.insert(0, str(ROOT / "examples"))
import networks

Command = Callable[..., dict[str, Any]]


@cache
def network(name: str) -> onnx.ModelProto:
    return getattr(networks, name)()


@cache
def profiled(name: str, convention: str = "macs") -> Profile:
    return onnxtile.profile(network(name), convention=convention)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    """`onnxtile COMMAND MODEL OPTIONS --json` on a model saved to a file: the object that it prints."""

    def run(name: str, model: onnx.ModelProto, *options: object) -> dict[str, Any]:
        path = tmp_path / "network.onnx"
        onnx.save(model, path)
        monkeypatch.setattr(sys, "argv", ["onnxtile", name, *map(str, (path, *options)), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert (ended.value.code or 0) == 0
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert document["schema"].startswith(f"onnxtile.{name}")
        return document

    return run


# GoogLeNet of torchvision, aux_logits=False, 1 x 3 x 224 x 224: torch, torchinfo and ptflops 0.7.5 (backend pytorch)

GOOGLENET = {
    "Conv": 1_497_352_192,
    "BatchNormalization": 6_452_320,
    "Relu": 3_226_160,
    "MaxPool": 2_875_712,
    "GlobalAveragePool": 50_176,
    "Gemm": 1_025_000,
    "Concat": 0,
    "Flatten": 0,
}


def test_parameters_of_googlenet() -> None:
    totals = profiled("googlenet", "ptflops").totals
    assert (totals.params, totals.buffers, totals.weight_bytes) == (6_624_904, 0, 26_499_616)
    with_statistics = profiled("googlenet").totals
    assert (with_statistics.params, with_statistics.buffers) == (6_624_904 + 14_560, 14_560)
    assert with_statistics.weight_bytes == 26_499_616 + 4 * 14_560


def test_what_ptflops_counts_for_googlenet() -> None:
    profile = profiled("googlenet", "ptflops")
    assert {group.name: group.macs for group in profile.by("op")} == GOOGLENET
    assert ptflops_total(profile) == 1_513_907_448


def test_what_torchinfo_says_of_googlenet() -> None:
    """It counts the outputs of layers that have weights, twice: once for the way back."""
    profile = profiled("googlenet")
    weighty = sum(group.output_bytes for group in profile.by("op") if group.params)
    source, weights = 4 * 3 * 224 * 224, profiled("googlenet", "ptflops").totals.weight_bytes
    sizes = [source, 2 * weighty, weights]
    assert [round(size / 1e6, 2) for size in [*sizes, sum(sizes)]] == [0.6, 51.63, 26.5, 78.73]
    # it adds one for each bias and each scale and shift of a batch norm
    biases = 1000 + 2 * 7280
    assert profile.totals.macs + biases == 1_498_391_752


def test_googlenet_on_the_command_line(command: Command) -> None:
    document = command("profile", network("googlenet"), "--convention", "ptflops", "--by", "op")
    assert {group["name"]: group["macs"] for group in document["groups"]} == GOOGLENET
    assert (document["totals"]["params"], document["totals"]["weight_bytes"]) == (6_624_904, 26_499_616)
    assert document["ptflops_prints"]["activation_functions"] == 1_513_907_448


# MobileNetV2 as mobilenetv2-10.onnx: the table of first inputs and outputs

MOBILENET_ROWS = {
    "Conv_0": (602_112, 1_605_632, 2_207_744),
    "Clip_1": (1_605_632, 1_605_632, 3_211_264),
    "Conv_2": (1_605_632, 1_605_632, 3_211_264),
    "Shape_98": (250_880, 32, 250_912),
    "Constant_99": (0, 0, 0),
    "Gather_100": (32, 0, 32),
    "Unsqueeze_101": (0, 8, 8),
    "Concat_102": (8, 16, 24),
    "Reshape_103": (5_120, 0, 5_120),
    "Gemm_104": (0, 4_000, 4_000),
}
MOBILENET_TOTALS = {
    "peak_bandwidth": 9_633_792,
    "total_input": 52_859_304,
    "total_activation": 52_010_328,
    "total_bandwidth": 52_612_440,
}
MOBILENET_OPERATORS = [
    "Add", "Clip", "Concat", "Constant", "Conv", "Gather", "Gemm", "GlobalAveragePool", "Reshape", "Shape", "Unsqueeze"
]  # fmt: skip


def test_the_bandwidth_table_of_mobilenet() -> None:
    table = first_io(network("mobilenet_v2"))
    rows = {row.name: (row.input, row.output, row.sum) for row in table.rows}
    assert len(rows) == len(table.rows) == 105
    assert {name: rows[name] for name in MOBILENET_ROWS} == MOBILENET_ROWS
    assert {name: getattr(table, name) for name in MOBILENET_TOTALS} == MOBILENET_TOTALS


def test_operators_of_mobilenet() -> None:
    assert sorted(group.name for group in profiled("mobilenet_v2").by("op")) == MOBILENET_OPERATORS


def test_the_profile_says_more_than_the_bandwidth_table() -> None:
    """All inputs and outputs, the batch as a symbol, and the shape behind the Reshape."""
    profile = profiled("mobilenet_v2")
    rows = {row.op: row for row in profile.nodes}
    assert str(rows["Reshape"].output_bytes) == "5120*batch_size"
    assert str(rows["Gemm"].input_bytes) == "5120*batch_size + 5124000"
    bound = onnxtile.profile(network("mobilenet_v2"), bind={"batch_size": 1}).totals.peak_bandwidth
    assert isinstance(bound, int)
    assert bound >= MOBILENET_TOTALS["peak_bandwidth"]


def test_mobilenet_on_the_command_line(command: Command) -> None:
    document = command("profile", network("mobilenet_v2"), "--view", "first-io")
    rows = {row["name"]: (row["input"], row["output"], row["sum"]) for row in document["rows"]}
    assert {name: rows[name] for name in MOBILENET_ROWS} == MOBILENET_ROWS
    assert document["totals"] == MOBILENET_TOTALS
    groups = command("profile", network("mobilenet_v2"), "--by", "op")["groups"]
    assert sorted(group["name"] for group in groups) == MOBILENET_OPERATORS


# AlexNet of torchvision, lowered at 64,64,64 in the plainest unrolled form

PLAINEST = {"ops": "matmul", "form": "unrolled", "weights": "split", "accumulate": "sum"}
ALEXNET_LOWERED = {
    "MatMul": 14_336,
    "Split": 278,  # 281 where a Split into one part along M is written for each product,
    "Sum": 144,
    "Concat": 3,  # and 6 where a Concat of one is: here, what would change nothing isn't written
    "Add": 3,
    "Transpose": 3,
}
ALEXNET_KEPT = {"Conv": 5, "Relu": 7, "MaxPool": 3, "AveragePool": 1, "Flatten": 1}


def test_nodes_of_alexnet_lowered() -> None:
    lowered = onnxtile.lower(network("alexnet"), "64,64,64", **PLAINEST)
    profile = onnxtile.profile(lowered)
    assert {group.name: group.nodes for group in profile.by("op")} == ALEXNET_LOWERED | ALEXNET_KEPT
    assert profile.totals.nodes == 14_790 - 3 - 3 == 14_784
    tiles = Counter(row.origin for row in profile.nodes if row.op == "MatMul")
    assert list(tiles.values()) == [144 * 64, 64 * 64, 64 * 16]
    assert profile.totals.macs == profiled("alexnet").totals.macs
    assert profile.totals.params == profiled("alexnet").totals.params == 61_100_840


def test_alexnet_lowered_on_the_command_line(command: Command, tmp_path: Path) -> None:
    output = tmp_path / "lowered.onnx"
    options = [f"--{name}={value}" for name, value in PLAINEST.items()]
    document = command("lower", network("alexnet"), "--max", "64,64,64", *options, "-o", output)
    assert (document["nodes_before"], document["nodes_after"]) == (20, 14_784)
    assert Counter(operators(onnx.load(output))) == ALEXNET_LOWERED | ALEXNET_KEPT


# Caffe's GoogLeNet as googlenet-12.onnx: torch sizes, and ptflops 0.7.5 of what onnx2torch makes of it

BVLC_GOOGLENET = {
    "Conv": 1_584_874_032,
    "Gemm": 1_025_000,
    "MaxPool": 3_054_016,
    "Relu": 3_226_160,
    "AveragePool": 50_176,
}
BVLC_CHANNELS = {
    112: "64 64",
    56: "64 64 64 64 192 192 192",
    28: "192 64 64 96 96 128 128 16 16 32 32 192 32 32 256 128 128 128 128 192 192 32 32 96 96 256 64 64 480",
    14: (
        "480 192 192 96 96 208 208 16 16 48 48 480 64 64 512 160 160 112 112 224 224 24 24 64 64 512 64 64 512 128 128 "
        "128 128 256 256 24 24 64 64 512 64 64 512 112 112 144 144 288 288 32 32 64 64 512 64 64 528 256 256 160 160 "
        "320 320 32 32 128 128 528 128 128 832"
    ),
    7: (
        "832 256 256 160 160 320 320 32 32 128 128 832 128 128 832 384 384 192 192 384 384 48 48 128 128 832 128 128 "
        "1024"
    ),
    1: "1024 1024",
}
"""Channels of each layer's output, by its width and height, in the order of the layers."""
BVLC_SHAPES = [[1, int(each), side, side] for side, channels in BVLC_CHANNELS.items() for each in channels.split()]
BVLC_SHAPES += [[1, 1024], [1, 1000], [1, 1000]]


def test_layers_of_bvlc_googlenet() -> None:
    model = ir.from_proto(network("bvlc_googlenet"))
    onnxtile.PassManager("infer-shapes")(model)
    assert [list(node.outputs[0].shape or ()) for node in model.graph] == BVLC_SHAPES
    rows = first_io(network("bvlc_googlenet")).rows
    assert [row.output for row in rows] == [4 * math.prod(shape) for shape in BVLC_SHAPES]


def test_sizes_of_bvlc_googlenet() -> None:
    totals = profiled("bvlc_googlenet").totals
    assert (totals.nodes, totals.weight_bytes, totals.activation_bytes) == (143, 27_994_208, 39_653_056)
    assert totals.output_bytes == 39_653_056 + 4 * 1024  # the Dropout has a mask, which nothing reads


def test_what_ptflops_counts_for_bvlc_googlenet() -> None:
    profile = profiled("bvlc_googlenet", "ptflops")
    counted = {group.name: group.macs for group in profile.by("op")}
    assert {name: counted.pop(name) for name in BVLC_GOOGLENET} == BVLC_GOOGLENET
    of_squares = 3 * 802_816 + 68 * 56 * 56 + 196 * 56 * 56  # LRN calls mul, mul, add, and avg_pool of padded channels
    assert {name for name, count in counted.items() if count} == {"LRN"}
    assert counted["LRN"] == of_squares
    assert ptflops_total(profile, activation_modules=True) == 1_601_796_088


def test_bvlc_googlenet_on_the_command_line(command: Command) -> None:
    document = command("profile", network("bvlc_googlenet"), "--convention", "ptflops", "--by", "op")
    counted = {group["name"]: group["macs"] for group in document["groups"]}
    assert {name: counted[name] for name in BVLC_GOOGLENET} == BVLC_GOOGLENET
    assert document["ptflops_prints"]["activation_modules"] == 1_601_796_088
    document = command("profile", network("bvlc_googlenet"), "--details")
    totals = document["totals"]
    assert (totals["nodes"], totals["weight_bytes"], totals["activation_bytes"]) == (143, 27_994_208, 39_653_056)
    shapes = [f"float32[{','.join(map(str, shape))}]" for shape in BVLC_SHAPES]
    assert [row["outputs"][0].split(" ")[-1] for row in document["nodes"]] == shapes


# The networks that the onnx wheel carries, as they are: multiply-accumulates of products, and elements of weights

LIGHT = [
    ("bvlc_alexnet", 654_560_384, 60_965_224),
    ("densenet121", 2_834_161_664, 8_146_152),
    ("inception_v1", 1_431_556_352, 6_998_552),
    ("inception_v2", 2_018_851_840, 11_234_792),
    ("resnet50", 4_089_184_256, 25_610_152),
    ("shufflenet", 124_664_528, 1_420_152),
    ("squeezenet", 349_151_936, 1_235_496),
    ("vgg19", 19_632_062_464, 143_667_240),
    ("zfnet512", 1_481_727_008, 87_250_536),
]


@pytest.mark.parametrize(("name", "macs", "params"), LIGHT)
def test_light_networks(name: str, macs: int, params: int) -> None:
    totals = onnxtile.profile(networks.light(name)).totals
    assert (totals.macs, totals.params) == (macs, params)


@pytest.mark.parametrize(("name", "macs", "params"), LIGHT)
def test_light_networks_on_the_command_line(command: Command, name: str, macs: int, params: int) -> None:
    totals = command("profile", networks.light(name))["totals"]
    assert (totals["macs"], totals["params"], totals["weight_bytes"]) == (macs, params, 4 * params)


def test_weights_made_at_run_time_count_as_those_that_are_stored() -> None:
    made, stored = onnxtile.profile(networks.light("inception_v1")).totals, profiled("bvlc_googlenet").totals
    assert (made.params, made.weight_bytes) == (stored.params, stored.weight_bytes)


# ptflops 0.7.5 of what onnx2torch makes of other networks; it makes no pool of a GlobalAveragePool, which counts twice


@pytest.mark.parametrize(
    ("build", "printed", "elements_of_global_pool"),
    [
        (lambda: networks.light("resnet50"), 4_132_436_968, 0),
        (networks.mobilenet_v2, 313_559_176, 1280 * 7 * 7),
    ],
    ids=["resnet50", "mobilenet_v2"],
)
def test_what_ptflops_prints_by_way_of_onnx2torch(
    build: Callable[[], onnx.ModelProto], printed: int, elements_of_global_pool: int
) -> None:
    model = build()
    bind = {"batch_size": 1} if model.graph.name == "mobilenetv2" else None
    total = ptflops_total(onnxtile.profile(model, bind=bind, convention="ptflops"), activation_modules=True)
    assert total == printed + 2 * elements_of_global_pool
