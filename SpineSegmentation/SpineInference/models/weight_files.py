"""Looks into the files of a network before anything loads them: structure, and nothing that leads elsewhere.

Only bytes are read here, with the standard library alone. What is refused: a file that is not what its name says
(a pickle in disguise above all), an ONNX file whose weights lie in other files, a safetensors file whose header
does not describe its data exactly.
"""

import json
import math
from collections.abc import Iterator

from ..errors import SpineError

_SAFETENSORS_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
_MAX_HEADER = 16 * 2**20

# ONNX messages as far as tensors can hide in them: message -> {field number: message of that field}, from onnx.proto.
_ONNX_MESSAGES = {
    "Model": {7: "Graph", 20: "TrainingInfo", 25: "Function"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14


class _Damaged(Exception):
    pass


def check_weights(name: str, data: bytes) -> None:
    """Raise SpineError unless `data` is a sound ONNX or safetensors file, as the end of `name` says."""
    try:
        if name.endswith(".onnx"):
            _check_onnx_message(memoryview(data), "Model", name)
        else:
            _check_safetensors(data)
    except _Damaged as damage:
        if looks_like_pickle(data):
            raise SpineError(
                f"{name} is a Python pickle in disguise, which can run any code: do not use this package."
            ) from None
        kind = "ONNX" if name.endswith(".onnx") else "safetensors"
        raise SpineError(f"{name} is not a sound {kind} file ({damage}): get the package again.") from None


def looks_like_pickle(data: bytes) -> bool:
    """Whether `data` begins like a pickle of protocol 2 to 5 or like a zip, which is what torch.save writes."""
    return data[:4] == b"PK\x03\x04" or (data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def _check_onnx_message(message: memoryview, kind: str, name: str, depth: int = 0) -> None:
    if depth > 50:
        raise _Damaged("nested too deeply")
    if kind == "Model" and not any(number == 7 for number, _ in protobuf_fields(message)):
        raise _Damaged("it holds no graph")
    nested = _ONNX_MESSAGES[kind]
    for number, value in protobuf_fields(message):
        external = number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_DATA_LOCATION and value != 0)
        if kind == "Tensor" and external:
            raise SpineError(f"{name} refers to weights in other files: export it with all weights inside.")
        if number in nested:
            if not isinstance(value, memoryview):
                raise _Damaged(f"field {number} of a {kind.lower()} is a number")
            _check_onnx_message(value, nested[number], name, depth + 1)


def protobuf_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field number and value (a number or the bytes) of one protobuf message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, wire_type = tag >> 3, tag & 7
        value: int | memoryview
        if wire_type == 0:
            value, position = _varint(message, position)
        else:
            if wire_type == 2:
                length, position = _varint(message, position)
            elif wire_type in (1, 5):
                length = 8 if wire_type == 1 else 4
            else:
                raise _Damaged("unknown structure")
            value, position = message[position : position + length], position + length
        if number == 0 or position > len(message):
            raise _Damaged("it ends too early or is something else")
        yield number, value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise _Damaged("it ends too early")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _Damaged("a number is too long")


def _check_safetensors(data: bytes) -> None:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or length > min(_MAX_HEADER, len(data) - 8) or data[8:9] != b"{":
        raise _Damaged("it has no header")
    try:
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        spans = sorted(_tensor_span(tensor) for tensor in header.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _Damaged(f"its header is wrong: {error!r}") from None
    end = 0
    for begin, next_end in spans:
        if begin != end:
            raise _Damaged("its tensors overlap or leave gaps")
        end = next_end
    if not spans or end != len(data) - 8 - length:
        raise _Damaged("its header does not describe its data")


def _tensor_span(tensor: dict) -> tuple[int, int]:
    """Begin and end of a tensor's bytes. Raises ValueError where they do not fit its type and shape."""
    begin, end = tensor["data_offsets"]
    if any(type(n) is not int or n < 0 for n in (begin, end, *tensor["shape"])):
        raise ValueError("numbers that are not counts")
    if end - begin != math.prod(tensor["shape"]) * _SAFETENSORS_BYTES[tensor["dtype"]]:
        raise ValueError("a size that does not fit the shape")
    return begin, end
