"""Schemas: what a document may say, and in plain words what is wrong with one that says something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from leapsql_core.documents.texts import KeyPath, YamlText
from leapsql_core.errors import Problem, ProjectError
from leapsql_core.names import did_you_mean

__all__ = ["Document", "Field", "Note", "Seconds", "Word", "Words", "model_validator", "validate_document"]


def _as_words(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_note(value: Any) -> Any:
    return "" if value is None else value


def _as_seconds(value: float) -> float:
    if value < 0:
        raise ValueError(f"{value:g} is no span of time. Write a number of seconds, 0 or more.")
    return value


#: Text that is not empty.
Word = Annotated[str, Field(min_length=1)]
#: One word or a list of words, read as a list.
Words = Annotated[list[Word], BeforeValidator(_as_words)]
#: A span of time.
Seconds = Annotated[float, AfterValidator(_as_seconds)]
#: Text that may be left out behind its key.
Note = Annotated[str, BeforeValidator(_as_note)]


class Document(BaseModel):
    """A schema: unknown keys are errors, values are not bent into shape.

    A key with nothing behind it counts as not written.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_empty(cls, written: Any) -> Any:
        if written is None:
            return {}
        if not isinstance(written, dict):
            return written
        known = {info.alias or name for name, info in cls.model_fields.items()}
        return {key: value for key, value in written.items() if value is not None or key not in known}


D = TypeVar("D", bound=Document)


def validate_document(text: YamlText, schema: type[D], *, at: KeyPath = (), mask: Callable[[str], str] = str) -> D:
    """Check what stands at `at` in `text` against `schema`; complaints show values as `mask` lets them be seen.

    Raises:
        ProjectError: with one problem for each unknown key (its nearest neighbour named) and each wrong value.
    """
    written: Any = text.data
    for step in at:
        written = written[step]
    try:
        return schema.model_validate(written)
    except ValidationError as exc:
        raise ProjectError(_stream_problems(text, at, written, schema, exc, mask)) from exc


def _stream_problems(
    text: YamlText,
    at: KeyPath,
    written: Any,
    schema: type[Document],
    exc: ValidationError,
    mask: Callable[[str], str],
) -> Iterator[Problem]:
    by_path: dict[KeyPath, list[Any]] = {}
    for error in exc.errors(include_url=False):
        by_path.setdefault(_path_within(written, error), []).append(error)
    for path, errors in by_path.items():
        key = ".".join(map(str, path))
        if errors[0]["type"] == "extra_forbidden":
            known = _keys_at(schema, path[:-1])
            mend = did_you_mean(str(path[-1]), known, otherwise=f"Known keys: {', '.join(sorted(known))}.")
            cause = f"unknown key `{key}`"
        elif errors[0]["type"] == "missing":
            cause, mend = f"key `{key}` is missing", f"Add `{path[-1]}:`."
        else:
            cause, mend = _wrong_value(errors, mask)
            cause = f"`{key}`: {cause}" if key else cause
        yield text.problem((*at, *path), cause, mend)


def _path_within(written: Any, error: Any) -> KeyPath:
    """Return the part of pydantic's location that stands in the document, or should; the rest names its own types."""
    path: KeyPath = ()
    for step in error["loc"]:
        stands = isinstance(written, dict) and step in written
        stands = stands or (isinstance(written, list) and isinstance(step, int))
        if not stands:
            return (*path, step) if error["type"] == "missing" else path
        path, written = (*path, step), written[step]
    return path


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "string_too_short": "text that is not empty",
    "too_short": "at least one value",
    "greater_than_equal": "a whole number from 0 on",
}

_MENDS = {
    "text": "Write one text, in quotes if need be.",
    "true or false": "Write true or false.",
    "a list": "Write [one, two], or one a line, each behind a dash.",
    "keys and values": "Write `key: value`, one a line, below it.",
    "text that is not empty": "Write something, or take the key out.",
    "at least one value": "Write one at least.",
    "a whole number": "Write one, such as 5.",
    "a whole number from 0 on": "Write one, such as 5.",
}

_MEANT = {**dict.fromkeys(("yes", "on", "y", "1"), "true"), **dict.fromkeys(("no", "off", "n", "0"), "false")}
_LONGEST = 60


def _wrong_value(errors: list[Any], mask: Callable[[str], str]) -> tuple[str, str]:
    """Return cause and mend of pydantic's complaints about one value; several: it is none of the kinds it might be."""
    kind, context, value = errors[0]["type"], errors[0].get("ctx", {}), errors[0]["input"]
    found = "nothing" if value is None else json.dumps(_masked(value, mask), ensure_ascii=False)
    if len(found) > _LONGEST:
        found = found[: _LONGEST - 1] + "…"
    if kind == "literal_error":
        expected = str(context["expected"]).replace("'", "")
        known = expected.replace(" or ", ", ").split(", ")
        otherwise = f"Write {known[0]}." if len(known) == 1 else "Write one of them."
        return f"{found} is not one of {expected}", did_you_mean(str(value), known, otherwise=otherwise)
    if kind == "value_error":
        cause, _, mend = str(context["error"]).partition(". ")
        return cause, mend
    kinds = [_EXPECTED.get(error["type"], str(error["msg"])) for error in errors]
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != "a whole number"]
    expected = ", ".join(kinds[:-1]) + " or " + kinds[-1] if len(kinds) > 1 else kinds[0]
    mend = _MENDS.get(expected, "Write one of these.")
    if kinds == ["text"] and isinstance(value, int | float):
        mend = f'Quote it: "{found}".'
    elif kinds == ["true or false"] and isinstance(value, str):
        mend = f"Write {_MEANT.get(value.casefold(), 'true or false')}."
    return f"expected {expected}, found {found}", mend


def _masked(value: Any, mask: Callable[[str], str]) -> Any:
    """Mask every text in `value`, before any of them is quoted or cut."""
    if isinstance(value, dict):
        return {key: _masked(inner, mask) for key, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner, mask) for inner in value]
    return mask(value) if isinstance(value, str) else value


def _keys_at(schema: type[Document], path: KeyPath) -> list[str]:
    """Return the keys that `schema` knows at `path`, following nested documents."""
    found: Any = schema
    for step in path:
        if _is_document(found):
            by_key = {info.alias or name: info.annotation for name, info in found.model_fields.items()}
            found = by_key[str(step)]
        else:  # a list of them, or one under each key
            found = get_args(found)[-1]
    return [info.alias or name for name, info in found.model_fields.items()]


def _is_document(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Document)
