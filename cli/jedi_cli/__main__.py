"""``python -m jedi_cli`` is ``jedi``."""

from jedi_cli.main import app

app(prog_name="jedi")
