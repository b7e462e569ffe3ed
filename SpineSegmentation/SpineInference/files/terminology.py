"""The codes of the vertebrae in the two forms that 3D Slicer's Terminologies module understands.

`terminology_entry` is what a segment carries; `terminology_context` is the content of the file
`Resources/SpineSegmentation.term.json` that teaches Slicer the single vertebrae. After a change of levels.py that
file is made again, in the folder SpineSegmentation, by

    python -m SpineInference.files.terminology > Resources/SpineSegmentation.term.json
"""

import json

from ..anatomy import LEVELS, Segment, numbered

CONTEXT = "SpineSegmentation"
_ANATOMIC_CONTEXT = "Anatomic codes - DICOM master list"
_CATEGORY = ("123037004", "Anatomical Structure")
_SCHEMA = "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/segment-context-schema.json#"
_NO_CODE = "^^"


def terminology_entry(segment: Segment) -> str:
    """The value of the tag "TerminologyEntry" of a segment: context, category, type; no modifier and no region."""
    category, kind = ("^".join(("SCT", *code)) for code in (_CATEGORY, (segment.code, segment.meaning)))
    return "~".join((CONTEXT, category, kind, _NO_CODE, _ANATOMIC_CONTEXT, _NO_CODE, _NO_CODE))


def terminology_context() -> dict:
    """Every code of levels.py once, in Slicer's JSON structure. L6 and the numbered vertebrae share "Vertebra"."""
    by_code = {segment.code: segment for segment in (*LEVELS.values(), numbered(1))}
    category_code, category_meaning = _CATEGORY
    category = _coded(category_code, category_meaning) | {
        "showAnatomy": False,
        "Type": [
            _coded(segment.code, segment.meaning)
            | {
                "3dSlicerLabel": segment.meaning.removesuffix(" vertebra"),
                "recommendedDisplayRGBValue": list(segment.colour),
            }
            for segment in by_code.values()
        ],
    }
    return {
        "SegmentationCategoryTypeContextName": CONTEXT,
        "@schema": _SCHEMA,
        "SegmentationCodes": {"Category": [category]},
    }


def _coded(code: str, meaning: str) -> dict:
    return {"CodingSchemeDesignator": "SCT", "CodeValue": code, "CodeMeaning": meaning}


if __name__ == "__main__":
    print(json.dumps(terminology_context(), indent=2))
