"""Certificates: the same bytes each time, repeatable, and nobody can change a word or a file unnoticed."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxtile
from onnxtile.errors import ModelError, OnnxtileError, UsageError
from onnxtile.verification.certificate import Recheck, recheck, write_certificate
from tests.commands import Cli
from tests.support import parse

TEXT = """<ir_version: 10, opset_import: ["" : 20]> g (float[n,12] x) => (float[n,10] y) {
    [fc1] h = MatMul (x, w)  [act] r = Relu (h)  [fc2] y = MatMul (r, v) }"""


def network() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    weights = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in (("w", (12, 8)), ("v", (8, 10)))}
    return parse(TEXT, **weights)


def certified(folder: Path, method: str | None = None, external: bool = False) -> Path:
    """`a.onnx`, `b.onnx` and their certificate `c.json`."""
    original, lowered, certificate = (folder / name for name in ("a.onnx", "b.onnx", "c.json"))
    onnx.save(network(), original)
    onnxtile.lower(original, (None, 4, 4), output=lowered)
    if external:
        onnx.save(onnx.load(lowered), lowered, save_as_external_data=True, location="b.data", size_threshold=0)
    verdict = onnxtile.verify(original, lowered, bind={"n": 5}, method=method, seed=8)
    write_certificate(certificate, verdict, original, lowered, {"n": 5})
    return certificate


@pytest.fixture(scope="module")
def whole_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certified(tmp_path_factory.mktemp("certificate"))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("method", ["exact", "bound"])
def test_a_certificate_holds(tmp_path: Path, method: str) -> None:
    path = certified(tmp_path, method)
    found = recheck(path)
    assert found.holds
    assert found.verdict is not None
    assert (found.verdict.method, found.verdict.equivalent) == (method, True)
    assert names(tmp_path) == ["a.onnx", "b.onnx", "c.json"]


def test_what_it_says(whole_one: Path) -> None:
    told = json.loads(whole_one.read_text())
    assert told["schema"] == "onnxtile.certificate/2"
    assert told["limits"] == {"k": 4, "m": 5, "n": 4}
    assert (told["bind"], told["cases"]) == ({"n": 5}, 1)
    assert list(told["original"]["sha256"]) == [told["original"]["file"]] == ["a.onnx"]
    assert [region["tiles"] for region in told["verdict"]["regions"]] == [6, 6]
    assert set(told["versions"]) == {"onnxtile", "onnx", "onnxruntime", "numpy"}


def test_the_same_files_give_the_same_bytes(whole_one: Path, tmp_path: Path) -> None:
    assert certified(tmp_path).read_bytes() == whole_one.read_bytes()
    assert certified(tmp_path).read_bytes() == whole_one.read_bytes()


def test_the_folder_can_be_moved(whole_one: Path, tmp_path: Path) -> None:
    shutil.copytree(whole_one.parent, tmp_path / "moved")
    assert recheck(tmp_path / "moved" / "c.json").holds


def test_models_in_other_folders(tmp_path: Path) -> None:
    certified(tmp_path)
    for folder in ("models", "proofs"):
        (tmp_path / folder).mkdir()
    original = (tmp_path / "a.onnx").rename(tmp_path / "models" / "a.onnx")
    path, lowered = tmp_path / "proofs" / "p.json", tmp_path / "b.onnx"
    write_certificate(path, onnxtile.verify(original, lowered), original, lowered)
    assert json.loads(path.read_text())["original"]["file"] == "../models/a.onnx"
    assert recheck(path).holds


def test_external_data_is_certified_too(tmp_path: Path) -> None:
    path = certified(tmp_path, external=True)
    assert set(json.loads(path.read_text())["lowered"]["sha256"]) == {"b.onnx", "b.data"}
    assert recheck(path).holds
    with (tmp_path / "b.data").open("r+b") as file:
        file.write(b"\xff")
    assert recheck(path).differences == ("lowered: b.data isn't the file that was certified",)
    (tmp_path / "b.data").unlink()
    with pytest.raises(ModelError, match="isn't there; put the models where they were beside the certificate"):
        recheck(path)


def test_a_file_without_its_hash_is_told(tmp_path: Path) -> None:
    path = certified(tmp_path, external=True)
    told = json.loads(path.read_text())
    del told["lowered"]["sha256"]["b.data"]
    told["original"]["sha256"] = {}
    path.write_text(json.dumps(told))
    assert recheck(path) == Recheck(None, ("original: a.onnx isn't certified", "lowered: b.data isn't certified"))


@pytest.mark.parametrize("which", ["a.onnx", "b.onnx"])
def test_a_changed_model_is_told(tmp_path: Path, which: str) -> None:
    path = certified(tmp_path)
    changed = onnx.load(tmp_path / which)
    changed.doc_string = "another"
    onnx.save(changed, tmp_path / which)
    found = recheck(path)
    word = "original" if which == "a.onnx" else "lowered"
    assert (found.verdict, found.differences) == (None, (f"{word}: {which} isn't the file that was certified",))


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    path = certified(tmp_path)
    (tmp_path / "a.onnx").unlink()
    with pytest.raises(ModelError, match=r"c.json: .*a.onnx isn't there; put the models where they were"):
        recheck(path)


def test_there_is_no_certificate_of_what_is_wrong(tmp_path: Path) -> None:
    original, lowered = tmp_path / "a.onnx", tmp_path / "b.onnx"
    certified(tmp_path)
    wrong = onnx.load(lowered)
    add = next(node for node in wrong.graph.node if node.op_type == "Add")
    add.input[1] = add.input[0]
    onnx.save(wrong, lowered)
    verdict = onnxtile.verify(original, lowered)
    assert not verdict.equivalent
    with pytest.raises(UsageError, match="a certificate is for models that are equivalent: nothing was written"):
        write_certificate(tmp_path / "w.json", verdict, original, lowered)
    assert not (tmp_path / "w.json").exists()


SAID: dict[str, tuple[tuple[str | int, ...], object]] = {
    "method is exact now, and was bound": (("verdict", "method"), "bound"),
    "kept is 1 now, and was 7": (("verdict", "kept"), 7),
    "region 'fc1' isn't judged as it was": (("verdict", "regions", 0, "tiles"), 5),
    "region 'fc3' isn't judged as it was": (("verdict", "regions", 1, "name"), "fc3"),
    "output 'y' isn't judged as it was": (("verdict", "outputs", 0, "equivalent"), False),
}


@pytest.mark.parametrize("words", SAID)
def test_changed_words_are_told(whole_one: Path, tmp_path: Path, words: str) -> None:
    place, value = SAID[words]
    found = rechecked(whole_one, tmp_path, lambda told: put(told, place, value))
    assert not found.holds
    if words.startswith("method"):  # the whole models are compared then: there are no regions
        assert len(found.differences) > 1
    else:
        assert found.differences == (words,)


def test_other_limits_are_told(whole_one: Path, tmp_path: Path) -> None:
    found = rechecked(whole_one, tmp_path, lambda told: put(told, ("limits", "k"), 2))
    assert found.differences[0].startswith("limits are {")


def put(told: dict[str, Any], place: tuple[str | int, ...], value: object) -> None:
    """Put a value at a place of the document; remove what's there where the value is `...`."""
    at: Any = told
    for key in place[:-1]:
        at = at[key]
    if value is ...:
        del at[place[-1]]
    else:
        at[place[-1]] = value


def rechecked(certificate: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Recheck:
    """Recheck a changed copy beside copies of its models."""
    for name in ("a.onnx", "b.onnx"):
        if not (folder / name).exists():
            shutil.copy(certificate.parent / name, folder / name)
    told = json.loads(certificate.read_text())
    change(told)
    (folder / "c.json").write_text(json.dumps(told))
    return recheck(folder / "c.json")


INFORMS = ("versions", "engine", "cases", "seed", "allowed", "exact", "max_abs_error", "note", "same_as", "schema",
           "first_outside", "layers", "method", "reason", "where", "primes", "sizes",
           "proven")  # fmt: skip
"""What a verdict tells beyond what has to be the same the next time, or what garbage may stand for."""
GARBAGE = [..., None, 17, -1, 1.5, True, "garbage", "", [], [None], {}, {"a": None}]


def places(document: object, so_far: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all that is in a document, to any depth."""
    pairs: Any = document.items() if isinstance(document, dict) else ()
    pairs = enumerate(document) if isinstance(document, list) else pairs
    return [each for key, value in pairs for each in [(*so_far, key), *places(value, (*so_far, key))]]


@given(st.data())
def test_garbage_never_holds_nor_ends_in_a_traceback(whole_one: Path, data: st.DataObject) -> None:
    """Anything removed or replaced: ModelError of one line, or it's told; but for what only informs."""
    told = json.loads(whole_one.read_text())
    place = data.draw(st.sampled_from(places(told)))
    value = data.draw(st.sampled_from(GARBAGE))
    changed = copy.deepcopy(told)
    put(changed, place, value)
    path = whole_one.parent / "changed.json"
    path.write_text(json.dumps(changed))
    refused, found = None, None
    try:
        found = recheck(path)
    except ModelError as error:
        refused = str(error)
    if found is None:
        assert refused is not None
        assert refused.startswith(str(path))
        assert "\n" not in refused
        return
    same = (
        changed == told or place in (("cases",), ("seed",)) or place[0] == "bind"
    )  # sizes that were free may be others
    assert same or not found.holds or place[0] == "versions" or place[-1] in INFORMS


TEXTS = {
    "nothing": b"", "no JSON": b"{", "no text": b"\xff\xfe\x00", "a list": b"[]", "no schema": b"{}",
    "deep": b"[" * 100_000,
    "another schema": b'{"schema": "onnxtile.verify/1"}', "long number": b'{"seed": ' + b"9" * 5000 + b"}",
    "only a schema": b'{"schema": "onnxtile.certificate/2"}',
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(TEXTS[text])
    with pytest.raises(ModelError, match=r"c.json: not a (whole )?certificate: [^\n]*$"):
        recheck(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="c.json: no such file or directory; give the path of a certificate"):
        recheck(tmp_path / "c.json")


def test_a_certificate_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    old = certified(tmp_path).read_bytes()
    verdict = onnxtile.verify(tmp_path / "a.onnx", tmp_path / "b.onnx")
    (tmp_path / "b.onnx").write_bytes(b"\xff")
    with pytest.raises(OnnxtileError):
        write_certificate(tmp_path / "c.json", verdict, tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert (tmp_path / "c.json").read_bytes() == old
    assert names(tmp_path) == ["a.onnx", "b.onnx", "c.json"]


def test_the_command_line(tmp_path: Path, cli: Cli) -> None:
    certified(tmp_path)
    original, lowered, path = (tmp_path / name for name in ("a.onnx", "b.onnx", "d.json"))
    status, out, err = cli("verify", original, lowered, "--bind", "n=5", "--certificate", path)
    assert (status, err, path.is_file()) == (0, "", True)
    assert "2 regions: 2 proven" in out
    status, out, err = cli("verify", "--recheck", path)
    assert (status, err, out.splitlines()[-1]) == (0, "", "the certificate holds")
    status, out, _ = cli("verify", "--recheck", path, "--json")
    told = json.loads(out)
    assert (status, told["schema"], told["holds"], told["differences"]) == (0, "onnxtile.recheck/1", True, [])
    assert told["verdict"]["equivalent"]
    shutil.copy(original, lowered)
    status, out, err = cli("verify", "--recheck", path)
    assert (status, err) == (1, "")
    assert out.splitlines() == ["lowered: b.onnx isn't the file that was certified", "the certificate does NOT hold"]
    status, out, _ = cli("verify", "--recheck", path, "--json")
    assert (status, json.loads(out)["holds"], json.loads(out)["verdict"]) == (1, False, None)


REFUSED: dict[str, tuple[list[str], str]] = {
    "a model too": (["a.onnx", "--recheck", "c.json"], "--recheck takes models, method, cases and sizes from the"),
    "one model": (["a.onnx"], "name two models, ORIGINAL and LOWERED, or a certificate with --recheck FILE"),
    "over a model": (["a.onnx", "b.onnx", "--certificate", "b.onnx"], "which is needed; give another path"),
    "given inputs": (
        ["a.onnx", "b.onnx", "--certificate", "d.json", "--input", "x"],
        "can't be repeated from given",
    ),
    "no folder": (["a.onnx", "b.onnx", "--certificate", "no/d.json"], "its folder doesn't exist"),
    "no certificate": (["--recheck", "a.onnx"], "not a certificate"),
}


@pytest.mark.parametrize("call", REFUSED)
def test_calls_that_are_refused(whole_one: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.chdir(whole_one.parent)
    before = names(whole_one.parent)
    status, out, err = cli("verify", *REFUSED[call][0])
    assert (status, out) == (2, "")
    assert REFUSED[call][1] in " ".join(err.split())
    assert names(whole_one.parent) == before
