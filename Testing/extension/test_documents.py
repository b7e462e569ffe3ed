"""The documents: every command in them parses, every link leads somewhere, and the reference leaves nothing out."""

import argparse
import ast
import dataclasses
import importlib
import json
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from SegTraining.cli import _parser as segtraining_parser
from SegTraining.config.config import PRESETS, Config, load_config, parse_config
from SegTraining.config.experiment import Experiment, expand, load_experiment
from SegTraining.config.levels import LevelConfig, load_level_config
from SegTraining.importing.description import Description
from SegTraining.importing.model_info import merged_info
from SpineInference.app import cli
from SpineInference.app.background_tasks import SegmentsToMeasure
from SpineInference.app.record import Record
from SpineInference.app.requests import Request
from SpineInference.errors import SpineError
from SpineInference.measuring.measurements import VertebraMeasurement
from SpineInference.models.catalog_file import Catalog
from SpineInference.models.manifest import Manifest
from SpineInference.options import SegmentationOptions
from SpineInference.schema import parse_json
from SpineInference.specs import InputSpec, OutputSpec, PostprocessingSpec

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(PROJECT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "SegTraining/*.md", "SpineSegmentation/**/*.md", "Testing/*.md")
    for path in PROJECT.glob(pattern)
) + sorted(path.relative_to(PROJECT).as_posix() for path in PROJECT.glob("Resources/*/*.md"))


def read(document: str) -> str:
    return (PROJECT / document).read_text("utf-8")


# ---- links


def links_of(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", without_code(text)) if "://" not in link]


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub and MkDocs make of the headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_and_pictures_exist(document):
    broken = []
    for link in links_of(read(document)):
        path, _, anchor = link.partition("#")
        target = (PROJECT / document).parent / path if path else PROJECT / document
        if not target.exists() or (anchor and anchor not in anchors_of(target.read_text("utf-8"))):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_overview_and_the_site():
    pages = {path.relative_to(PROJECT / "docs").as_posix() for path in (PROJECT / "docs").rglob("*.md")}
    listed = {link.partition("#")[0] for link in links_of(read("docs/README.md"))} | {"README.md"}
    assert pages <= listed
    assert pages <= set(leaves(yaml.safe_load(read("mkdocs.yml"))["nav"]))


def leaves(nav: object) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
        return
    for part in nav.values() if isinstance(nav, dict) else nav:
        yield from leaves(part)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_exist(document):
    folders = "SpineSegmentation|SegTraining|Testing|Resources|docs"
    named = re.findall(rf"`((?:{folders})/[\w./*-]+)`", re.sub(r"^```.*?^```", "", read(document), flags=re.S | re.M))
    assert not [name for name in named if not list(PROJECT.glob(name.rstrip("/")))]


def test_the_tree_of_contributing_is_that_of_the_project():
    tree = next(block for _, block in blocks(read("CONTRIBUTING.md")) if block.startswith("SpineSegmentation/"))
    folders: list[str] = []
    missing = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = re.split(r"\s{2,}", line.strip())[0].split()
        missing += [name for name in names if not Path(PROJECT, *folders[:depth], name).exists()]
        folders[depth:] = [names[0]]
    assert not missing


# ---- commands


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.S | re.M)


def commands_of(text: str) -> Iterator[list[str]]:
    """The words of every command in the shell blocks, without what is set for it and what connects it."""
    for language, block in blocks(text):
        if language != "sh":
            continue
        words: list[str] = []
        for word in [*shell_words(block), "\n"]:
            if word not in ("&&", "||", ";", "|", "\n"):
                words.append(word)
            elif words:
                yield words
                words = []


def shell_words(block: str) -> Iterator[str]:
    """As `shlex`, with line ends between commands as words of their own."""
    # Comments of `shlex` would take the line's end along.
    lexer = shlex.shlex(re.sub(r"(^|\s)#.*$", "", block, flags=re.M), posix=True, punctuation_chars="&|;\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    for word in lexer:
        yield "\n" if set(word) == {"\n"} else word


COMMANDS = sorted({(document, shlex.join(words)) for document in DOCUMENTS for words in commands_of(read(document))})


@pytest.mark.parametrize(("document", "command"), COMMANDS)
def test_command_parses(document, command, capsys):
    program, *arguments = shlex.split(command)
    if program not in PROGRAMS:
        pytest.fail(f"{program} is no program that the documents may call")
    try:
        PROGRAMS[program](arguments)
    except SystemExit as end:
        assert not end.code, capsys.readouterr().err


def check_make(arguments: list[str]) -> None:
    makefile = read("Makefile")
    targets = set(re.findall(r"^([a-z]+):(?!=)", makefile, re.M))
    for argument in arguments:
        variable, equals, _ = argument.partition("=")
        assert f"$({variable})" in makefile or f"$(if $({variable})" in makefile if equals else argument in targets


def check_spine_segment(arguments: list[str]) -> None:
    options = cli._parse(arguments)
    cli._request_template(options)


def check_segtraining(arguments: list[str]) -> None:
    options = segtraining_parser().parse_args(arguments)
    preset = getattr(options, "config", None) or getattr(options, "experiment", None)
    changes = {
        key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in getattr(options, "set", ()))
    }
    if preset is None or preset.endswith(".yaml"):
        return
    if options.command == "experiment":
        expand(load_experiment(preset), Path("first"), changes)
    elif options.command == "levels":
        load_level_config(preset)
    else:
        load_config(preset, changes)


def check_python(arguments: list[str]) -> None:
    """The script or module exists, and its source knows every option."""
    if arguments[0] == "-m":
        module = arguments[1].replace(".", "/") + ".py"
        source = PROJECT / "SpineSegmentation" / module
        if arguments[1] in ("pytest", "venv"):
            return
    else:
        source = PROJECT / arguments[0]
    calls = [node for node in ast.walk(ast.parse(source.read_text("utf-8"))) if isinstance(node, ast.Call)]
    added = [call for call in calls if getattr(call.func, "attr", "") == "add_argument"]
    known = {argument.value for call in added for argument in call.args}
    assert {argument for argument in arguments[1:] if re.match("--?[a-z]{2}", argument)} <= known


def check_pip(arguments: list[str]) -> None:
    """Nothing of this project is taken from an index, where its name may belong to somebody else."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert arguments[0] in ("install", "download")
    for argument in arguments[1:]:
        name = re.split(r"[\[<>=]", argument)[0]
        assert name.replace("_", "-").lower() not in ("spine-segmentation", project["name"].lower())
        for extra in re.findall(r"\[([\w,]+)\]", argument):
            assert set(extra.split(",")) <= set(project["optional-dependencies"])


def check_slicer_python(arguments: list[str]) -> None:
    assert arguments[:2] == ["-m", "pip"]
    check_pip(arguments[2:])


def check_slicer(arguments: list[str]) -> None:
    """A script: Slicer 5.10 refuses code of several lines on its command line."""
    assert "--python-code" not in arguments and arguments[-2] == "--python-script"


def accept(arguments: list[str]) -> None:
    """Programs of others."""


PROGRAMS = {
    "make": check_make,
    "spine-segment": check_spine_segment,
    "spine/bin/spine-segment": check_spine_segment,
    "segtraining": check_segtraining,
    "python": check_python,
    "python3": check_python,
    "pip": check_pip,
    "spine/bin/pip": check_pip,
    "fetch/bin/pip": check_pip,
    "site/bin/pip": check_pip,
    "PythonSlicer": check_slicer_python,
    "Slicer": check_slicer,
    **dict.fromkeys((".", "cd", "export", "git", "ray", "site/bin/mkdocs"), accept),
}


@pytest.mark.parametrize(
    ("program", "wrong"),
    [
        ("make", ["demonstrate"]),
        ("spine-segment", ["scan.nii.gz", "-o", "out", "--top-levle", "C2"]),
        ("spine-segment", ["scan.nii.gz", "-o", "out", "--planes", "oblique"]),
        ("segtraining", ["train", "vertebral-bodies-oblique"]),
        ("segtraining", ["train", "vertebral-bodies-first", "--set", "training.max_epoch=1"]),
        ("python", ["Testing/benchmarks/inference.py", "--fast"]),
        ("pip", ["install", "spine-segmentation[cluster]"]),
        ("pip", ["install", "dist/it.whl[everything]"]),
    ],
)
def test_wrong_commands_are_found(program, wrong):
    with pytest.raises((SystemExit, AssertionError, SpineError)) as caught:
        PROGRAMS[program](wrong)
    assert getattr(caught.value, "code", 2) == 2


# ---- examples


def examples(language: str) -> list[tuple[str, str]]:
    return [(document, text) for document in DOCUMENTS for each, text in blocks(read(document)) if each == language]


@pytest.mark.parametrize(("document", "text"), examples("python"))
def test_python_example_imports_what_exists(document, text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module == "SpineSegmentation":  # opens in Slicer only
            assert {alias.name for alias in node.names} <= {each.name for each in module_classes()}
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


def module_classes() -> list[ast.ClassDef]:
    tree = ast.parse(read("SpineSegmentation/SpineSegmentation.py"))
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def test_script_examples_use_arguments_that_exist():
    methods = {node.name: node for each in module_classes() for node in each.body if isinstance(node, ast.FunctionDef)}
    known = {
        "segment": {argument.arg for argument in methods["segment"].args.args},
        "SegmentationOptions": {field.name for field in dataclasses.fields(SegmentationOptions)},
    }
    used = set()
    for _, text in examples("python"):
        for node in ast.walk(ast.parse(text)):
            name = isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in known:
                used.add(name)
                assert {keyword.arg for keyword in node.keywords} <= known[name]
    assert used == set(known)


@pytest.mark.parametrize(("document", "text"), examples("yaml"))
def test_configuration_example_is_valid(document, text, tmp_path):
    content = yaml.safe_load(text)
    if "library" in content.get("network", {}):
        Description.model_validate(content)
    elif "plane" not in content and "base" not in content:
        merged_info({}, {label["name"]: value for value, label in enumerate(content["labels"], start=1)}, content)
    elif "base" in content:
        path = PRESETS / content["base"]
        assert path.exists()
        example = tmp_path / "example.yaml"
        example.write_text(text.replace(content["base"], path.as_posix()), "utf-8")
        load_config(example)
    else:
        parse_config(content, document)


@pytest.mark.parametrize(("document", "text"), examples("json"))
def test_json_example_is_read(document, text):
    content = json.loads(text)
    parse_json(text, Catalog if "sets" in content else Request, document)


# ---- the reference is complete


def options_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield name
                yield from options_of(command)
        else:
            yield from (option for option in action.option_strings if option.startswith("--") and option != "--help")


def settings_of(model: type[BaseModel]) -> Iterator[str]:
    """The names of all settings of a configuration, those of its sections too."""
    for name, field in model.model_fields.items():
        yield name
        for part in re.findall(r"SegTraining\.config\.(\w+)\.(\w+)", str(field.annotation)):
            section = getattr(sys.modules[f"SegTraining.config.{part[0]}"], part[1])
            if isinstance(section, type) and issubclass(section, BaseModel):
                yield from settings_of(section)


def fields_of(*types: type) -> list[str]:
    return [field.name for each in types for field in dataclasses.fields(each)]


def measured_columns() -> list[str]:
    centroid = [f"centroid_{direction}_mm" for direction in ("left", "posterior", "superior")]
    not_columns = ("centroid_lps_mm", "landmarks")
    return [name for name in fields_of(VertebraMeasurement) if name not in not_columns] + centroid


REFERENCE = {
    "docs/reference/command-line.md": lambda: [*options_of(cli._parser()), *options_of(segtraining_parser())],
    "docs/reference/configuration.md": lambda: [
        name for model in (Config, Experiment, LevelConfig, Description) for name in settings_of(model)
    ],
    "docs/reference/manifest.md": lambda: fields_of(Manifest, InputSpec, OutputSpec, PostprocessingSpec),
    "docs/reference/result-files.md": lambda: fields_of(Record, Request) + measured_columns(),
    "docs/reference/worker-protocol.md": lambda: fields_of(Request, SegmentsToMeasure),
    "docs/how-to/scripts.md": lambda: fields_of(SegmentationOptions),
}


@pytest.mark.parametrize("page", REFERENCE)
def test_reference_names_everything(page):
    words = set(re.findall(r"[\w-]+", read(page)))
    missing = sorted({name for name in REFERENCE[page]() if name not in words})
    assert not missing
