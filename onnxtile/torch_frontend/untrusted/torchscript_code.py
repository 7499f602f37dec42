"""Judge the code in a TorchScript archive by the operators that it names: nothing of it is run."""

from __future__ import annotations

import io
import tokenize

from onnxtile.errors import ModelError
from onnxtile.torch_frontend.untrusted.operators import TORCHSCRIPT_NAMESPACES, reaches_out

_BLANK = (tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)


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
