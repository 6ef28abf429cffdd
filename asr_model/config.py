"""Strict settings: pydantic models ↔ YAML ↔ stored JSON, with errors that name the dotted path."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

__all__ = [
    "Settings",
    "SettingsError",
    "apply_overrides",
    "digest",
    "format_yaml",
    "load_settings",
    "nearest",
    "parse_yaml",
]


class SettingsError(ValueError):
    """A setting is unknown, missing, mistyped or out of range; the message names it by its dotted path."""


class Settings(BaseModel):
    """Base of every group of settings: immutable, strictly typed, unknown names refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, validate_default=True)


S = TypeVar("S", bound=Settings)


def nearest(name: str, known: Sequence[str]) -> str:
    """Return ``"; did you mean X?"`` for the known name nearest to ``name``, or an empty string.

    >>> nearest("sampel_rate", ["sample_rate", "n_mels"])
    '; did you mean sample_rate?'
    """
    matches = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {matches[0]}?" if matches else ""


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Parse YAML 1.2 (``1e-4`` is a number, ``no`` is a string, a key given twice is an error) into a mapping.

    Raises:
        SettingsError: the text is not YAML or its top level is not a mapping.
    """
    try:
        data = YAML(typ="safe", pure=True).load(StringIO(text))
    except YAMLError as error:
        raise SettingsError(f"{source}: not valid YAML: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SettingsError(f"{source}: wanted a mapping of settings, found {type(data).__name__}")
    return data


def format_yaml(data: Mapping[str, Any]) -> str:
    """Return YAML that `parse_yaml` reads as ``data``."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    text = StringIO()
    yaml.dump(dict(data), text)
    return text.getvalue()


def apply_overrides(data: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return ``data`` with every ``section.key=value`` applied; values are read as YAML.

    A ``preset`` replaces all that ``data`` holds in its section; overrides after it go before what it stands for.

    >>> apply_overrides({"audio": {"channels": "each"}}, ["audio.channels=mix", "seed=3"])
    {'audio': {'channels': 'mix'}, 'seed': 3}

    Raises:
        SettingsError: an override has no ``=``, or goes through something that is no section, or ``data`` holds
            what no setting can.
    """
    try:
        result: dict[str, Any] = json.loads(json.dumps(data))
    except (TypeError, ValueError) as error:
        raise SettingsError(f"a value is of a kind settings cannot hold: {error}") from error
    for override in overrides:
        dotted, equals, value = override.partition("=")
        if not equals or not dotted:
            raise SettingsError(f"--set {override}: wanted section.key=value")
        *sections, key = dotted.split(".")
        node = result
        for section in sections:
            child = node.setdefault(section, {})
            if not isinstance(child, dict):
                raise SettingsError(f"--set {override}: {section} is a value, not a section")
            node = child
        if key == "preset":
            node.clear()  # what the file gives one by one would else go before all that the preset says
        node[key] = parse_yaml(f"value: {value}", f"--set {override}")["value"]
    return result


def load_settings(model: type[S], data: Mapping[str, Any], source: str) -> S:
    """Check ``data`` against ``model``.

    Raises:
        SettingsError: one line for each wrong setting: dotted path, value found, what was wanted.
    """
    try:
        # Through JSON, so that a YAML list may fill a tuple while numbers and booleans stay strict.
        return model.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(model, source, dict(item)) for item in error.errors())) from error
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{source}: a value is of a kind settings cannot hold: {error}") from error


def digest(value: Any) -> str:
    """Return a 16-digit hexadecimal BLAKE2b fingerprint of a JSON value, stable across runs and machines."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _explain(model: type[BaseModel], source: str, item: dict[str, Any]) -> str:
    location, beside = _places(model, item["loc"])
    path = ".".join(location)
    if item["type"] == "extra_forbidden":
        return f"{source}: {path}: unknown setting{nearest(location[-1], beside)} (known: {', '.join(beside)})"
    if item["type"] == "missing":
        return f"{source}: {path}: missing setting"
    found = json.dumps(item.get("input"), default=str)
    return f"{source}: {path}: found {found}; {item['msg'][0].lower()}{item['msg'][1:]}"


def _places(model: type[BaseModel], location: tuple[str | int, ...]) -> tuple[list[str], list[str]]:
    """Return the dotted parts of ``location`` as the user writes them, and the names that may stand in the last."""
    current: list[type[BaseModel]] = [model]
    path, beside = [], []
    for part in location:
        fields = [m.model_fields[str(part)].annotation for m in current if str(part) in m.model_fields]
        of_kind = [m for m in current if part in _kinds(m)]
        if of_kind and not fields:  # the tag of a union of settings: nothing the user wrote
            current = of_kind
            continue
        path.append(str(part))
        beside = sorted({name for m in current for name in m.model_fields})
        if fields:  # list indexes are no field names and keep the current models
            current = [leaf for annotation in fields for leaf in _models(annotation)]
    return path, beside


def _kinds(model: type[BaseModel]) -> tuple[Any, ...]:
    return get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, list, tuple, dict) or get_args(annotation):
        return [leaf for argument in get_args(annotation) for leaf in _models(argument)]
    return []
