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
from onnxtile.engine.mistakes import _table_in, toml_text
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
