"""Test that what a call names is opened with its inputs."""

from __future__ import annotations

import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")

from torch import nn  # noqa: E402  # only where torch is there

from onnxtile.errors import UsageError  # noqa: E402  # the same
from onnxtile.torch_frontend.load import open_torch, running  # noqa: E402  # the same


def test_inputs_and_their_seed() -> None:
    module = nn.Linear(2, 2)
    random, given = open_torch(module, "3x2", seed=5), open_torch(module, torch.ones(3, 2))
    assert (random.seed, random.args[0].shape, given.seed) == (5, (3, 2), None)
    named = open_torch(module, {"input": np.ones((3, 2), np.float32)})
    assert named.args == () and torch.equal(named.kwargs["input"], torch.ones(3, 2))


def test_an_exported_program_has_inputs_of_its_own() -> None:
    program = torch.export.export(nn.Linear(2, 2), (torch.ones(3, 2),))
    assert open_torch(program).args[0].shape == (3, 2)
    with pytest.raises(UsageError, match="a model of torch doesn't say what it takes: give inputs"):
        open_torch(nn.Linear(2, 2))


def test_what_was_compiled_is_opened_as_it_was_written() -> None:
    module = nn.Linear(2, 2)
    assert open_torch(torch.compile(module), "1x2").model is module


def test_what_a_model_raises_and_prints(capsys: pytest.CaptureFixture[str]) -> None:
    def model() -> None:
        sys.stdout.write("words")
        raise SystemExit(3)

    with pytest.raises(UsageError, match="the model fails on these inputs: SystemExit: 3"), running():
        model()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "words")
