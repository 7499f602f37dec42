from __future__ import annotations

from onnxtile.engine.assumptions import Assumed, assumed, remarks
from onnxtile.engine.description import Engine
from onnxtile.engine.load import names
from tests.engine.strategies import engine_of, table


def fields_of(engine: Engine) -> dict[str, str]:
    return {one.field: one.value for one in assumed(engine)}


def test_each_field_that_is_not_given_is_listed_with_what_is_assumed() -> None:
    assert fields_of(engine_of()) == {
        "version": "1", "name": '"engine"', "clock": "unknown: cycles, no times",
        "product 1: max": "no limit", "product 1: multiple": "any size", "product 1: held": '"B"',
        "product 1: fill": "0", "product 1: fill_overlaps": "true", "product 1: call": "0",
        "product 1: results": "no limit", "local.buffers": "2", "local.bandwidth": "no limit",
        "memory.bandwidth": "unknown: bytes only", "memory.burst": "1", "memory.latency": "0",
        "conv.windows": '"memory"', "conv.halo": '"read"', "conv.native": "false",
        "operators.supported": "not asked which run where", "operators.vector": "as memory.bandwidth",
        "operators.host": "unknown",
    }  # fmt: skip
    assert Assumed("memory.burst", "1", "Bytes: a row of a tile takes whole bursts, each row by itself") in assumed(
        engine_of()
    )


def test_what_is_given_is_not_listed() -> None:
    given = fields_of(engine_of(memory_burst=64, product_fill=0, version=1))
    assert not {"memory.burst", "product 1: fill", "version"} & given.keys()
    assert {"memory.latency", "product 1: call"} <= given.keys()


def test_what_several_units_lack_is_listed_once() -> None:
    data = table()
    unit = data["product"][0]
    data["product"] = [unit | {"call": 1}, unit | {"types": ["uint8", "int8"]}, unit | {"types": ["int4", "int8"]}]
    listed = fields_of(Engine(**data))
    assert listed["each product: fill"] == "0"
    assert listed["product 2, 3: call"] == "0"


def test_the_built_in_engines_leave_no_remark() -> None:
    assert {name: remarks(Engine.load(name)) for name in names()} == {name: [] for name in names()}


def test_what_is_more_often_a_mistake_is_remarked() -> None:
    engine = engine_of(
        product_max={"M": 8, "K": 16, "N": 40}, product_array={"M": 8, "K": 32, "N": 16},
        operators_supported=["Relu", "relu", "Nonesuch1"],
    )  # fmt: skip
    assert remarks(engine) == [
        "product 1: max.K is 16, and array.K 32: the array is never full",
        "product 1: max.N is 40, and array.N 16: the array is partly empty in the last pass of the largest call",
        "operators.supported: relu is no operator that onnxtile knows; did you mean 'Relu'?",
        "operators.supported: Nonesuch1 is no operator that onnxtile knows",
        "no [[product]] has float32: products of models that aren't quantized have no unit",
    ]


def test_amounts_that_more_often_have_another_unit_are_remarked() -> None:
    unit = {"types": ["float32", "float32"], "accumulate": "float32", "array": {"K": 4, "N": 4}}
    engine = engine_of(product=[unit], clock="800 Hz", memory_bandwidth="6.4 GB/s", local_size=256)
    assert remarks(engine) == [
        'local.size is 256 bytes: a number is bytes; write "256 KiB" where that is meant',
        "memory.bandwidth is 8,000,000 bytes a cycle, and the array takes 96 at most: no product waits for memory",
    ]
    split = {"A": "1 KiB", "B": 999, "C": "1 KiB"}
    assert remarks(engine_of(product=[unit], memory_bandwidth=96, local_size=split)) == [
        'local.size.B is 999 bytes: a number is bytes; write "999 KiB" where that is meant'
    ]
