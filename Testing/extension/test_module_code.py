"""What Slicer does not forgive and translators cannot mend, found in the source of the module."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

FORBIDDEN = {
    r"\bimport imp\b|\bimp\.": "gone in Python 3.12",
    r"QTextCodec|QRegExp|QDesktopWidget": "gone in Qt 6",
    r"\bexec_\(": "gone in Qt 6",
    r"processEvents": "runs other slots in the middle of this one",
    r"pip_install\(\s*[\"']torch": "PyTorch is installed by Slicer's PyTorch extension",
}
SHOWN_ATTRIBUTES = {"text", "toolTip", "placeholderText", "title", "helpText", "acknowledgementText", "windowTitle"}
SHOWN_BY_CALLS = {
    "setText",
    "setToolTip",
    "setTitle",
    "setWindowTitle",
    "setPlaceholderText",
    "setInformativeText",
    "setDetailedText",
    "setHorizontalHeaderLabels",
    "addAction",
    "addItem",
    "addButton",
    "showStatusMessage",
    "errorDisplay",
    "warningDisplay",
    "infoDisplay",
    "messageBox",
    "confirmOkCancelDisplay",
    "confirmYesNoDisplay",
    "tryWithErrorDisplay",
}


@pytest.fixture(scope="module")
def sources(project) -> dict[Path, ast.Module]:
    module = project / "SpineSegmentation"
    files = [module / "SpineSegmentation.py", *(module / "SpineSegmentationLib").rglob("*.py")]
    return {path: ast.parse(path.read_text("utf-8")) for path in files}


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_forbidden_calls(sources, pattern):
    for path in sources:
        if pattern == "processEvents" and path.name.endswith("Test.py"):
            continue  # a test has to let the application turn
        found = re.search(pattern, path.read_text("utf-8"))
        assert not found, f"{path.name}: {found.group()} ({FORBIDDEN[pattern]})"


def test_files_only_define_at_file_scope(sources):
    """Only definitions, imports, constants and docstrings at file scope; a fallback for an import may be tried."""
    kinds = ast.Import | ast.ImportFrom | ast.ClassDef | ast.FunctionDef | ast.Assign | ast.AnnAssign | ast.Try
    for path, tree in sources.items():
        for statement in tree.body:
            assert isinstance(statement, kinds) or (
                isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            ), f"{path.name}:{statement.lineno}"


def untranslatable(tree: ast.AST) -> Iterator[str]:
    """Calls of `_` that translators never see: with anything but one plain text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "_":
            [argument] = node.args if len(node.args) == 1 else [None]
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                yield f"{node.lineno}: {ast.unparse(node)[:100]}"


def shadows(tree: ast.AST) -> Iterator[str]:
    """Where `_` becomes something else than the translation."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "_" and not isinstance(node.ctx, ast.Load):
            yield f"{node.lineno}: _ is assigned"
        if isinstance(node, ast.arg) and node.arg == "_":
            yield f"{node.lineno}: _ is a parameter"


def plain_texts(tree: ast.AST) -> Iterator[str]:
    """Words shown to the user that are not in `_()`, as far as one can tell from the names of what shows them."""
    for node in ast.walk(tree):
        shown: list[ast.AST] = []
        if isinstance(node, ast.Assign):
            names = {target.attr for target in node.targets if isinstance(target, ast.Attribute)}
            shown = [node.value] if names & SHOWN_ATTRIBUTES else []
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SHOWN_BY_CALLS:
            shown = list(node.args[:1])
        for text in shown:
            if words := " ".join(_words(text)):
                yield f"{node.lineno}: {words[:100]}"


def _words(node: ast.AST) -> Iterator[str]:
    """Text constants that end up in what is shown: through +, %, f-strings, conditions, lists and .format()."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"[^\W\d_]{2}", node.value):
        if not re.fullmatch(r"\s*<.*>\s*", node.value):  # markup
            yield node.value
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.IfExp | ast.JoinedStr | ast.List | ast.Tuple):
        for child in ast.iter_child_nodes(node):
            if not (isinstance(node, ast.IfExp) and child is node.test):
                yield from _words(child)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join"):
        yield from _words(node.func.value)


@pytest.mark.parametrize("check", [untranslatable, shadows, plain_texts])
def test_every_word_can_be_translated(sources, check):
    wrong = [
        f"{path.name}:{found}"
        for path, tree in sources.items()
        if check is not shadows or re.search(r"import tr as _", path.read_text("utf-8"))
        for found in check(tree)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("check", "source", "caught"),
    [
        (untranslatable, "_(f'{x} bodies')", True),
        (untranslatable, "_('a' + b)", True),
        (untranslatable, "_('{x} bodies').format(x=x)", False),
        (shadows, "for _ in range(3): pass", True),
        (shadows, "f = lambda _: 1", True),
        (shadows, "x = _('bodies')", False),
        (plain_texts, "label.text = 'Cancelled'", True),
        (plain_texts, "label.setText(f'{count} bodies')", True),
        (plain_texts, "label.text = 'Cancel' if running else _('Segment')", True),
        (plain_texts, "label.toolTip = 'found {x}'.format(x=x)", True),
        (plain_texts, "label.text = _('Cancelled') + ' ...'", False),
        (plain_texts, "label.text = '' if running else str(error)", False),
    ],
)
def test_checks_find_their_faults(check, source, caught):
    assert bool(list(check(ast.parse(source)))) == caught
