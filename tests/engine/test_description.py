from __future__ import annotations

import pickle
import re
import subprocess
import sys
from fractions import Fraction

import pytest
from pydantic.fields import FieldInfo

import onnxtile
from onnxtile.engine.description import BITS, Engine, Unset
from onnxtile.engine.load import names
from onnxtile.engine.mistakes import _table_in, toml_text
from onnxtile.errors import UsageError
from tests.support import ROOT


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


def test_the_document_has_each_field_and_what_is_assumed_without_it() -> None:
    sections = re.split(r"^(?:At the top|`\[{1,2}(\w+)\]{1,2}`)", (ROOT / "docs" / "engine.md").read_text(), flags=re.M)
    shown = {
        (section or "", name): otherwise.replace("`", "")
        for section, text in zip(sections[1::2], sections[2::2], strict=True)
        for name, otherwise in re.findall(r"^\| `(\w+)` \|.*\| (.+) \|$", text, re.M)
    }
    fields = {
        (section, name): field
        for section, model in [("", Engine), *((name, _table_in(one.annotation)) for name, one in TOP.items())]
        if model is not None
        for name, field in model.model_fields.items()
        if _table_in(field.annotation) is None or section
    }
    assert shown == {place: _otherwise(field) for place, field in fields.items()}


TOP = Engine.model_fields


def _otherwise(field: FieldInfo) -> str:
    unset = [one.words for one in field.metadata if isinstance(one, Unset)]
    return "an error" if field.is_required() else unset[0] if unset else toml_text(field.default)


def test_an_engine_is_read_lazily() -> None:
    code = "import sys, onnxtile.cli.app, onnxtile.api.lower; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_an_engine_is_public_immutable_and_survives_pickling() -> None:
    assert onnxtile.Engine is Engine
    engine = Engine.load("tpu-like")
    assert pickle.loads(pickle.dumps(engine)) == engine
    with pytest.raises(ValueError, match="frozen"):
        engine.name = "other"  # type: ignore[misc]  # that's the point


@pytest.mark.parametrize("name", names())
def test_what_is_dumped_loads_again(name: str) -> None:
    """As a table of Python, as what JSON holds, and as its text: rates that no float is are texts of fractions."""
    engine = Engine.load(name)
    for dumped in (engine.model_dump(), engine.model_dump(mode="json")):
        assert Engine(**dumped) == Engine.model_validate(dumped) == engine
    assert Engine.model_validate_json(engine.model_dump_json()) == engine


def test_whole_numbers_are_dumped_as_such() -> None:
    table = {"clock": "7 MHz", "memory": {"bandwidth": "14 MB/s"}, "operators": {"vector": "1 MB/s", "host": 0.5}}
    fields = {"product": [{"types": ["int8", "int8"], "accumulate": "int32", "array": {}}], "local": {"size": "1 KiB"}}
    for mode in ("python", "json"):
        dumped = Engine(**table, **fields).model_dump(mode=mode)
        found = [
            dumped["clock"],
            dumped["memory"]["bandwidth"],
            dumped["operators"]["vector"],
            dumped["operators"]["host"],
        ]
        assert [repr(value) for value in found] == ["7000000", "2", "'1/7'", "0.5"]
        slow = Engine(**table | {"clock": "7.5 Hz"}, **fields)
        assert Engine(**slow.model_dump(mode=mode)) == slow


@pytest.mark.parametrize("text", ["1/0", "/2", "1/2/3", "-1/2", "0/5", "1 / 2", f"1/{'9' * 100}"])
def test_texts_that_are_no_fractions(text: str) -> None:
    unit = {"types": ["int8", "int8"], "accumulate": "int32", "array": {}}
    with pytest.raises(UsageError, match="memory.bandwidth is "):
        Engine(product=[unit], local={"size": "1 KiB"}, memory={"bandwidth": text})


def test_a_clock_without_a_unit_is_as_fast_as_clocks_are_or_refused() -> None:
    fields = {"product": [{"types": ["int8", "int8"], "accumulate": "int32", "array": {}}], "local": {"size": "1 KiB"}}
    assert Engine(clock=1_000_000, **fields).clock == 1_000_000
    with pytest.raises(UsageError, match='clock is 999999, in Hz: write "999999 MHz", or "999999 Hz" where that is'):
        Engine(clock=999_999, **fields)
