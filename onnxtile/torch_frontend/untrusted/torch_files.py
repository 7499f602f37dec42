"""Tell what a file of torch is by its bytes, and refuse one that would run code when it's loaded."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import BinaryIO, Literal

from onnxtile.errors import ModelError, unreadable
from onnxtile.torch_frontend.untrusted.archives import MAGIC, Archive
from onnxtile.torch_frontend.untrusted.exported_files import OLD_GRAPH, check_exported, check_old_exported
from onnxtile.torch_frontend.untrusted.operators import TORCHSCRIPT_NAMESPACES, reaches_out
from onnxtile.torch_frontend.untrusted.pickles import SAVE_AS, SCRIPT, check_pickle

FileKind = Literal["script", "exported"]
_PICKLE = "a pickle of Python objects, which would run code when read"
_BLANK = (tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


def check_torch_file(path: Path) -> FileKind:
    """Return what a file holds. Raises ModelError for one of another kind, and for one that holds what would run."""
    try:
        with path.open("rb") as file:
            return _check(file, str(path))
    except OSError as error:
        cure = "; give the path of a .pt or .pt2 file, or module:callable"
        raise ModelError(unreadable(path, error, cure)) from error


def _check(file: BinaryIO, location: str) -> FileKind:
    start = file.read(512)
    if not start.startswith(MAGIC):
        raise ModelError(f"{location}: {_described(start)}")
    archive = Archive(file, location)
    if "archive_format" in archive and archive.root:
        if archive.read("archive_format").strip() != b"pt2":
            raise ModelError(f"{location}: an archive of a format that isn't known; {SAVE_AS}")
        check_exported(archive, location)
        return "exported"
    if OLD_GRAPH in archive and not archive.root:
        check_old_exported(archive, location)
        return "exported"
    has_code = any(name.startswith("code/") for name in archive.names)
    versioned = "version" in archive or ".data/version" in archive  # the latter with operators of 2021 and newer
    if versioned and "data.pkl" in archive and "constants.pkl" in archive and has_code and archive.root:
        _check_script(archive, location)
        return "script"
    if "data.pkl" in archive:
        raise ModelError(f"{location}: {_PICKLE}; {SAVE_AS}")
    raise ModelError(f"{location}: a zip archive that is neither TorchScript nor a .pt2 of torch.export.save")


def _described(start: bytes) -> str:
    """Return what a file that is no archive seems to be."""
    if not start:
        return "is empty"
    if start[:1] == b"\x80" and start[1:2] <= b"\x05":
        return f"{_PICKLE}; {SAVE_AS}"
    if start[257:262] == b"ustar":
        return f"a tar archive of pickles, as torch 0.1 wrote, which would run code when read; {SAVE_AS}"
    if re.match(rb"\x08[\x01-\x20][\x12\x3a\x42\x1a\x22]", start):
        return "seems to be an ONNX model, which torch doesn't read; give it as MODEL.onnx"
    return "neither a TorchScript archive nor a .pt2 of torch.export.save"


def _check_script(archive: Archive, location: str) -> None:
    """Refuse TorchScript whose pickles hold other classes than its own, or whose code reaches out of it."""
    for name in archive.names:
        member = f"{location}: {name}"
        if name in ("model.json", "attributes.pkl"):
            raise ModelError(f"{member}: the layout of torch 1.1 and before; load it there and save it again")
        if name.endswith((".pkl", ".debug_pkl")):
            check_pickle(archive.read(name), member, SCRIPT)
        elif name.startswith("code/"):
            check_code(archive.read(name), member)


def check_code(data: bytes, location: str) -> None:
    """Refuse code that calls operators which may reach out of the model, or that could hide it; ModelError.

    It's split by Python's lexer, which TorchScript shares.
    """
    try:
        tokens = [token for token in tokenize.tokenize(io.BytesIO(data).readline) if token.type not in _BLANK]
    except (tokenize.TokenError, SyntaxError, UnicodeDecodeError) as error:
        raise ModelError(f"{location}: isn't code that TorchScript writes") from error
    texts = [token.string for token in tokens] + [""] * 6
    for at, token in enumerate(tokens):
        if token.type == tokenize.STRING and token.string[0] not in "\"'":
            raise ModelError(f"{location}: refused: a string of a kind that TorchScript doesn't write")
        if token.string not in ("torch", "ops") or (at and texts[at - 1] == "."):
            continue
        # torch.NAME( or ops.NAMESPACE.NAME( and nothing else: what stands for a whole family of operators could be put
        # into a variable, or hold others (torch.autograd.save is torch.save)
        count = 1 if token.string == "torch" else 2
        names = texts[at + 2 : at + 2 + 2 * count : 2]
        if texts[at + 1 : at + 1 + 2 * count : 2] != ["."] * count or texts[at + 1 + 2 * count] != "(":
            raise ModelError(f"{location}: refused: {token.string!r} is used in a way that TorchScript doesn't write")
        if reaches_out(names[-1]) or (token.string == "ops" and names[0] not in TORCHSCRIPT_NAMESPACES):
            called = ".".join([token.string, *names])
            raise ModelError(f"{location}: refused: calls {called}, which may reach out of the model")
