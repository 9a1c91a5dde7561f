"""Builds sdist and wheel, looks into the wheel, installs it in a clean environment, asks for help and for an agent.

A script and not a test, because it installs torch: run by ``make test``, once, behind the tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {"jedi_sdk/py.typed", "jedi_sdk/config.py", "jedi_sdk/zoo.json", "jedi_cli/main.py"}
MOST_BYTES = 20_000_000
LOAD = """
import socket
def connect(*_): raise SystemExit("loading an embedded agent asked the network")
socket.socket.connect = connect
from jedi_sdk import JEDI
from jedi_sdk.hub import entries
for name, entry in entries().items():
    assert str(JEDI.from_pretrained(name).origin) == f"{name} ({entry.embedded}, embedded)"
    print(name)
"""


def build(folder: Path) -> Path:
    """The wheel, made from the sdist: a file missing from the sdist is missing from the wheel."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return next(folder.glob("*.whl"))


def check_content(wheel: Path) -> None:
    if wheel.stat().st_size > MOST_BYTES:
        sys.exit(f"{wheel.name} has {wheel.stat().st_size:,} bytes, more than {MOST_BYTES:,}")
    names = zipfile.ZipFile(wheel).namelist()
    distribution = "-".join(wheel.name.split("-")[:2])
    top = {name.partition("/")[0] for name in names}
    expected = {"jedi_sdk", "jedi_cli", f"{distribution}.dist-info"}
    if top != expected:
        sys.exit(f"{wheel.name} would put {sorted(top)} into site-packages, not {sorted(expected)}")
    bases = (ROOT, ROOT / "cli")
    agents = {file.relative_to(ROOT).as_posix() for file in (ROOT / "jedi_sdk" / "zoo").rglob("*") if file.is_file()}
    sources = {file.relative_to(base).as_posix() for base in bases for file in base.glob("jedi_*/**/*.py")}
    if missing := (sources | agents | NEEDED) - set(names):
        sys.exit(f"{wheel.name} lacks {sorted(missing)}")


def check_install(wheel: Path, folder: Path) -> None:
    venv.create(folder, with_pip=True)
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    help_text = run(folder / "bin" / "jedi", "--help")
    if "train" not in help_text:
        sys.exit(f"`jedi --help` of the installed wheel does not name the command train:\n{help_text}")
    loaded = run(folder / "bin" / "python", "-c", LOAD).split()
    if not loaded:
        sys.exit("the installed wheel embeds no agent")


def run(*command: str | Path) -> str:
    """Runs outside the checkout, lest Python import from it; stops with the output if the command fails."""
    pinned = {**os.environ, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}  # the build's own tools too
    done = subprocess.run([*map(str, command)], cwd=tempfile.gettempdir(), env=pinned, text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        wheel = build(Path(folder) / "dist")
        check_content(wheel)
        check_install(wheel, Path(folder) / "venv")
        print(f"{wheel.name} holds what it should, installs, answers, and loads its agents")
