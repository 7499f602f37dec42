from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drawing.browser import Browser, browsing


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all pages: it takes a second to start."""
    with browsing(tmp_path_factory.mktemp("browser")) as browser:
        yield browser
