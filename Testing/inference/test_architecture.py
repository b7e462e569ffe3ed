"""The rules of the house that a compiler would not notice: who imports whom, what is heavy, what must never appear."""

import ast
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SLICER = {"slicer", "qt", "ctk", "vtk", "SpineSegmentationLib"}
HEAVY = {
    "torch",
    "onnxruntime",
    "openvino",
    "matplotlib",
    "skimage",
    "lightning",
    "segmentation_models_pytorch",
    "monai",
    "timm",
    "huggingface_hub",
    "safetensors",
}
BUNDLED = {"numpy", "scipy", "SimpleITK"}
"""What Slicer's own Python offers: the runtime needs no more until a network is opened or a picture drawn."""


@dataclass(frozen=True)
class Import:
    """One import statement: the top-level package it names, where, and whether it runs when the file is imported."""

    package: str
    place: str
    at_file_scope: bool


@dataclass(frozen=True)
class Package:
    """The files of one of the three packages, and what they may import besides the standard library and themselves."""

    files: str
    at_file_scope: set[str]
    in_functions: set[str]


PACKAGES = {
    "SpineInference": Package(
        "SpineSegmentation/SpineInference/**/*.py",
        BUNDLED,
        BUNDLED | HEAVY - {"lightning"} | {"tqdm", "ray", "pydicom", "highdicom", "jinja2"},
    ),
    "SpineSegmentationLib": Package(
        "SpineSegmentation/SpineSegmentationLib/**/*.py",
        BUNDLED | SLICER | {"SpineInference"},
        {"SampleData", "PyTorchUtils", "SpineSegmentation"},  # modules of Slicer, which are there when it has started
    ),
    "SpineSegmentation": Package("SpineSegmentation/*.py", BUNDLED | SLICER | {"SpineInference"}, set()),
    "SegTraining": Package(
        "SegTraining/**/*.py",
        BUNDLED | HEAVY | {"SpineInference", "pydantic", "yaml", "onnx", "tqdm", "filelock", "jinja2"},
        {"ray", "onnxscript"},
    ),
}


def imports_of(path: Path, place: str) -> list[Import]:
    """Every absolute import in a Python file, wherever it stands. Imports for type checkers only do not count."""
    return list(_imports(ast.parse(path.read_text("utf-8")), place, at_file_scope=True))


def _imports(node: ast.AST, place: str, at_file_scope: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        here = f"{place}:{getattr(child, 'lineno', 0)}"
        if isinstance(child, ast.Import):
            for name in child.names:
                yield Import(name.name.partition(".")[0], here, at_file_scope)
        elif isinstance(child, ast.ImportFrom) and child.level == 0:
            yield Import(child.module.partition(".")[0], here, at_file_scope)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from (found for other in child.orelse for found in _imports(other, place, at_file_scope))
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, place, at_file_scope and not function)


def allowed(found: Import, package: str, path: Path) -> bool:
    if found.package in sys.stdlib_module_names or found.package == package:
        return True
    rules = PACKAGES[package]
    if found.package in rules.at_file_scope:
        return True
    # The modules of `networks` are themselves imported only when their network is built.
    lazy = not found.at_file_scope or ("networks" in path.parts and path.name != "__init__.py")
    return lazy and found.package in rules.in_functions


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_keep_to_the_table_of_the_design(project, package):
    files = sorted(project.glob(PACKAGES[package].files))
    assert files, f"no files in {PACKAGES[package].files}"
    wrong = [
        f"{found.place} imports {found.package}{' at file scope' if found.at_file_scope else ''}"
        for path in files
        for found in imports_of(path, str(path.relative_to(project)))
        if not allowed(found, package, path)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_import_check_sees_every_kind_of_import(tmp_path):
    source = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import torch
try:
    import slicer.util
except ImportError:
    pass
class A:
    import qt
    def f(self):
        from matplotlib import pyplot
"""
    path = tmp_path / "file.py"
    path.write_text(source)
    found = {(each.package, each.at_file_scope) for each in imports_of(path, "file.py")}
    assert found == {("typing", True), ("slicer", True), ("qt", True), ("matplotlib", False)}


def loaded_by(statement: str) -> set[str]:
    """The top-level packages in memory after `statement` in a fresh interpreter."""
    report = f"import sys\n{statement}\nprint('loaded:', *sys.modules, file=sys.__stdout__)"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.rpartition("loaded:")[2].split()}


def test_importing_the_runtime_loads_nothing_heavy():
    assert not loaded_by("import SpineInference") & (HEAVY | BUNDLED)


def test_importing_the_pipeline_needs_no_network_engine():
    assert not loaded_by("import SpineInference.pipeline") & (HEAVY | {"tqdm", "pydantic", "yaml", "pydicom"})


def test_help_loads_nothing_heavy_and_answers(capsys):
    call = """
import runpy
sys.argv = ['spine-segment', '--help']
try:
    runpy.run_module('SpineInference.app.cli', run_name='__main__')
except SystemExit as end:
    assert not end.code
"""
    assert not loaded_by(call) & (HEAVY | BUNDLED)
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "SpineInference.app.cli", "--help"], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    assert "--top-level" in done.stdout
    with capsys.disabled():  # a busy machine must not fail the test, but whoever reads the log shall see it
        print(f"\nspine-segment --help answered in {seconds:.2f} s")


def files_of_the_project(project: Path) -> list[Path]:
    """Everything that is in version control, or would be with the next `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=project, capture_output=True
    )
    if listed.returncode:
        pytest.skip("this is no git checkout: which files belong to the project is not known")
    paths = (project / name for name in listed.stdout.decode("utf-8").split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_place_on_a_developers_machine(project):
    machine_path = re.compile(r"(?<![\w.$}/-])/(?:work|root|farm|home/\w|Users/\w)[\w-]*/")
    wrong = []
    for path in files_of_the_project(project):
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
            if machine_path.search(line):
                wrong.append(f"{path.relative_to(project)}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


def test_no_model_file_can_run_code(project):
    """No pickle in the product: neither directly, nor through torch or numpy."""
    wrong = []
    for path in [*project.glob("SpineSegmentation/**/*.py"), *project.glob("SegTraining/**/*.py")]:
        place = str(path.relative_to(project))
        picklers = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
        wrong += [
            f"{found.place} imports {found.package}" for found in imports_of(path, place) if found.package in picklers
        ]
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _unpickles(node):
                wrong.append(f"{place}:{node.lineno}: {ast.unparse(node)[:100]}")
    assert not wrong, "\n".join(wrong)


def _unpickles(call: ast.Call) -> bool:
    options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    name = ast.unparse(call.func)
    if name == "torch.load" or name.endswith("load_from_checkpoint"):
        return options.get("weights_only") != "True"
    return options.get("allow_pickle", "False") != "False" or options.get("weights_only", "True") != "True"


@pytest.mark.parametrize(
    ("source", "dangerous"),
    [
        ("torch.load(f)", True),
        ("torch.load(f, weights_only=False)", True),
        ("torch.load(f, weights_only=True)", False),
        ("Run.load_from_checkpoint(f)", True),
        ("np.load(f, allow_pickle=True)", True),
        ("np.load(f)", False),
        ("trainer.fit(m, weights_only=False)", True),
    ],
)
def test_the_pickle_check_knows_the_ways(source, dangerous):
    assert _unpickles(ast.parse(source, mode="eval").body) == dangerous


def test_no_array_outlives_its_image(project):
    """An array view does not keep its SimpleITK image alive: a view of an image without a name reads freed memory."""
    wrong = [
        f"{path.relative_to(project)}:{node.lineno}: {ast.unparse(node)[:100]}"
        for path in files_of_the_project(project)
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("GetArrayViewFromImage")
        and not isinstance(node.args[0], ast.Name | ast.Attribute)
    ]
    assert not wrong, "\n".join(wrong)


# ---- inside the packages: who stands on whom


LAYERS = {
    "SpineInference": [
        ["errors", "__init__", "processors"],
        ["monitor", "anatomy", "schema", "specs", "memory"],
        ["options", "networks"],
        ["placement", "origin"],
        ["volume"],
        ["formats"],
        ["files"],
        ["models"],
        ["engines"],
        ["prediction"],
        ["spine"],
        ["measuring"],
        ["result"],
        ["pipeline", "given_labels"],
        ["picture"],
        ["reports"],
        ["app"],
    ],
    "SpineSegmentationLib": [["__init__", "ParameterNode"], ["scene"], ["worker"], ["panel"], ["SelfTest"]],
    "SpineSegmentationLib.scene": [["__init__"], ["volumes"], ["segmentations"], ["SampleScan"], ["results"]],
    "SpineSegmentationLib.panel": [
        ["__init__", "ChoiceBox", "Dialogs", "GuiConnection", "SceneWatcher", "Sight", "TableHeight", "UserMessages"],
        ["PanelSection"],
        ["models"],
        ["run"],
        ["results"],
        ["measures", "scans"],
    ],
    "SegTraining": [
        ["__init__", "synthetic"],
        ["config"],
        ["data"],
        ["planning"],
        ["training"],
        ["export"],
        ["evaluation", "importing", "levels"],
        ["reporting"],
        ["experiments"],
        ["workflows"],
        ["commands"],
        ["cli"],
    ],
}
"""Rooms of a package or of a folder in it, from the ground up: a file imports from its own room and from lower floors,
never from its neighbours."""

MOST_FILES_IN_A_FOLDER = 20


def modules_of(package: str, project: Path) -> dict[str, tuple[Path, str]]:
    """By dotted name the file of every module of a package, and the package that its relative imports count from."""
    root = project / PACKAGES[package].files.partition("/**")[0]
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = [package, *path.relative_to(root).with_suffix("").parts]
        if parts[-1] == "__init__":
            modules[".".join(parts[:-1])] = (path, ".".join(parts[:-1]))
        else:
            modules[".".join(parts)] = (path, ".".join(parts[:-1]))
    return modules


def inner_imports(path: Path, home: str, modules: Collection[str]) -> set[str]:
    """The modules of the same package that a file imports anywhere, for type checkers only excepted."""
    found = set()
    pending = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in modules}
        if isinstance(node, ast.ImportFrom):
            base = home.rsplit(".", node.level - 1)[0] if node.level > 1 else home
            source = ".".join(filter(None, (base if node.level else "", node.module)))
            for alias in node.names:
                # "from package import module" imports the module; "from package import name" the package.
                module = f"{source}.{alias.name}" if f"{source}.{alias.name}" in modules else source
                found |= {module} & set(modules)
    return found


def room_of(module: str, folder: str) -> str:
    """The room of a package or folder that a module in it belongs to: a folder, or a file beside the folders."""
    return module[len(folder) + 1 :].partition(".")[0] or "__init__"


@pytest.mark.parametrize("folder", LAYERS)
def test_imports_lead_down_never_up(project, folder):
    floor = {room: number for number, rooms in enumerate(LAYERS[folder]) for room in rooms}
    modules = modules_of(folder.partition(".")[0], project)
    inside = {module: room_of(module, folder) for module in modules if f"{module}.".startswith(f"{folder}.")}
    assert set(inside.values()) == set(floor), "LAYERS names other rooms than there are"
    wrong = [
        f"{module} imports {imported}"
        for module, room in inside.items()
        for imported in sorted(inner_imports(*modules[module], inside))
        if room != inside[imported] and floor[room] <= floor[inside[imported]]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", [name for name in LAYERS if name in PACKAGES])
def test_no_files_import_each_other_in_a_circle(project, package):
    modules = modules_of(package, project)
    graph = {module: inner_imports(path, home, modules) - {module} for module, (path, home) in modules.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_import_directions_are_checked_in_functions_too(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "from ..panel import Dialogs\ndef f():\n    from . import other\n    from ..scene.Views import show\n"
    )
    modules = {"lib.panel", "lib.panel.Dialogs", "lib.worker", "lib.worker.other", "lib.scene.Views"}
    assert inner_imports(path, "lib.worker", modules) == {"lib.panel.Dialogs", "lib.worker.other", "lib.scene.Views"}


def test_no_folder_holds_more_files_than_one_can_survey(project):
    sources = [path for path in files_of_the_project(project) if path.suffix == ".py" and path.name != "__init__.py"]
    counts = Counter(str(path.parent.relative_to(project)) for path in sources)
    crowded = {folder: count for folder, count in counts.items() if count > MOST_FILES_IN_A_FOLDER}
    assert counts and not crowded, crowded


def test_cmake_lists_every_file_that_slicer_needs(project):
    """A file that is not listed is missing in the installed extension, and nothing else would tell."""
    module = project / "SpineSegmentation"
    not_needed = {module / name for name in ("CMakeLists.txt", "README.md", "SpineInference/models/bundled/README.md")}
    needed = {
        path.relative_to(module).as_posix()
        for path in files_of_the_project(project)
        if path.is_relative_to(module) and path not in not_needed
    }
    text = re.sub(r"#.*", "", (module / "CMakeLists.txt").read_text("utf-8"))
    listed = set()
    for name in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
        block = re.search(rf"set\({name}\s+([^)]*)\)", text).group(1).replace("${MODULE_NAME}", "SpineSegmentation")
        entries = block.split()
        assert entries == sorted(set(entries)), f"{name} is not in alphabetical order, or names a file twice"
        listed |= set(entries)
    assert listed == needed
