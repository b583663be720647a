"""Write the pages of reference/ anew from the code; the tests ask for it when they differ."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel, TypeAdapter

import posetrack
from posetrack.cards import ModelCard
from posetrack.cli.main import COMMANDS, app
from posetrack.config import RunConfig
from posetrack.serve.settings import ServeConfig, TrackingOptions
from posetrack.serve.sinks.settings import SinkSettings
from posetrack.tracking.settings import settings_table
from posetrack.training.recipe import Recipe

DOCS = Path(__file__).parent
CONFIGS = DOCS.parent / "configs"
HEAD = "<!-- Written by docs/reference_pages.py: change the code, then run it. -->\n\n"


def command_line() -> str:
    """Every command with its arguments and options, as the parser knows them."""
    parts = [
        HEAD + "# Every option\n",
        (
            "What the commands do together: [command line](../cli.md). Options may be written with "
            "hyphens or underscores.\n"
        ),
        "## posetrack\n",
        _options(typer.main.get_command(app)),
    ]
    for name, (module, _) in COMMANDS.items():
        command = typer.main.get_command(import_module(module).app)
        parts += list(_command(f"posetrack {name}", command))
    return "\n".join(parts)


def _command(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}\n"
    if command.help:
        yield inspect.cleandoc(command.help).replace("\f", "").strip() + "\n"
    subcommands: Mapping[str, Any] = getattr(command, "commands", {})
    if not subcommands:
        yield _options(command)
    for word, sub in subcommands.items():
        yield f"### {name} {word}\n"
        yield inspect.cleandoc(sub.help or "").strip() + "\n"
        yield _options(sub)


def _options(command: Any) -> str:
    """Tables of a command's arguments and options, by the panels of its help."""
    panels: dict[str, list[str]] = defaultdict(list)
    for each in command.params:
        if getattr(each, "hidden", False) or "--install-completion" in each.opts:
            continue
        if "--show-completion" in each.opts:
            continue
        argument = each.param_type_name == "argument"
        names = each.name.upper() if argument else ", ".join([*each.opts, *each.secondary_opts])
        more = "needed" if each.required else _default(each.default)
        panel = "arguments" if argument else (each.rich_help_panel or "options").lower()
        row = f"| `{names}` | {_cell(each.help or '')} | {more} |\n"
        panels[panel].append(row)
    tables = [
        f"| {panel} | | default |\n|---|---|---|\n" + "".join(rows)
        for panel, rows in panels.items()
    ]
    return "\n".join(tables)


def _default(value: Any) -> str:
    """A default worth telling: None, no and nothing are told by the help."""
    if value is None or value is False or value in ("", (), []) or callable(value):
        return ""
    return f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def settings() -> str:
    """Every setting of every file, with what it may be, from the models that read them."""
    sinks = get_args(get_args(SinkSettings)[0])
    parts = [
        HEAD + "# Every setting\n",
        (
            "Unknown names are refused, values are of the type shown. Which value wins: "
            "[configuration](../cli.md#configuration).\n"
        ),
        "## posetrack run, webcam, batch\n",
        (
            "A file for `--config`, single settings for `--set SECTION.NAME=VALUE`, variables "
            "`POSETRACK_SECTION_NAME`.\n"
        ),
        _table(RunConfig, _comments("run.yaml"), leave=("tracker",)),
        "### tracker\n",
        (
            "`preset` (default, iou, mmdeploy), and what differs from it. What they do together: "
            "[tracking](../tracking.md).\n"
        ),
        settings_table(),
        "## posetrack serve\n",
        (
            "What `defaults` and each of `streams` may hold, beside `id`, `url`, `loop` and "
            "`enabled`, stands in the second table; `detector`, `pose`, `reid`, `tracker` and "
            "`drawing` are as above. "
            "[The daemon](../serve.md) says what they do together.\n"
        ),
        _table(
            ServeConfig, _comments("serve.yaml"), leave=("defaults", "streams", "sinks", "backend")
        ),
        _table(
            TrackingOptions,
            _comments("run.yaml"),
            leave=("detector", "pose", "reid", "tracker", "drawing"),
        ),
        "### sinks\n",
        *(_sink(each) for each in sinks),
        "## A training recipe\n",
        "What the keys mean: [training](../training.md#recipe).\n",
        _table(Recipe, {}),
        "## A model card\n",
        "What the keys mean: [models](../models.md#a-card).\n",
        _table(ModelCard, {}),
    ]
    return "\n".join(parts)


def _sink(model: type[BaseModel]) -> str:
    return f"{inspect.cleandoc(model.__doc__ or '')}\n\n{_table(model, {})}"


def _table(model: type[BaseModel], effects: Mapping[str, str], leave: tuple[str, ...] = ()) -> str:
    """One row a setting: dotted name, values, default, and its effect where `effects` has it."""
    schema = TypeAdapter(model).json_schema()
    rows = list(_rows(schema, schema.get("$defs", {}), "", leave))
    told = any(name in effects for name, *_ in rows)
    head = (
        "| setting | values | default | effect |\n|---|---|---|---|\n"
        if told
        else ("| setting | values | default |\n|---|---|---|\n")
    )
    lines = []
    for name, values, default in rows:
        effect = f" {_cell(effects.get(name, ''))} |" if told else ""
        lines.append(f"| `{name}` | {values} | {default} |{effect}\n")
    return head + "".join(lines)


def _rows(
    schema: Mapping[str, Any], known: Mapping[str, Any], place: str, leave: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    """(dotted name, values, default) of each setting below `schema`, sections opened."""
    needed = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        if name in leave and not place:
            continue
        section = _section(each, known)
        if section is not None:
            yield from _rows(section, known, f"{place}{name}.", leave)
            continue
        default = "needed" if name in needed else f"`{_plain(each.get('default'))}`"
        yield (
            f"{place}{name}",
            _values(each, known),
            default if "default" in each or name in needed else "",
        )


def _section(each: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema of a section of settings, or None for a single value."""
    options = [each, *each.get("anyOf", ())]
    for option in options:
        if "$ref" in option:
            target: Mapping[str, Any] = known[option["$ref"].rsplit("/", 1)[1]]
            return target if "properties" in target else None
    return None


def _plain(value: Any) -> str:
    """A value as it is written in YAML."""
    return _cell({"None": "null", "True": "true", "False": "false"}.get(str(value), str(value)))


def _values(each: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """What a value may be, in words."""
    if "$ref" in each:
        return _values(known[each["$ref"].rsplit("/", 1)[1]], known)
    if "anyOf" in each or "oneOf" in each:
        options = [_values(option, known) for option in each.get("anyOf", each.get("oneOf"))]
        return ", or ".join(dict.fromkeys(options))
    if "enum" in each or "const" in each:
        return ", ".join(f"`{_plain(word)}`" for word in each.get("enum", [each.get("const")]))
    if each.get("type") == "array":
        inner = each.get("items") or {}
        if "prefixItems" in each:
            return "[" + ", ".join(_values(item, known) for item in each["prefixItems"]) + "]"
        return "list of " + (_values(inner, known) if inner else "values")
    words = {"string": "text", "integer": "whole number", "boolean": "true, false", "null": "null"}
    kind = words.get(each.get("type", ""), each.get("type", "any"))
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {each[key]:g}" for key, sign in signs.items() if key in each]
    if "multipleOf" in each:
        limits.append(f"multiple of {each['multipleOf']:g}")
    return " ".join([{"object": "mapping"}.get(kind, kind), ", ".join(limits)]).strip()


def _comments(file: str) -> dict[str, str]:
    """``section.name`` -> what stands behind the value in a file of configs/."""
    found, section = {}, ""
    for line in (CONFIGS / file).read_text("utf-8").splitlines():
        if heading := re.match(r"(\w+):", line):
            section = heading[1]
        elif setting := re.match(r"  (\w+):.*?\s+#\s(.*)", line):
            found[f"{section}.{setting[1]}"] = setting[2]
    return found


def python() -> str:
    """The names of `import posetrack` with their signatures and docstrings."""
    parts = [
        HEAD + "# Python\n",
        (
            "The names that `import posetrack` offers; everything else is below its module, with "
            "docstrings of its own. Shapes are read left to right; coordinates are px of the "
            "upright source frame.\n"
        ),
    ]
    for name in posetrack.__all__:
        if name.startswith("__"):
            continue
        value = getattr(posetrack, name)
        parts += [f"## {name}\n", _signature(name, value), _docstring(value)]
        parts += list(_members(name, value)) if inspect.isclass(value) else []
    return "\n".join(parts)


def _members(owner: str, value: type) -> Iterator[str]:
    """The public methods and properties that the class itself defines."""
    for name, member in vars(value).items():
        if isinstance(member, staticmethod | classmethod):
            member = member.__func__
        if name.startswith("_") and name != "__call__":
            continue
        if isinstance(member, property):
            yield f"**`{owner}.{name}`**\n\n{_docstring(member)}"
        elif inspect.isfunction(member) and member.__doc__:
            yield f"**`{owner}.{name}`**\n\n{_signature(name, member)}\n{_docstring(member)}"


def _signature(name: str, value: Any) -> str:
    """The signature as text, a parameter a line where there are several."""
    signature = inspect.signature(value)
    known = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    # Annotations are text and would stand in quotes.
    parameters = [re.sub(r"^(\w+): '([^']*)'", r"\1: \2", str(each)) for each in known]
    keyword_only = [each.kind is each.KEYWORD_ONLY for each in known]
    if any(keyword_only):
        parameters.insert(len(parameters) - sum(keyword_only), "*")
    inside = ", ".join(parameters)
    if len(inside) > 72:
        inside = "\n" + "".join(f"    {each},\n" for each in parameters)
    returns = signature.return_annotation
    arrow = f" -> {returns}" if isinstance(returns, str) else ""
    return f"```text\n{name}({inside}){arrow}\n```\n"


def _docstring(value: Any) -> str:
    """A docstring with its sections as lists."""
    text = inspect.getdoc(value) or ""
    text = re.sub(
        r"^(Args|Attributes|Raises|Returns|Yields):$", r"*\1*\n", text, flags=re.MULTILINE
    )
    text = re.sub(r"^    (\w[\w ,.]*): ", r"- `\1`: ", text, flags=re.MULTILINE)
    return text + "\n"


PAGES: dict[str, Callable[[], str]] = {"cli": command_line, "settings": settings, "python": python}


def main() -> None:
    """Replace every page."""
    (DOCS / "reference").mkdir(exist_ok=True)
    for name, page in PAGES.items():
        (DOCS / "reference" / f"{name}.md").write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
