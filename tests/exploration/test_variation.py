from __future__ import annotations

import re
from typing import Any

import pytest

from onnxtile.errors import UsageError
from onnxtile.exploration import variation
from onnxtile.exploration.variation import Variation, variants

TABLE: dict[str, Any] = {
    "clock": "1 GHz",
    "product": [
        {
            "types": ["int8", "int8"],
            "accumulate": "int32",
            "array": {"M": 2, "K": 8, "N": 8},
            "max": {"M": 64, "K": 64},
        },
        {"types": ["float32", "float32"], "accumulate": "float32", "array": {"K": 4, "N": 4}},
    ],
    "local": {"size": "64 KiB"},
    "memory": {"bandwidth": "16 GB/s"},
}


def engines(*texts: str) -> list[Any]:
    return [variant.engine for variant in variants(TABLE, [Variation.parse(text) for text in texts])]


def test_all_combinations_in_order_the_last_field_first() -> None:
    fields = [Variation.parse("product.array=16x16,32x32"), Variation.parse("local.size=64KiB,128KiB")]
    found = list(variants(TABLE, fields))
    assert [variant.values for variant in found] == [
        ("16x16", "64 KiB"), ("16x16", "128 KiB"), ("32x32", "64 KiB"), ("32x32", "128 KiB"),
    ]  # fmt: skip
    assert [(e.product[1].array.K, e.local.size) for v in found if (e := v.engine)] == [
        (16, 65536), (16, 131072), (32, 65536), (32, 131072),
    ]  # fmt: skip


def test_axes_that_are_not_named_stay_and_a_star_takes_a_limit_out() -> None:
    (engine,) = engines("product.array=16x16")
    assert [unit.array.M for unit in engine.product] == [2, 1]
    (engine,) = engines("product.1.max=*x32x16")
    assert [(unit.max.M, unit.max.K, unit.max.N) for unit in engine.product] == [(None, 32, 16), (None, None, None)]


def test_one_unit_or_all() -> None:
    (engine,) = engines("product.2.fill=7")
    assert [unit.fill for unit in engine.product] == [0, 7]
    (engine,) = engines("product.array.K=2")
    assert [(unit.array.M, unit.array.K, unit.array.N) for unit in engine.product] == [(2, 2, 8), (1, 2, 4)]


def test_a_table_that_is_not_there_and_a_clock_that_rates_follow() -> None:
    assert [engine.conv.windows for engine in engines("conv.windows=memory,engine")] == ["memory", "engine"]
    assert [engine.memory.bandwidth for engine in engines("clock=1GHz,2GHz")] == [16, 8]


def test_a_combination_that_is_no_engine_has_its_reason() -> None:
    good, bad = variants(TABLE, [Variation.parse("product.held=A,Q")])
    assert good.engine is not None
    assert bad.engine is None
    assert "held" in bad.reason and not bad.reason.startswith("engine:")
    assert bad.reason.startswith("product 1: held is ") and bad.reason.endswith(" (and 1 mistake more)")  # of each unit
    (only,) = variants(TABLE, [Variation.parse("product.1.held=Q")])
    assert only.reason.startswith("product 1: held is ") and not only.reason.endswith("more)")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["local.size"], "--vary local.size: write FIELD=VALUE"),
        (["=3"], "--vary =3: write FIELD=VALUE"),
        (["local.size="], "--vary local.size=: write FIELD=VALUE"),
        (["product.arry=1x1"], "there is no field 'arry' in product; did you mean 'array'?"),
        (["loca.size=1KiB"], "there is no field 'loca' in an engine; did you mean 'local'?"),
        (["clock.a=1"], "clock has no fields"),
        (["product=1"], "product isn't varied"),
        (["name=a"], "name isn't varied"),
        (["product.types=int8"], "product.types isn't varied"),
        (["product.3.fill=1"], "the engine has products 1 to 2"),
        (["local.size.A=1KiB"], "the engine has '64 KiB' there, without fields; vary that as a whole"),
        (["local.size=1KiB,1 KiB"], "--vary local.size: 1 KiB is there twice"),
        (["local.size=1KiB", "local.size=2KiB"], "set the same field"),
        (
            ["product.array=1x1", "product.1.array.K=2"],
            "--vary product.array and --vary product.1.array.K set the same",
        ),
    ],
)
def test_what_cannot_be_varied_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        engines(*texts)


def test_units_of_their_own_do_not_overlap() -> None:
    assert len(engines("product.1.fill=1,2", "product.2.fill=1,2")) == 4


def test_as_many_engines_as_a_sweep_takes_and_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variation, "MOST_ENGINES", 6)
    assert len(engines("product.fill=1,2,3", "product.call=1,2")) == 6
    with pytest.raises(UsageError, match="9 engines are more than 6: vary fewer fields, or in larger steps"):
        engines("product.fill=1,2,3", "product.call=1,2,3")
