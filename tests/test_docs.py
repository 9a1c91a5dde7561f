"""The documentation keeps its word: snippets run, references exist, commands parse, nothing is left to fill in."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from jedi_cli.main import app
from jedi_sdk.checkpoint import SCHEMA, Card
from jedi_sdk.config import Config
from jedi_sdk.load import build_config
from jedi_sdk.settings import flatten

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
RUNNABLE = re.compile(r"<!-- runnable -->\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
REFERENCE = re.compile(r"`((?:jedi_sdk|cli)/[\w/]+\.py):([\w.]+)`")
BEFORE_THE_COMMAND = ("time", "timeout", "-s", "INT", "20m", "PYTHONPATH=.")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fences(page: Path, *languages: str) -> Iterator[str]:
    for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
        if fence["language"] in languages:
            yield fence["text"]


# -- tables ------------------------------------------------------------------------------------------------------


def test_the_cards_table_has_every_key_and_the_schema_of_today() -> None:
    page = (ROOT / "docs" / "guides" / "checkpoints.md").read_text(encoding="utf-8")
    section = page.partition("## The card")[2].partition("## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row)]
    assert sorted(keys) == sorted(Card(Config(), 1, "cpu", "float32").to_json())
    assert f"schema {SCHEMA} has" in section
    assert f"`schema_version` | {SCHEMA} |" in section


# -- snippets -----------------------------------------------------------------------------------------------------


def with_snippets() -> list[Path]:
    return [page for page in PAGES if RUNNABLE.search(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run in ``runs/catch``, as the quickstart leaves it."""
    from jedi_sdk import JEDI

    folder = tmp_path_factory.mktemp("docs")
    JEDI("catch", preset="tiny", device="cpu").learn(run_dir=folder / "runs" / "catch", progress=False)
    return folder


@pytest.mark.parametrize("page", with_snippets(), ids=name_of)
def test_snippets_run_in_the_order_of_the_page(page: Path, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workplace)
    names: dict[str, object] = {"__name__": page.stem}
    for snippet in RUNNABLE.findall(page.read_text(encoding="utf-8")):
        small = snippet.replace('preset="atari100k"', 'preset="tiny"')
        exec(compile(small, name_of(page), "exec"), names)


def test_there_are_snippets_to_run() -> None:
    pages = {"quickstart.md", "own_env.md", "own_encoder.md", "dream_env.md", "sb3.md", "tianshou.md"}
    pages |= {"torchrl.md", "planning.md"}
    assert pages <= {page.name for page in with_snippets()}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_python_snippet_is_python(page: Path) -> None:
    for snippet in fences(page, "python"):
        if not snippet.lstrip().startswith("--8<--"):
            ast.parse(re.sub(r"^    ", "", snippet, flags=re.MULTILINE) if snippet[0] == " " else snippet)


def test_files_are_included_and_not_shown_as_arithmetic() -> None:
    included = [text for page in PAGES for text in fences(page, "python") if "--8" in text]
    assert len(included) >= 6
    assert all(re.fullmatch(r'--8<-- "[\w/]+\.py"\n', text) for text in included)


# -- references to the code ---------------------------------------------------------------------------------------


def defined(path: Path) -> set[str]:
    """Everything in a file that has a name: classes, functions, their members, module-level constants."""
    found: set[str] = set()

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.Assign):
                found.update(prefix + target.id for target in node.targets if isinstance(target, ast.Name))

    walk(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_reference_to_the_code_exists(page: Path) -> None:
    missing = [
        f"{path}:{name}"
        for path, name in REFERENCE.findall(page.read_text(encoding="utf-8"))
        if not (ROOT / path).exists() or name not in defined(ROOT / path)
    ]
    assert not missing


def test_the_method_refers_to_the_code_throughout() -> None:
    text = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
    details = re.findall(r"^\d+\. .*?(?=^\d+\. |^## )", text, re.MULTILINE | re.DOTALL)
    assert len(details) > 10
    assert all(REFERENCE.search(detail) for detail in details)


def test_every_path_in_the_floor_plan_exists() -> None:
    text = (ROOT / "docs" / "floor_plan.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE):
        first, *others = re.findall(r"`([\w/.]+)`", row)
        folder = (ROOT / first).parent
        for path in (ROOT / first, *(folder / other for other in others)):
            assert path.exists(), path


def test_the_floor_plan_names_every_module() -> None:
    text = (ROOT / "docs" / "floor_plan.md").read_text(encoding="utf-8")
    for path in (ROOT / "jedi_sdk").iterdir():
        is_module = path.suffix == ".py" and path.stem != "__init__"
        if is_module or (path / "__init__.py").exists():
            name = path.name if is_module else f"{path.name}/"
            assert re.search(rf"[/`]{re.escape(name)}`", text), f"{name} is missing"


# -- commands -----------------------------------------------------------------------------------------------------


def commands(page: Path) -> Iterator[list[str]]:
    for text in fences(page, "bash", "console", "sh"):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            while words and words[0] in BEFORE_THE_COMMAND:
                words = words[1:]
            if words:
                yield words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_jedi_command_parses(page: Path) -> None:
    for words in commands(page):
        if words[0] == "jedi":
            parse(words[1:])


def parse(words: list[str]) -> None:
    """As typer would, but without the call: a mistake raises its usage error, a wrong setting a ConfigError."""
    group = get_command(app)
    if words[0].startswith("-"):
        assert words[0] in ("--help", "-h", "--version")
        return
    command = group.commands[words[0]]  # pyright: ignore[reportAttributeAccessIssue]
    with command.make_context(words[0], words[1:]) as context:
        given = context.params
        if given.get("game"):
            build_config(
                "catch", preset=given["preset"], objective=given["objective"], overrides=given["overrides"] or ()
            )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_exists(page: Path) -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for words in commands(page):
        if words[0] == "make":
            assert words[1] in targets


def test_settings_named_in_the_documentation_exist() -> None:
    known = flatten(asdict(Config()))
    groups = {key.partition(".")[0] for key in known if "." in key}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for group, name in re.findall(r"[`\s](\w+)\.([a-z_]+)(?:=[^`\s]+)?`", text):
            if group in groups and name not in ("py", "yaml", "png"):
                assert f"{group}.{name}" in known, f"{name_of(page)}: {group}.{name}"


# -- the whole ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_nothing_is_left_to_fill_in(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"\b(TBD|TODO|FIXME|XXX|coming soon)\b|\?\?\?", text)


def test_every_page_is_in_the_navigation() -> None:
    class Loader(yaml.SafeLoader): ...

    Loader.add_constructor("!relative", lambda loader, node: None)
    nav = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader=Loader)["nav"]
    assert set(re.findall(r"[\w/]+\.md", str(nav))) == {
        str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")
    }
