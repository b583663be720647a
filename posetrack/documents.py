"""YAML files read strictly into pydantic models; every error says file, line and what was meant."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from posetrack.errors import ConfigError, PosetrackError

MOST_VALUES, DEEPEST = 100_000, 64
"""Of one file: a few lines of aliases can stand for more values than any memory holds."""


class _Loader(yaml.SafeLoader):
    """Safe YAML in which only ``true`` and ``false`` are booleans, as in YAML 1.2.

    In YAML 1.1 ``on``, ``off``, ``yes`` and ``no`` are too, even as keys. Brackets within brackets
    end at `DEEPEST`, before they cost time.
    """

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._depth += 1
        if self._depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:bool"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), ["t", "f"])

M = TypeVar("M", bound=BaseModel)
_Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Override:
    """A value that takes the place of the file's, and where it came from."""

    path: tuple[str, ...]
    value: Any
    origin: str


def load_document(
    path: Path,
    model: type[M],
    *,
    error: type[PosetrackError] = ConfigError,
    overrides: Sequence[Override] = (),
) -> M:
    """The file as a `model`; anything wrong is raised as `error` with ``file:line``."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise error(f"{path} cannot be read: {problem}") from problem
    return parse_document(text, model, name=str(path), error=error, overrides=overrides)


def parse_document(
    text: str,
    model: type[M],
    *,
    name: str,
    error: type[PosetrackError] = ConfigError,
    overrides: Sequence[Override] = (),
) -> M:
    """YAML `text` as a `model`, with `overrides`; `name` stands for the file in messages."""
    data, lines = read_yaml(text, name=name, error=error)
    if not isinstance(data, Mapping):
        raise error(f"{name}:1: a mapping of names to values was expected")
    origins = {path: f"{name}:{line}" for path, line in lines.items()}
    for each in overrides:
        _put(data, each, origins, error)
    try:
        # JSON mode is strict and still lets a list be a tuple and 1 be 1.0.
        return model.model_validate_json(json.dumps(data))
    except ValidationError as problem:
        raise error(_explain(problem, model, name, origins)) from problem
    except (TypeError, ValueError) as problem:
        raise error(f"{name}: {problem}") from problem


def read_yaml(
    text: str, *, name: str, error: type[PosetrackError] = ConfigError
) -> tuple[Any, dict[_Path, int]]:
    """Plain data, and the line (from 1) of every value by its path of keys and indices."""
    lines: dict[_Path, int] = {}
    try:
        loader = _Loader(text)
    except yaml.YAMLError as problem:  # a character that no YAML holds
        raise error(f"{name}: not valid YAML ({' '.join(str(problem).split())})") from problem
    try:
        root = loader.get_single_node()
        if root is None:
            return None, lines
        _walk(root, (), lines, name, error)
        return loader.construct_document(root), lines
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark
        at = f"{name}:{mark.line + 1}" if mark else name
        raise error(f"{at}: not valid YAML ({problem.problem})") from problem
    except yaml.YAMLError as problem:
        raise error(f"{name}: not valid YAML ({' '.join(str(problem).split())})") from problem
    except PosetrackError:
        raise
    except (ValueError, RecursionError) as problem:  # such as a 99th of May, or endless brackets
        raise error(f"{name}: not usable YAML ({problem})") from problem
    finally:
        loader.dispose()


def _put(
    data: Any, override: Override, origins: dict[_Path, str], error: type[PosetrackError]
) -> None:
    """Set one value in plain data."""
    at = data
    for key in override.path[:-1]:
        if at.get(key) is None:
            at[key] = {}
        at = at[key]
        if not isinstance(at, dict):
            raise error(f"{origins[override.path[:-1]]}: {key} is no section")
    at[override.path[-1]] = override.value
    origins[override.path] = override.origin


def _walk(
    node: yaml.Node, path: _Path, lines: dict[_Path, int], name: str, error: type[PosetrackError]
) -> None:
    lines[path] = node.start_mark.line + 1
    if len(lines) > MOST_VALUES or len(path) > DEEPEST:
        raise error(
            f"{name}:{lines[path]}: more than {MOST_VALUES} values, or {DEEPEST} inside each other"
        )
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            if here in lines:
                raise error(f"{name}:{key.start_mark.line + 1}: {key.value!r} is given twice")
            _walk(value, here, lines, name, error)
            lines[here] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*path, index), lines, name, error)


def _explain(
    problem: ValidationError, model: type[BaseModel], name: str, origins: Mapping[_Path, str]
) -> str:
    known: _Path = tuple(problem.errors(include_url=False)[0]["loc"])
    while known not in origins and known:
        known = known[:-1]
    return f"{origins.get(known, f'{name}:1')}: {explain(problem, model)}"


_A_LIST = 'give a list, each entry on a line that begins with "- "'
_SETTINGS = "give settings, each on a line as in name: value"
_IN_YAML = {
    "list_type": _A_LIST,
    "tuple_type": _A_LIST,
    "dict_type": _SETTINGS,
    "model_type": _SETTINGS,
    "dataclass_type": _SETTINGS,
}
"""What pydantic calls an array or a dictionary, by the type of its error."""


def wording(error: Mapping[str, Any]) -> str:
    """What one of pydantic's errors says, in the words of YAML."""
    message = _IN_YAML.get(error["type"], error["msg"].removeprefix("Value error, "))
    return str(message[:1].lower() + message[1:])


def explain(problem: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, where in the data, and what was meant; in one line."""
    first = problem.errors(include_url=False)[0]
    path: _Path = tuple(first["loc"])
    dotted = ".".join(map(str, path))
    if first["type"] == "extra_forbidden":
        return f"unknown key {dotted!r}{_meant(str(path[-1]), model, path[:-1])}"
    if first["type"] == "missing":
        return f"{dotted!r} is missing"
    message = wording(first)
    shown = repr(first.get("input"))
    shown = f", got {shown}" if len(shown) <= 60 else ""
    return f"{dotted + ': ' if dotted else ''}{message}{shown if dotted else ''}"


def _meant(key: str, model: type[BaseModel], path: _Path) -> str:
    names = _keys_at(model, path)
    near = difflib.get_close_matches(key, names, 1)
    if near:
        return f": did you mean {near[0]!r}?"
    return f": known are {', '.join(names)}" if names else ""


def _keys_at(model: type[BaseModel], path: _Path) -> list[str]:
    current: Any = model
    for part in path:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if _is_model(current) else None
        if field is None:
            return []
        current = next((t for t in _types(field.annotation) if _is_model(t)), None)
    return list(current.model_fields) if _is_model(current) else []


def _types(annotation: Any) -> list[Any]:
    found = [annotation]
    for inner in get_args(annotation):
        found += _types(inner)
    return found


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)
