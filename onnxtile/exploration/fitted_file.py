"""Write fitted numbers into the text of an engine file; whatever else is in it stays, comments too."""

from __future__ import annotations

from onnxtile.errors import UsageError
from onnxtile.exploration.fit import Numbers


def with_numbers(text: str, numbers: Numbers) -> str:
    """Return the text of an engine file with fill, call and bandwidth set; the bandwidth is in bytes a cycle.

    Raises UsageError where tomlkit isn't installed.
    """
    check_writer()
    import tomlkit

    document = tomlkit.parse(text)
    for unit in document["product"]:
        types = " x ".join(unit["types"])
        if types in numbers.fill:
            unit["fill"], unit["call"] = numbers.fill[types], numbers.call[types]
    if "memory" not in document:
        document["memory"] = tomlkit.table()
    document["memory"]["bandwidth"] = numbers.bandwidth
    return str(tomlkit.dumps(document))


def check_writer() -> None:
    """Raise UsageError where no engine file can be written anew."""
    try:
        import tomlkit  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "writing an engine file takes tomlkit, which isn't installed: pip install 'onnxtile[fit]'"
        ) from error
