"""``jedi presets`` shows what the presets are."""

from __future__ import annotations

from typer.testing import CliRunner

from jedi_cli.main import app
from jedi_sdk.presets import OBJECTIVES, PRESETS


def test_every_preset_and_objective_is_listed() -> None:
    result = CliRunner().invoke(app, ["presets"], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    for name in (*PRESETS, *OBJECTIVES, "13.5M", "16x8x8", "with space=pixel"):
        assert name in result.output
    assert max(map(len, result.output.splitlines())) <= 80
