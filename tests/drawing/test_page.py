from __future__ import annotations

import base64
import hashlib
import json
import re

from onnxtile.drawing.page import asset, finish, page
from onnxtile.drawing.svg import to_html
from tests.drawing.models import HOSTILE


def test_a_page_runs_our_script_alone_and_loads_nothing() -> None:
    root, body = page(HOSTILE, ("page.css",), "draw.js")
    finish(body, "draw.js", {"name": HOSTILE})
    text = to_html(root)
    digest = base64.b64encode(hashlib.sha256(asset("draw.js").encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    assert f"<script>{asset('draw.js')}</script>" in text and text.count("<script") == 2
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    data = re.search(r'id="data">(.*?)</script>', text)
    assert data is not None and json.loads(data[1]) == {"name": HOSTILE}
