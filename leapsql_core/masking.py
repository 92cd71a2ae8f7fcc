"""Secrets: values of environment variables that must not be kept or shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values by the name of their variable; each is replaced by its name and a digest that tells changes apart."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def mask(self, text: str) -> str:
        """Return `text` with every secret value replaced; where several begin, the longest.

        >>> Secrets({"TOKEN": "s3cret"}).mask("key 's3cret'")
        "key '<secret TOKEN 1ec1c26b50d5>'"
        """
        # The first name of a value that goes by several. What was put in is not looked at again: it may hold a value.
        name_of = {value: name for name, value in sorted(self.values.items(), reverse=True) if value}
        if not name_of:
            return text
        longest_first = sorted(name_of, key=lambda value: (-len(value), value))

        def stand_in(match: re.Match[str]) -> str:
            digest = hashlib.sha256(match[0].encode("utf-8", "surrogatepass")).hexdigest()
            return f"<secret {name_of[match[0]]} {digest[:12]}>"

        return re.sub("|".join(map(re.escape, longest_first)), stand_in, text)
