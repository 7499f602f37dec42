from __future__ import annotations

from pathlib import Path

import pytest

from onnxtile.engine.description import Engine
from onnxtile.engine.load import names
from onnxtile.engine.template import template
from onnxtile.errors import UsageError


def loaded(text: str, tmp_path: Path) -> Engine:
    (tmp_path / "e.toml").write_text(text, encoding="utf-8")
    return Engine.load(tmp_path / "e.toml")


def test_the_template_is_an_engine_of_that_name(tmp_path: Path) -> None:
    for name in ("edge-32", 'a "b" \\1 # c', "\N{SNOWMAN}"):
        assert loaded(template(name), tmp_path).name == name


def test_the_template_has_every_field_with_a_comment() -> None:
    lines = [line.lstrip("# ") for line in template("x").splitlines() if " = " in line and "#" in line]
    named = {line.partition(" = ")[0] for line in lines}
    for table in [Engine, *(type(getattr(Engine.load("tpu-like"), name)) for name in ("local", "memory", "conv"))]:
        assert {name for name in table.model_fields if name not in Engine.model_fields or name == "clock"} <= named
    assert set(Engine.load("tpu-like").product[0].model_fields_set) <= named | {"types"}


@pytest.mark.parametrize("built_in", names())
def test_a_built_in_engine_is_copied_under_another_name(built_in: str, tmp_path: Path) -> None:
    copied = loaded(template("mine", built_in), tmp_path)
    assert copied == Engine.load(built_in).model_copy(update={"name": "mine"})


def test_what_is_refused() -> None:
    with pytest.raises(UsageError, match="^built-in engine 'tpu-lik' is unknown: .*; did you mean 'tpu-like'"):
        template("x", "tpu-lik")
    with pytest.raises(UsageError, match='^name is "": write a text of 1 to 100 printable characters$'):
        template("")
    with pytest.raises(UsageError, match="^name is "):
        template("a\x7f")
