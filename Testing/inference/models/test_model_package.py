"""Model packages: sound ones open from folders and zips, every other is refused with a sentence that says why."""

import json
import pickle
import struct
import zipfile

import pytest
from onnx import TensorProto, helper
from small_packages import contents, contents_of_schema_1, fields, onnx_model, write_package

from SpineInference.anatomy import LEVELS, numbered
from SpineInference.errors import SpineError
from SpineInference.models.manifest import Manifest, read_manifest
from SpineInference.models.model_package import ModelPackage, open_packages, pack
from SpineInference.models.package_files import atomic_folder
from SpineInference.schema import as_json

TRAINING = fields()["training"]


class Malicious:
    def __reduce__(self):
        return print, ("this must never be printed",)


def zip_of(path, entries: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def package_bytes(tmp_path, prefix=""):
    folder = write_package(tmp_path / "made")
    return {prefix + file.name: file.read_bytes() for file in folder.iterdir()}


# ---- sound packages


def test_a_folder_opens_and_knows_its_files(tmp_path):
    package = ModelPackage.open(write_package(tmp_path / "p", files=contents() | {"README.md": b"# Card\n"}))
    assert package.manifest.name == "small-sagittal"
    assert package.manifest.input.channels == 3
    assert package.manifest.classes == 1
    assert package.read("model.onnx") == contents()["model.onnx"]
    assert package.size_bytes == sum(map(len, contents().values())) + len(b"# Card\n")


def test_a_manifest_survives_json(tmp_path):
    manifest = ModelPackage.open(write_package(tmp_path / "p")).manifest
    assert read_manifest(as_json(manifest), "it") == manifest
    assert isinstance(manifest, Manifest)
    assert manifest.labels[0].colour == (9, 8, 7)


def test_a_packed_package_opens_from_the_zip_and_leaves_nothing_behind(tmp_path, monkeypatch):
    folder = write_package(tmp_path / "p")
    (folder / ".DS_Store").write_bytes(b"left by a Mac")
    pack(folder, tmp_path / "p.zip")
    before = set(tmp_path.rglob("*"))
    package = ModelPackage.open(tmp_path / "p.zip")
    assert package.read("model.onnx") == contents()["model.onnx"]
    assert set(tmp_path.rglob("*")) == before
    assert zipfile.ZipFile(tmp_path / "p.zip").namelist() == ["manifest.json", "model.onnx"]


def test_packing_twice_gives_the_same_bytes(tmp_path):
    folder = write_package(tmp_path / "p")
    pack(folder, tmp_path / "one.zip")
    for file in folder.iterdir():
        file.touch()
    pack(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_zip_may_hold_several_packages(tmp_path):
    for plane in ("axial", "coronal"):
        write_package(tmp_path / "set" / plane, fields(f"small-{plane}", plane))
    pack(tmp_path / "set", tmp_path / "set.zip")
    packages = open_packages(tmp_path / "set.zip")
    assert [package.manifest.plane for package in packages] == ["axial", "coronal"]
    assert len({package.path for package in packages}) == 2, "engines are kept by path"
    with pytest.raises(SpineError, match="several model packages"):
        ModelPackage.open(tmp_path / "set.zip")


# ---- refused: files


def test_wrong_hash(tmp_path):
    folder = write_package(tmp_path / "p")
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-1] ^= 1
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(SpineError, match=r"model\.onnx .*SHA-256 differs"):
        ModelPackage.open(folder)


def test_a_file_exchanged_after_opening_is_not_used(tmp_path):
    package = ModelPackage.open(write_package(tmp_path / "p"))
    (tmp_path / "p" / "model.onnx").write_bytes(contents()["model.onnx"] + b"\x72\x00")
    with pytest.raises(SpineError, match="SHA-256 differs"):
        package.read("model.onnx")


@pytest.mark.parametrize("missing", ["model.onnx", "model.safetensors", "manifest.json"])
def test_missing_file(tmp_path, missing):
    folder = write_package(tmp_path / "p", files=contents_of_schema_1())
    (folder / missing).unlink()
    with pytest.raises(SpineError, match=missing):
        ModelPackage.open(folder)


@pytest.mark.parametrize(
    "name", ["model.pkl", "weights.pt", "best.pth", "setup.py", "lib.so", "run", "model.int8.onnx"]
)
def test_unlisted_file(tmp_path, name):
    folder = write_package(tmp_path / "p")
    (folder / name).write_bytes(b"anything")
    with pytest.raises(SpineError, match=f"holds {name}, which its manifest does not list"):
        ModelPackage.open(folder)


def test_unlisted_subfolder(tmp_path):
    folder = write_package(tmp_path / "p")
    (folder / "code").mkdir()
    (folder / "code" / "x.py").write_text("pass")
    with pytest.raises(SpineError, match=r"holds code/x\.py"):
        ModelPackage.open(folder)


@pytest.mark.parametrize("name", ["model.pt", "../model.onnx", "/etc/passwd"])
def test_listed_file_of_another_kind(tmp_path, name):
    folder = write_package(tmp_path / "p")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SpineError, match="must not hold"):
        ModelPackage.open(folder)


def test_link(tmp_path):
    folder = write_package(tmp_path / "p")
    (folder / "model.onnx").rename(tmp_path / "elsewhere.onnx")
    (folder / "model.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(SpineError, match="is a link"):
        ModelPackage.open(folder)


@pytest.mark.parametrize("path", ["nowhere", "text.txt"])
def test_something_else(tmp_path, path):
    (tmp_path / "text.txt").write_text("no zip")
    with pytest.raises(SpineError):
        ModelPackage.open(tmp_path / path)


# ---- refused: weights


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickle_in_disguise(tmp_path, name, protocol, capsys):
    files = contents() | {name: pickle.dumps(Malicious(), protocol)}
    with pytest.raises(SpineError, match=f"{name} is a Python pickle in disguise"):
        ModelPackage.open(write_package(tmp_path / "p", files=files))
    assert capsys.readouterr().out == ""


def test_torch_file_in_disguise(tmp_path):
    zip_of(tmp_path / "model.pt", {"archive/data.pkl": pickle.dumps(Malicious())})
    files = contents() | {"model.safetensors": (tmp_path / "model.pt").read_bytes()}
    with pytest.raises(SpineError, match="pickle in disguise"):
        ModelPackage.open(write_package(tmp_path / "p", files=files))


def test_a_safetensors_header_may_look_like_a_pickle(tmp_path):
    # A header of 640 bytes begins with the two bytes that begin a pickle.
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode().ljust(640)
    files = contents() | {"model.safetensors": struct.pack("<Q", 640) + header + bytes(4)}
    assert files["model.safetensors"][:2] == b"\x80\x02"
    ModelPackage.open(write_package(tmp_path / "p", files=files))


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"a": TENSOR | {"shape": [3]}},
        {"a": TENSOR | {"shape": [-2]}},
        {"a": TENSOR | {"dtype": "OBJECT"}},
        {"a": TENSOR | {"data_offsets": [0, 2**60]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}},
        {"a": TENSOR, "b": TENSOR},
        {"a": [1, 2]},
        [1],
    ],
)
def test_insane_safetensors_header(tmp_path, header):
    text = json.dumps(header).encode()
    files = contents() | {"model.safetensors": struct.pack("<Q", len(text)) + text + bytes(8)}
    with pytest.raises(SpineError, match="not a sound safetensors file"):
        ModelPackage.open(write_package(tmp_path / "p", files=files))


def test_safetensors_header_longer_than_the_file(tmp_path):
    files = contents() | {"model.safetensors": struct.pack("<Q", 2**62) + b"{}" + bytes(8)}
    with pytest.raises(SpineError, match="it has no header"):
        ModelPackage.open(write_package(tmp_path / "p", files=files))


def external(tensor):
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../secret")


def with_external_initializer(model):
    external(model.graph.initializer[0])


def with_external_constant_in_a_branch(model):
    constant = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.FLOAT, [1], [0.0]))
    external(constant.attribute[0].t)
    branch = helper.make_graph([constant], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["slices"], ["x"], then_branch=branch, else_branch=branch))


@pytest.mark.parametrize("change", [with_external_initializer, with_external_constant_in_a_branch])
def test_onnx_with_weights_elsewhere(tmp_path, change):
    model = onnx_model()
    change(model)
    with pytest.raises(SpineError, match=r"model\.onnx refers to weights in other files"):
        ModelPackage.open(write_package(tmp_path / "p", files=contents() | {"model.onnx": model.SerializeToString()}))


@pytest.mark.parametrize("content", [b"", b"hello world, no network here", contents()["model.onnx"][:-5], bytes(99)])
def test_damaged_onnx(tmp_path, content):
    with pytest.raises(SpineError, match="not a sound ONNX file"):
        ModelPackage.open(write_package(tmp_path / "p", files=contents() | {"model.onnx": content}))


# ---- refused: zips


@pytest.mark.parametrize("name", ["../evil.txt", "a/../../evil.txt", "/etc/evil", "C:\\evil.txt", "..\\evil.txt"])
def test_zip_with_path_escape(tmp_path, name):
    path = zip_of(tmp_path / "p.zip", package_bytes(tmp_path) | {name: b"x"})
    with pytest.raises(SpineError, match="leads out of its folder"):
        ModelPackage.open(path)


def test_zip_with_link(tmp_path):
    path = zip_of(tmp_path / "p.zip", package_bytes(tmp_path))
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("README.md")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(SpineError, match="is a link"):
        ModelPackage.open(path)


def test_zip_bomb(tmp_path):
    path = zip_of(tmp_path / "p.zip", package_bytes(tmp_path) | {"README.md": bytes(50_000_000)})
    with pytest.raises(SpineError, match="zip bomb"):
        ModelPackage.open(path)


def test_zip_with_a_file_twice(tmp_path):
    path = zip_of(tmp_path / "p.zip", package_bytes(tmp_path))
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model.onnx", b"another")
    with pytest.raises(SpineError, match="twice"):
        ModelPackage.open(path)


def test_zip_of_a_folder_with_what_a_mac_adds(tmp_path):
    path = zip_of(tmp_path / "p.zip", package_bytes(tmp_path, "small/") | {"__MACOSX/small/._model.onnx": b"x"})
    assert ModelPackage.open(path).manifest.name == "small-sagittal"


def test_damaged_zip(tmp_path):
    path = zip_of(tmp_path / "p.zip", package_bytes(tmp_path))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SpineError, match="not a sound zip"):
        ModelPackage.open(path)


# ---- what becomes of labels


def label(value: int, code: str = "39607008") -> dict:
    return {"value": value, "name": f"label {value}", "colour": [1, 2, 3], "code": code, "meaning": "Something"}


@pytest.mark.parametrize(
    ("labels", "vertebra_class", "values"),
    [
        ([label(1, "51282000")], 1, {}),
        ([label(1), label(4, "51282000"), label(39)], 2, {1: 62, 3: 100}),  # between those of the vertebrae
        ([label(1), label(255)], None, {1: 1, 2: 255}),
        ([label(1, "51282000"), label(2, "51282000")], None, {1: 1, 2: 2}),  # told apart already
    ],
)
def test_the_only_label_coded_as_a_vertebra_is_separated(tmp_path, labels, vertebra_class, values):
    manifest = ModelPackage.open(write_package(tmp_path / "p", fields(labels=labels))).manifest
    assert manifest.vertebra_class == vertebra_class
    assert {number: structure.label for number, structure in manifest.structures.items()} == values
    taken = {level.label for level in LEVELS.values()} | {numbered(1).label}
    assert vertebra_class is None or not taken.intersection(values.values())


# ---- refused: manifests


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 3, "novelty": 1}, "newer version of SpineSegmentation"),
        ({"schema_version": "1"}, "schema_version must be an integer"),
        ({"novelty": 1}, '"novelty" is unknown'),
        ({"plane": "oblique"}, 'plane must be one of "sagittal", "coronal", "axial"'),
        ({"name": "../evil"}, "name must be letters"),
        ({"labels": []}, "at least one label"),
        ({"labels": fields()["labels"] * 2}, "different values"),
        ({"labels": [label(256)]}, "values of 1 to 255"),
        ({"labels": [label(1, "51282000"), label(40)]}, "beside vertebrae must have values of 1 to 39"),
        ({"labels": [label(1) | {"name": "a|b"}]}, "plain text without"),
        ({"labels": [label(1) | {"meaning": "two\nlines"}]}, "plain text without"),
        ({"labels": [label(1) | {"colour": [0, 0, 300]}]}, "three numbers from 0 to 255"),
        ({"input": fields()["input"] | {"spacing_mm": 0}}, "input.spacing_mm must be"),
        ({"input": fields()["input"] | {"spacing_mm": True}}, "input.spacing_mm must be a finite number, not true"),
        ({"input": fields()["input"] | {"canvas": [512]}}, "input.canvas must be a list of 2"),
        ({"input": fields()["input"] | {"canvas": [500, 512]}}, "multiples of pad_multiple"),
        ({"input": fields()["input"] | {"orientation": "LPL"}}, "three letters such as LPI"),
        ({"input": fields()["input"] | {"intensity": {"rule": "fixed", "low": -200, "high": 300}}}, "a mean and a std"),
        ({"input": fields()["input"] | {"intensity": {"low": 5.0, "high": 120.0}}}, "0 <= low < high <= 100"),
        ({"input": {"context_slices": 1, "spacing_mm": 1.0}}, '"intensity" is missing in input'),
        ({"network": {"family": "no-such-net"}}, 'no network family "no-such-net": known are .*unet'),
        ({"network": {"family": "unet", "arguments": {"encoder_weights": "imagenet"}}}, "encoder_weights"),
        ({"training": TRAINING | {"date": 2026}}, "training.date must be text, not 2026"),
    ],
)
def test_wrong_manifest(tmp_path, change, message):
    with pytest.raises(SpineError, match=message):
        ModelPackage.open(write_package(tmp_path / "p", fields() | change))


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000])
def test_a_manifest_that_is_no_manifest(tmp_path, text):
    folder = write_package(tmp_path / "p")
    (folder / "manifest.json").write_text(text)
    with pytest.raises(SpineError, match="manifest"):
        ModelPackage.open(folder)


# ---- writing


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "p"
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as new:
        (new / "half").touch()
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
    for name in ("first", "second"):
        with atomic_folder(target) as new:
            (new / name).touch()
    assert [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*")] == ["p", "p/second"]
