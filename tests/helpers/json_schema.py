"""A small validator of JSON Schema, for the keywords that `lidjax.evals.fit_schema` uses; it knows no others."""

from typing import Any

TYPES = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
    "array": list,
    "object": dict,
}
KNOWN = {
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "properties",
    "required",
    "additionalProperties",
}
KNOWN |= {"items", "anyOf"}


def errors(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "$") -> list[str]:
    """Where and how `value` differs from `schema`; empty if it does not."""
    assert schema.keys() <= KNOWN, schema.keys() - KNOWN
    if "$ref" in schema:
        return errors(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, path)
    if "anyOf" in schema:
        every = [errors(value, one, root, path) for one in schema["anyOf"]]
        return [] if [] in every else [f"{path}: {value!r} is none of {len(every)} alternatives"]
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    allowed = [
        isinstance(value, TYPES[kind]) and (kind == "boolean") == isinstance(value, bool) for kind in kinds
    ]
    if not any(allowed):
        return [f"{path}: {value!r} is not {kinds}"]
    if isinstance(value, list):
        return [
            e for i, item in enumerate(value) for e in errors(item, schema["items"], root, f"{path}[{i}]")
        ]
    if not isinstance(value, dict):
        return []
    properties, others = schema.get("properties", {}), schema["additionalProperties"]
    found = [f"{path}: {name} is missing" for name in schema.get("required", []) if name not in value]
    for name, item in value.items():
        inner = properties.get(name, others)
        if inner is False:
            found.append(f"{path}: {name} is not allowed")
        else:
            found += errors(item, inner, root, f"{path}.{name}")
    return found
