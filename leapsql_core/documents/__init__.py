"""YAML texts become checked documents; the only room where PyYAML and pydantic enter.

Every complaint carries the line it is about.
"""

from leapsql_core.documents.schemas import (
    Document,
    Field,
    Note,
    Seconds,
    Word,
    Words,
    model_validator,
    validate_document,
)
from leapsql_core.documents.texts import KeyPath, YamlText, read_yaml

__all__ = [
    "Document",
    "Field",
    "KeyPath",
    "Note",
    "Seconds",
    "Word",
    "Words",
    "YamlText",
    "model_validator",
    "read_yaml",
    "validate_document",
]
