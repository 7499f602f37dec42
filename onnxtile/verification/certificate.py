"""The certificate of a proof: what was shown of which files, and all that it takes to show it again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from onnxtile import __version__
from onnxtile.errors import ModelError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.io.files import real, replacing
from onnxtile.ir.io.load import check_regular
from onnxtile.ir.io.progress import Progress, silent
from onnxtile.verification.opened import CHUNK, Opened, open_model
from onnxtile.verification.trial_sizes import lines
from onnxtile.verification.verdict import Verdict
from onnxtile.verification.verify import METHODS, verify

SCHEMA = "onnxtile.certificate/2"
MOST_CASES = 10_000
"""Of a certificate: more would run for days."""
ENGINES = ("onnx", "onnxruntime", "numpy")
_REGION = ("name", "op", "scope", "status", "equivalent", "method", "tiles", "limits", "safe_majorant")
"""What has to come out the same of a region the next time; how it was run may differ with versions."""
_PARTS = {
    "bind": dict, "cases": int, "limits": dict, "lowered": dict, "original": dict, "seed": int, "verdict": dict,
    "versions": dict,
}  # fmt: skip


@dataclass(frozen=True)
class Recheck:
    """Hold what came of repeating a certificate: the verdict now, and what isn't as it says."""

    verdict: Verdict | None
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.differences


def write_certificate(
    path: Path, verdict: Verdict, original: Path, lowered: Path, bind: Mapping[str, int] | None = None
) -> None:
    """Write down what was shown of two files, moved into place whole.

    `limits` in it are the longest sides of the products that take rewritten ones' places, as their evaluation found
    them. Raises UsageError, also for models that aren't equivalent, and ModelError.
    """
    if not verdict.equivalent:
        raise UsageError("a certificate is for models that are equivalent: nothing was written")
    models = [open_model(model) for model in (original, lowered)]
    document = {
        "schema": SCHEMA,
        "versions": versions(),
        "original": _files_of(models[0], original, path),
        "lowered": _files_of(models[1], lowered, path),
        "limits": verdict.limits,
        "bind": dict(bind or {}),
        "seed": verdict.seed,
        "cases": verdict.cases,
        "verdict": verdict.to_json(),
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def recheck(
    path: Path, workers: int | None = None, progress: Progress | None = None, timeout: float | None = None
) -> Recheck:
    """Repeat what a certificate says: the files' hashes, then the proof, on other random numbers than it had.

    Whoever wrote the certificate knows its seed, and could have made a model for it.

    The models lie where the certificate says, seen from its folder. Raises ModelError for a file that isn't a
    certificate, and what `verify` raises.
    """
    document = _read(path)
    try:
        return _repeat(path, document, workers, timeout, progress)
    except UsageError as error:
        raise ModelError(f"{path}: it can't be repeated: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise ModelError(f"{path}: not a whole certificate: {type(error).__name__}: {error}") from error


def _repeat(
    path: Path, document: dict[str, Any], workers: int | None, timeout: float | None, progress: Progress | None
) -> Recheck:
    say = progress or silent
    folder, different = real(path).parent, []
    certified = document["verdict"]
    if certified["equivalent"] is not True or certified["method"] not in METHODS:
        raise ModelError(f"{path}: it doesn't say by a known method that the models are equivalent; a certificate does")
    if not 0 <= document["cases"] <= MOST_CASES:
        raise ModelError(f"{path}: cases is {document['cases']}, not 0 to {MOST_CASES}")
    for which in ("original", "lowered"):
        say(f"hash the {which} model")
        for name, digest in document[which]["sha256"].items():
            file = folder / name
            if not file.is_file():
                raise ModelError(f"{path}: {file} isn't there; put the models where they were beside the certificate")
            if hash_of(file) != digest:
                different.append(f"{which}: {name} isn't the file that was certified")
        if not (folder / document[which]["file"]).is_file():
            raise ModelError(f"{path}: {document[which]['file']} isn't there; put the models where they were")
    if different:
        return Recheck(None, tuple(different))
    first, second = (folder / document[which]["file"] for which in ("original", "lowered"))
    different += _unnamed(path, document, {"original": first, "lowered": second})
    if different:
        return Recheck(None, tuple(different))
    verdict = verify(
        first, second, method=certified["method"], cases=document["cases"] or None, bind=document["bind"],
        workers=workers, timeout=timeout, progress=progress,
    )  # fmt: skip
    now = verdict.to_json()
    if now["limits"] != document["limits"]:
        different.append(f"limits are {now['limits']} now, and were {document['limits']}")
    for key in ("limits", "equivalent", "proven", "method", "reason", "kept"):
        if now[key] != certified.get(key):
            different.append(f"{key} is {now[key]} now, and was {certified.get(key)}")
    for name, key in (("region", "regions"), ("output", "outputs")):
        keys = _REGION if key == "regions" else ("name", "equivalent", "method", "exact")
        pairs = zip([*now[key], None], [*certified[key], None], strict=False)
        for one, other in pairs:
            if any((one or {}).get(key) != (other or {}).get(key) for key in keys):
                different.append(f"{name} {(other or one)['name']!r} isn't judged as it was")
            elif key == "regions" and one and _sizes_differ(one, other):
                different.append(f"{name} {one['name']!r} isn't tried at the sizes that it was")
    return Recheck(verdict, tuple(different))


def _sizes_differ(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether either was tried at sizes that the other wasn't, those aside that a seed draws."""
    sets = [{tuple(sorted(choice.items())) for choice in region["sizes"]} for region in (one, other)]
    drawn = len(lines(next(iter(one["sizes"]), {})))
    return any(len(tried - others) > drawn for tried, others in (sets, sets[::-1]))


def _unnamed(path: Path, document: dict[str, Any], models: Mapping[str, Path]) -> Iterator[str]:
    """Tell files that the certificate has no hash of."""
    for which, model in models.items():
        opened = open_model(model)
        for name in sorted(_relative(file, path) for file in _files(opened, model)):
            if name not in document[which]["sha256"]:
                yield f"{which}: {name} isn't certified"


def _files(opened: Opened, model: Path) -> list[Path]:
    """A model's file and those of its external data."""
    external = onnx.TensorProto.EXTERNAL
    stored = [tensor for tensor in opened.proto.graph.initializer if tensor.data_location == external]
    return [model, *sorted({*opened.inner, *(opened.place(tensor)[0] for tensor in stored)})]


def _files_of(opened: Opened, model: Path, certificate: Path) -> dict[str, Any]:
    """A model's file and those of its external data, from the certificate's folder, with their SHA-256."""
    names = {_relative(path, certificate): hash_of(path) for path in _files(opened, model)}
    return {"file": _relative(model, certificate), "sha256": names}


def _relative(path: Path, certificate: Path) -> str:
    try:
        return Path(os.path.relpath(real(path), real(certificate).parent)).as_posix()
    except ValueError as error:
        raise UsageError(f"{path} and the certificate are on different drives; write it to the same") from error


def hash_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """The releases of what a proof rests on."""
    return {"onnxtile": __version__} | {name: version(name) for name in ENGINES}


def _read(path: Path) -> dict[str, Any]:
    check_regular(path, "a certificate")
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise ModelError(f"{path}: {(error.strerror or str(error)).lower()}; give the path of a certificate") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a certificate: {one_line(error)}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ModelError(f"{path}: not a certificate: its schema isn't {SCHEMA}")
    for name, kind in _PARTS.items():
        if not isinstance(document.get(name), kind) or isinstance(document[name], bool):
            raise ModelError(f"{path}: not a whole certificate: its {name!r} is missing, or isn't of its type")
    return document
