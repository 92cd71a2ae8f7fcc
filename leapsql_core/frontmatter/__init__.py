"""Frontmatter: the YAML between ``/*---`` and ``---*/`` at the top of a model becomes its `ModelConfig`."""

from leapsql_core.frontmatter.texts import ModelText, frontmatter_line, holds_frontmatter, read_model_text

__all__ = ["ModelText", "frontmatter_line", "holds_frontmatter", "read_model_text"]
