"""The description of bodies that are read as strictly as the configuration file."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args, get_type_hints

from posetrack.serve.settings import StreamSettings
from posetrack.tracking.presets import PRESETS
from posetrack.tracking.selection import IDS, ORDERS
from posetrack.tracking.settings import TrackerSettings

STREAM, PATCH = "StreamSettings", "StreamPatch"


def body_of(name: str, *, required: bool = True) -> dict[str, Any]:
    """``openapi_extra`` of a route whose body is that schema."""
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}
    }


def settings_schemas() -> dict[str, Any]:
    """The schemas of a stream's settings, of a part of them, and what they are made of."""
    whole = StreamSettings.model_json_schema(ref_template="#/components/schemas/{model}")
    parts: dict[str, Any] = whole.pop("$defs")
    whole["properties"]["tracker"] = tracker_schema()
    optional = {
        name: {"anyOf": [{"$ref": rule["$ref"]}, {"type": "null"}]} if "$ref" in rule else rule
        for name, rule in whole["properties"].items()
        if name != "id"
    }
    patch = {
        "type": "object",
        "title": PATCH,
        "description": "Those settings of a stream that shall change.",
        "additionalProperties": False,
        "properties": optional,
    }
    return {STREAM: whole, PATCH: patch, **parts}


def tracker_schema() -> dict[str, Any]:
    """Every setting of the tracker with its range, unit and effect."""
    hints = get_type_hints(TrackerSettings)
    properties: dict[str, Any] = {"preset": {"enum": list(PRESETS)}}
    for each in fields(TrackerSettings):
        properties[each.name] = _rule(each.name, hints[each.name], dict(each.metadata))
    return {
        "type": "object",
        "additionalProperties": False,
        "description": "What differs from the preset; MMDeploy's names are for the file.",
        "properties": properties,
    }


def _rule(name: str, kind: Any, known: dict[str, Any]) -> dict[str, Any]:
    unit = f" [{known['unit']}]" if known.get("unit") else ""
    rule: dict[str, Any] = {"description": known["help"] + unit}
    if "choices" in known:
        return rule | {"enum": list(known["choices"])}
    if "low" not in known:
        if name == "select":
            return rule | {"type": "string", "pattern": f"^({'|'.join(ORDERS)}|{IDS})$"}
        if name == "confidence_weighting":
            return rule | {"type": "boolean"}
        sigma = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10}
        return rule | {"type": ["array", "null"], "items": sigma, "minItems": 1}
    parts = get_args(kind) or (kind,)
    number = "integer" if int in parts else "number"
    rule["type"] = [number, "null"] if type(None) in parts else number
    rule["exclusiveMinimum" if known["above"] else "minimum"] = known["low"]
    return rule | {"maximum": known["high"]}
