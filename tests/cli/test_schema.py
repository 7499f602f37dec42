"""`onnxtile schema`."""

from __future__ import annotations

import json

from onnxtile.cli.documents import documents
from tests.commands import Cli, one_line


def test_schemas_by_name_and_by_their_short_one(cli: Cli) -> None:
    assert cli("schema")[1].split() == list(documents())
    short, full = cli("schema", "verify"), cli("schema", "onnxtile.verify/2")
    assert short == full
    schema = json.loads(short[1])
    assert (schema["title"], schema["properties"]["schema"]) == ("onnxtile.verify/2", {"const": "onnxtile.verify/2"})
    assert schema["$defs"]["RegionVerdict"]["properties"]["status"] == {"type": "string"}


def test_a_schema_that_there_is_not(cli: Cli) -> None:
    one_line(cli("schema", "lowr"), "schema 'lowr' is unknown: take one of .*; did you mean 'lower'?")
