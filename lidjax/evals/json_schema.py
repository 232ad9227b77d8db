"""The JSON Schema of what `lidjax fit --json` prints, made from the types that its values are checked against."""

from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from lidjax.evals.json_types import FitCommandJson, Says, Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PLAIN = {str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"}


def fit_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the output of `lidjax fit --json`.

    `docs/fit.schema.json` is this schema. `EvalFits.to_dict()` has the same fields, without those of the command
    ("command", "version", "training", "figures"), and NaN where JSON has null.

    Returns:
        The schema as plain dictionaries and lists, with a description of every field.

    References:
        JSON Schema, draft 2020-12.

    Example:
        >>> import lidjax.evals
        >>> schema = lidjax.evals.fit_schema()
        >>> schema["$defs"]["PassAtK"]["properties"]["unbiased"]["type"]
        ['number', 'null']
    """
    definitions: dict[str, Schema] = {}
    schema = object_schema(FitCommandJson, definitions)
    return {"$schema": DIALECT, "title": "lidjax fit --json", **schema, "$defs": definitions}


def object_schema(kind: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of an object; those inside it are added to `definitions`."""
    fields = get_type_hints(kind, include_extras=True)
    return {
        "type": "object",
        "properties": {name: value_schema(hint, definitions) for name, hint in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def value_schema(hint: Any, definitions: dict[str, Schema]) -> Schema:
    """The schema of a value of type `hint`."""
    if get_origin(hint) is Annotated:
        kind, said = get_args(hint)
        assert isinstance(said, Says)
        text = f"{said.text}; null {said.null}" if said.null else said.text
        schema = value_schema(kind, definitions)
        if said.null and kind is float:
            schema = {"type": ["number", "null"]}
        return {"description": text, **schema}
    if is_typeddict(hint):
        name = hint.__name__.removesuffix("Json")
        if name not in definitions:
            definitions[name] = object_schema(hint, definitions)
        return {"$ref": f"#/$defs/{name}"}
    if get_origin(hint) is list:
        return {"type": "array", "items": value_schema(get_args(hint)[0], definitions)}
    if get_origin(hint) is dict:
        return {"type": "object", "additionalProperties": value_schema(get_args(hint)[1], definitions)}
    if get_origin(hint) in (Union, UnionType):
        return {"anyOf": [value_schema(kind, definitions) for kind in get_args(hint)]}
    return {"type": PLAIN[hint]}
