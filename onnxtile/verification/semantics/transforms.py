"""Fourier transforms: products by their matrices, whose numbers are cosines and sines rounded once to the type."""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np
import onnx_ir as ir

from onnxtile.verification.field import DIGITS
from onnxtile.verification.semantics.entry import Call, operator
from onnxtile.verification.semantics.moves import reshaped
from onnxtile.verification.semantics.products import product
from onnxtile.verification.value import UnprovenError, Value

MOST_NUMBERS = 1 << 26
"""Numbers of a matrix that is computed; `lower` refuses transforms by larger ones."""
PI = Decimal("3.1415926535897932384626433832795028841971693993751058209749445923")


@operator("DFT", "number length axis", "axis inverse onesided")
def _dft(call: Call) -> Value:
    x, lengths, axes = call.value(0), call.whole(1), call.whole(2)
    rank = len(x.shape)
    default = call.attributes.get("axis", 1) if call.opset < 20 else -2
    axis = (axes[0] if axes else int(default)) % rank
    inverse, onesided = (bool(call.attributes.get(name)) for name in ("inverse", "onesided"))
    own, parts = x.shape[axis], x.shape[-1]
    whole = lengths[0] if lengths else 2 * (own - 1) if inverse and onesided else own
    _checked(call, x, whole, onesided, inverse)
    taken = min(own, whole // 2 + 1 if inverse and onesided else whole)
    x = x.moved(lambda array, lead: np.moveaxis(array, axis + lead, -2)[..., :taken, :])
    front = list(x.shape[:-2])
    matrix, given, complex_parts = _matrix(whole, taken, parts, inverse, onesided, x.dtype)
    y = product(call, reshaped(x, [*front, taken * parts]), Value.constant(call.field, matrix, x.dtype))
    y = reshaped(y, [*front, given, complex_parts])
    return y.moved(lambda array, lead: np.moveaxis(array, -2, axis + lead))


@operator("STFT", "number length number length", "onesided")
def _stft(call: Call) -> Value:
    x, steps, window, lengths = call.value(0), call.whole(1), call.optional(2), call.whole(3)
    if len(x.shape) == 2:  # real numbers, as torch's exporters write them and onnxruntime takes them
        x = reshaped(x, [*x.shape, 1])
    onesided = bool(call.attributes.get("onesided", 1))
    length = lengths[0] if lengths else window.shape[0] if window is not None else x.shape[1]
    _checked(call, x, length, onesided, inverse=False)
    if not steps or steps[0] < 1 or length > x.shape[1] or (window is not None and window.shape != (length,)):
        raise UnprovenError(f"STFT of {list(x.shape)} by frames of {length}")
    count, parts = (x.shape[1] - length) // steps[0] + 1, x.shape[2]
    places = np.arange(count)[:, None] * steps[0] + np.arange(length)
    frames = x.moved(lambda array, lead: np.take(array, places, 1 + lead))
    if window is not None:
        frames = call.of("Mul", frames, reshaped(window, [length, 1]))
    matrix, given, _ = _matrix(length, length, parts, False, onesided, x.dtype)
    rows = reshaped(frames, [x.shape[0], count, length * parts])
    y = product(call, rows, Value.constant(call.field, matrix, x.dtype))
    return reshaped(y, [x.shape[0], count, given, 2])


def _checked(call: Call, x: Value, points: int, onesided: bool, inverse: bool) -> None:
    if x.shape[-1] not in (1, 2) or points < 1 or (onesided and x.shape[-1] != 1 + inverse):
        raise UnprovenError(f"{call.node.op_type} of {points} points of {list(x.shape)}, onesided {onesided}")


def _matrix(
    whole: int, taken: int, parts: int, inverse: bool, onesided: bool, dtype: ir.DataType
) -> tuple[np.ndarray, int, int]:
    """The matrix, how many points it gives, and parts of each: of e^(-+2 pi i n k / N), over N where it's inverse."""
    real = onesided and inverse
    given = whole // 2 + 1 if onesided and not inverse else whole
    if taken * parts * given * (2 - real) > MOST_NUMBERS:
        raise UnprovenError(f"a transform of {whole:,} points has too large a matrix")
    table = _roots(whole, dtype, inverse)
    turns = np.outer(np.arange(taken), np.arange(given)) % whole
    cosine, sine = table[0][turns], table[1][turns] * (1 if inverse else -1)
    if real:  # what isn't taken is the mirror image of what is
        twice = (np.arange(taken) > 0) & (2 * np.arange(taken) != whole)
        cosine, sine = (np.where(twice[:, None], 2 * wave, wave) for wave in (cosine, sine))
    of_real = [cosine] if real else [cosine, sine]
    of_imaginary = [-sine] if real else [-sine, cosine]
    rows = [np.stack(of_real, -1), np.stack(of_imaginary, -1)][:parts]
    matrix = np.stack(rows, 1).reshape(taken * parts, given * len(of_real))
    return (matrix + 0.0).astype(dtype.numpy()), given, len(of_real)


@lru_cache(maxsize=16)
def _roots(whole: int, dtype: ir.DataType, divided: bool) -> np.ndarray:
    """Cosines and sines of 2 pi j / N, rounded once to the type, as float64."""
    digits = DIGITS[dtype.name][0]
    rows = []
    with localcontext() as context:
        context.prec = 60
        for turn in range(whole):
            sine, cosine = _sine(turn, whole), _sine(4 * turn + whole, 4 * whole)
            rows.append([_nearest(wave / whole if divided else wave, digits) for wave in (cosine, sine)])
    return np.asarray(np.array(rows, np.float64).T)


def _sine(turn: int, whole: int) -> Decimal:
    """The sine of 2 pi turn / whole, by its series."""
    turn %= whole
    if 2 * turn > whole:
        return -_sine(whole - turn, whole)
    if 4 * turn > whole:
        turn, whole = whole - 2 * turn, 2 * whole
    if 12 * turn == whole:
        return Decimal("0.5")
    angle = 2 * PI * turn / whole
    if 4 * turn == whole:
        return Decimal(1)
    term, total, index = angle, angle, 1
    while abs(term) > Decimal("1e-58"):
        index += 2
        term = -term * angle * angle / (index * (index - 1))
        total += term
    return total


def _nearest(number: Decimal, digits: int) -> float:
    """The nearest number of so many binary digits."""
    if not number:
        return 0.0
    _, exponent = np.frexp(float(number))
    scale = Decimal(2) ** (digits - int(exponent))
    return float((number * scale).to_integral_value()) * 2.0 ** (int(exponent) - digits)
