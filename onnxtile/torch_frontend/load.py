"""Models of torch from files, and from the user's own code. What a file is, its bytes say before anything is loaded."""

from __future__ import annotations

import importlib
import io
import logging
import re
import sys
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Literal

from onnxtile.errors import ModelError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.printable import beginning
from onnxtile.torch_frontend.untrusted.archives import MAGIC, Archive
from onnxtile.torch_frontend.untrusted.exported_files import OLD_GRAPH, check_exported, check_old_exported
from onnxtile.torch_frontend.untrusted.pickles import SAVE_AS, SCRIPT, check_pickle

Kind = Literal["module", "script", "exported"]
SPEC = re.compile(r"([A-Za-z_][\w.]*):([A-Za-z_][\w.]*)")
"""`module:callable`."""
NO_TORCH = "torch isn't installed: pip install 'onnxtile[torch]'"
_PICKLE = "a pickle of Python objects, which would run code when read"
_SCRIPTS = {
    "aten", "prim", "prims", "quantized", "_quantized", "torchvision", "torchaudio", "sparse", "mkldnn",
    "onednn",
}  # fmt: skip
"""Where operators of TorchScript code may come from."""
_REACHES_OUT = re.compile(
    r"save|load|from_file|read_file|write_file|decode_\w*file|\w*rpc\w*|\w*python\w*", re.IGNORECASE
)
"""Operators that read or write files, or call other processes or Python."""


@dataclass(frozen=True)
class LoadedTorch:
    """A model: an `nn.Module`, a `ScriptModule`, or an `ExportedProgram`."""

    model: Any
    kind: Kind


def load(path_or_spec: str) -> LoadedTorch:
    """The model in a TorchScript archive or a file of torch.export.save; or what `module:callable` gives.

    A file is judged before anything of it is loaded: one that is or holds a pickle of other things than tensors, or
    whose code reaches for files or other processes, is refused. `module:callable` runs that code, which is the user's
    own: `module` is looked for in the current folder too; `callable` gives an `nn.Module`.

    Raises ModelError for what is refused or can't be read, UsageError where torch isn't installed and for a
    `module:callable` that fails.
    """
    named = SPEC.fullmatch(path_or_spec)
    if named and not Path(path_or_spec).exists():
        return LoadedTorch(_called(path_or_spec, *named.groups()), "module")
    path = Path(path_or_spec)
    kind = judge(path)
    torch = require_torch()
    logger = logging.getLogger("torch.export")
    level = logger.level
    try:
        logger.setLevel(logging.CRITICAL)  # what it says of a file that it can't read, the error says too
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if kind == "script":
                return LoadedTorch(torch.jit.load(str(path), map_location="cpu"), kind)
            with path.open("rb") as file:
                return LoadedTorch(torch.export.load(file), kind)
    except Exception as error:  # torch raises any kind for files that it can't read
        raise ModelError(f"{path}: torch {torch.__version__} can't load it: {beginning(one_line(error))}") from error
    finally:
        logger.setLevel(level)


def require_torch() -> ModuleType:
    """The module torch; UsageError with what to install where it isn't there."""
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise UsageError(NO_TORCH) from error
    except (ImportError, OSError) as error:
        raise UsageError(f"torch can't be imported: {one_line(error)}") from error


def judge(path: Path) -> Literal["script", "exported"]:
    """What a file is, by its bytes; ModelError for one that is neither, or that holds what would run."""
    try:
        with path.open("rb") as file:
            return _judged(file, str(path))
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise ModelError(f"{path}: {words}; give the path of a .pt or .pt2 file, or module:callable") from error


def _judged(file: BinaryIO, place: str) -> Literal["script", "exported"]:
    start = file.read(512)
    if not start.startswith(MAGIC):
        raise ModelError(f"{place}: {_what(start)}")
    archive = Archive(file, place)
    if "archive_format" in archive and archive.root:
        if archive.read("archive_format").strip() != b"pt2":
            raise ModelError(f"{place}: an archive of a format that isn't known; {SAVE_AS}")
        check_exported(archive, place)
        return "exported"
    if OLD_GRAPH in archive and not archive.root:
        check_old_exported(archive, place)
        return "exported"
    code = [name for name in archive.names if name.startswith("code/")]
    versioned = "version" in archive or ".data/version" in archive  # the latter with operators of 2021 and newer
    if versioned and "data.pkl" in archive and "constants.pkl" in archive and code and archive.root:
        _check_script(archive, place)
        return "script"
    if "data.pkl" in archive:
        raise ModelError(f"{place}: {_PICKLE}; {SAVE_AS}")
    raise ModelError(f"{place}: a zip archive that is neither TorchScript nor a .pt2 of torch.export.save")


def _what(start: bytes) -> str:
    """What a file that is no archive seems to be."""
    if not start:
        return "is empty"
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return f"{_PICKLE}; {SAVE_AS}"
    if start[257:262] == b"ustar":
        return f"a tar archive of pickles, as torch 0.1 wrote, which would run code when read; {SAVE_AS}"
    if re.match(rb"\x08[\x01-\x20][\x12\x3a\x42\x1a\x22]", start):
        return "seems to be an ONNX model, which torch doesn't read; give it as MODEL.onnx"
    return "neither a TorchScript archive nor a .pt2 of torch.export.save"


def _check_script(archive: Archive, place: str) -> None:
    """Refuse TorchScript whose pickles hold other classes than its own, or whose code reaches out of it."""
    for name in archive.names:
        at = f"{place}: {name}"
        if name in ("model.json", "attributes.pkl"):
            raise ModelError(f"{at}: the layout of torch 1.1 and before; load it there and save it again")
        if name.endswith((".pkl", ".debug_pkl")):
            check_pickle(archive.read(name), at, SCRIPT)
        elif name.startswith("code/"):
            _check_code(archive.read(name), at)


def _check_code(data: bytes, place: str) -> None:
    """The operators that TorchScript's code names, as it's split by Python, whose lexer it shares."""
    skipped = (tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
    try:
        words = [each for each in tokenize.tokenize(io.BytesIO(data).readline) if each.type not in skipped]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError) as error:
        raise ModelError(f"{place}: isn't code that TorchScript writes") from error
    texts = [word.string for word in words] + [""] * 6
    for at, word in enumerate(words):
        if word.type == tokenize.STRING and word.string[0] not in "\"'":
            raise ModelError(f"{place}: refused: a string of a kind that TorchScript doesn't write")
        if word.string not in ("torch", "ops") or (at and texts[at - 1] == "."):
            continue
        # torch.NAME( or ops.WHERE.NAME( and nothing else: what stands for a whole family of operators could be put
        # into a variable, or hold others (torch.autograd.save is torch.save)
        count = 1 if word.string == "torch" else 2
        chain = texts[at + 2 : at + 2 + 2 * count : 2]
        if texts[at + 1 : at + 1 + 2 * count : 2] != ["."] * count or texts[at + 1 + 2 * count] != "(":
            raise ModelError(f"{place}: refused: {word.string!r} is used in a way that TorchScript doesn't write")
        if _REACHES_OUT.fullmatch(chain[-1]) or (word.string == "ops" and chain[0] not in _SCRIPTS):
            raise ModelError(
                f"{place}: refused: calls {'.'.join([word.string, *chain])}, which may reach out of the model"
            )


def _called(spec: str, module: str, name: str) -> Any:
    """What the user's own code gives; UsageError where it fails."""
    torch = require_torch()
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        if not isinstance(found, torch.nn.Module):
            found = found()
    except (Exception, SystemExit) as error:  # it runs the user's code, which may raise anything
        raise UsageError(f"{spec} fails: {type(error).__name__}: {beginning(one_line(error))}") from error
    if not isinstance(found, torch.nn.Module):
        raise UsageError(f"{spec} gives a {type(found).__name__}; it should give a torch.nn.Module")
    return found
