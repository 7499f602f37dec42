"""`sweep`: what models cost on each of many engines."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

from pydantic import BaseModel

from onnxtile.engine.choice import Minimize
from onnxtile.engine.description import Engine
from onnxtile.engine.load import table_of
from onnxtile.errors import UsageError, suggesting_options, wrong_name
from onnxtile.exploration.products import products_of
from onnxtile.exploration.results import Sweep
from onnxtile.exploration.store import check_store
from onnxtile.exploration.study import Study
from onnxtile.exploration.variation import Table, Variation, variants
from onnxtile.ir.io.interop import AnyModel
from onnxtile.ir.io.links import following_links
from onnxtile.ir.io.progress import Progress, silent


@suggesting_options
def sweep(
    models: AnyModel | Sequence[AnyModel],
    engine: Engine | str | os.PathLike[str],
    vary: Mapping[str, str | Sequence[object]] | Sequence[str],
    *,
    bind: Mapping[str, int] | None = None,
    minimize: Minimize = "cycles",
    output: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    on: str | None = None,
    follow_links: bool = False,
    progress: Progress | None = None,
) -> Sweep:
    """Return what the products of models cost on each of the engines that variations of one give.

    `models`: one of ONNX, or several: paths, ModelProtos, onnx_ir.Models or onnx_graphsurgeon.Graphs. `engine`: an
    Engine, the path of an engine file, or the name of a built-in one. `vary`: fields of the engine file and the values
    that each takes, all combinations of them: `{"product.array": ["16x16", "32x32"], "local.size": "64KiB:4MiB:x2"}`,
    or texts as the command line has them. A combination that isn't an engine has a row with the reason. `bind`: sizes
    of free dimensions by name. `minimize`: what tiles and loop orders are chosen by: cycles, bytes or calls.

    `output`: a .csv or .parquet file; rows are appended as they come, and a run that was ended goes on where it was.
    `workers`: processes of this machine (None: this one). `on`: a Dask cluster, `dask://HOST:PORT`, or `dask` for one
    of this machine; where either is given, a script has to keep what it does under `if __name__ == "__main__":`.

    The rows are the same wherever they are computed. docs/engine.md has the formulas. Raises UsageError, ModelError,
    UnsupportedError.
    """
    if minimize not in get_args(Minimize):
        raise wrong_name(f"minimize is {minimize!r}", minimize, get_args(Minimize))
    path = None if output is None else Path(output)
    if path is not None:
        check_store(path)
    say, variations = progress or silent, variations_of(vary)
    table, source = _table(engine)
    engines = list(variants(table, variations, source))
    base = next((variant.engine for variant in engines if variant.engine is not None), None)
    if base is None:
        raise UsageError(f"none of the variations is an engine; of the first: {engines[0].reason}")
    listed = _listed(models)
    with following_links(follow_links):
        found = []
        for model, name in zip(listed, _names(listed), strict=True):
            say(f"read {name}")
            found.append(products_of(model, name, base, bind))
    names = {name for model in found for name in model.free}
    for name in bind or ():
        if name not in names:
            raise wrong_name(f"no model has a free dimension {name!r}", name, sorted(names))
    study = Study.of(found, engines, [variation.path for variation in variations], minimize)
    rows = study.run(path, workers, on, say)
    left_out: dict[str, int] = {}
    for model in found:
        for reason, count in model.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
    return Sweep(study.fields, tuple(model.name for model in found), rows, left_out)


def variations_of(vary: Mapping[str, str | Sequence[object]] | Sequence[str]) -> tuple[Variation, ...]:
    """Return variations from fields with their values, or from texts. Raises UsageError."""
    if isinstance(vary, Mapping):
        joined = {
            field: values if isinstance(values, str) else ",".join(map(str, values)) for field, values in vary.items()
        }
        texts = [f"{field}={values}" for field, values in joined.items()]
    else:
        texts = [vary] if isinstance(vary, str) else list(vary)
    return tuple(map(Variation.parse, texts))


def _table(engine: Engine | str | os.PathLike[str]) -> tuple[Table, str]:
    """Return the content of an engine file, or of an engine in memory (its rates are a cycle), and what it's called."""
    if isinstance(engine, Engine):
        return {name: _content(getattr(engine, name)) for name in engine.model_fields_set}, engine.name
    return table_of(engine), str(engine)


def _content(value: object) -> object:
    if isinstance(value, BaseModel):
        return {name: _content(getattr(value, name)) for name in value.model_fields_set}
    return [_content(item) for item in value] if isinstance(value, tuple) else value


def _listed(models: AnyModel | Sequence[AnyModel]) -> Sequence[AnyModel]:
    listed = cast("Sequence[AnyModel]", models) if isinstance(models, (list, tuple)) else [cast("AnyModel", models)]
    if not listed:
        raise UsageError("no models are given; name one or more")
    return listed


def _names(models: Sequence[AnyModel]) -> list[str]:
    """Return what models are called in the table: files by their path, others by their graph's name or their place."""
    names = []
    for number, model in enumerate(models, 1):
        own = (
            str(model)
            if isinstance(model, (str, os.PathLike))
            else getattr(getattr(model, "graph", model), "name", None)
        )
        names.append(own if own and own not in names else f"{own or 'model'} {number}")
    return names
