from __future__ import annotations

from fractions import Fraction

from onnxtile.engine.description import BITS, Engine


def test_rates_a_second_become_rates_a_cycle() -> None:
    table = {
        "clock": "2 GHz", "local": {"size": "1 KiB"}, "memory": {"bandwidth": "15 GB/s"},
        "product": [{"types": ["int8", "int8"], "accumulate": "int32", "array": {"K": 4}}],
    }  # fmt: skip
    engine = Engine.model_validate(table)
    assert engine.memory.bandwidth == Fraction(15, 2)
    assert engine.local.size == 1024
    assert engine == Engine.model_validate(table)
    assert hash(engine) == hash(Engine.model_validate(table))


def test_units_are_found_by_types() -> None:
    engine = Engine.load("systolic-32")
    unit = engine.unit_for("int8", "int8")
    assert unit is not None
    assert unit.accumulate == "int32"
    assert engine.unit_for("int8", "float32") is None


def test_bits_of_types() -> None:
    assert (BITS["float8e4m3fn"], BITS["bfloat16"], BITS["int4"], BITS["uint64"]) == (8, 16, 4, 64)
