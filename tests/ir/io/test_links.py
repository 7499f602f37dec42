"""Test that whether links out of a model's folder are followed is said once, and holds inside the block alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onnxtile.ir.io.links import follow_links, following_links, links_are_followed


@pytest.fixture(autouse=True)
def _not_followed() -> Iterator[None]:
    """Begin as a program does: other tests in this process run commands that follow links."""
    before = links_are_followed()
    follow_links(False)
    yield
    follow_links(before)


def test_the_block_ends() -> None:
    with following_links():
        assert links_are_followed()
        with following_links(False):  # changes nothing
            assert links_are_followed()
    assert not links_are_followed()


def test_an_error_ends_the_block_too() -> None:
    with pytest.raises(RuntimeError), following_links():
        raise RuntimeError
    assert not links_are_followed()


def test_it_holds_from_then_on_outside_of_a_block() -> None:
    follow_links(True)
    assert links_are_followed()
    follow_links(False)
    assert not links_are_followed()
