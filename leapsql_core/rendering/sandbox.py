"""The sandbox: Jinja without a clock, without chance, without files, and with nothing that can be changed.

It and `metering`, which sees to it that templates end, are all that imports Jinja; they are loaded when the first
template has to be rendered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from types import CodeType
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, TemplateSyntaxError, nodes
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import missing

from leapsql_core.names import did_you_mean
from leapsql_core.rendering.allowance import (
    Allowance,
    allowance,
    allowing,
    counted,
    pay_call,
    pay_operation,
    pay_widths,
)
from leapsql_core.rendering.metering import OWN_FILTERS, meter, metered
from leapsql_core.rendering.scope import RUN_VALUES, This

__all__ = ["LOOKED_UP", "Facts", "MacroNamespace", "Sandbox", "SystemVariables", "TemplateSyntaxError", "Undefined"]

#: Where a template's context gathers the run values that were looked up; no template can spell this name.
LOOKED_UP = "run values that were looked up"

_PRINTABLE = (str, int, float, Decimal, date, time, timedelta, This)
#: What makes or takes apart pages of the web, some of it in the square of the time that a text takes to read.
_OF_THE_WEB = frozenset({"striptags", "urlize", "xmlattr"})
_LOOKING_UP = 10
_OF_THE_CLOCK = frozenset({"now", "today", "utcnow", "fromtimestamp", "utcfromtimestamp", "astimezone"})


class Undefined(StrictUndefined):
    """Something that is not there; when it is used it says what it could have been."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: Any = missing, name: Any = None, exc: Any = UndefinedError
    ) -> None:
        super().__init__(hint or _no_such_field(obj, name), obj, name, exc)


def _no_such_field(owner: Any, name: Any) -> str | None:
    """Return what to say of a field that `owner` lacks, ``None`` to leave it to Jinja."""
    if isinstance(owner, Facts):
        cause, known = f"{owner._label} has no `{name}`", list(owner._facts)
    elif isinstance(owner, This):
        cause, known = f"`this` has no `{name}`", list(This.__slots__)
    elif isinstance(owner, dict):
        cause, known = f"there is no key `{name}`", [key for key in owner if isinstance(key, str)]
    else:
        return None
    return f"{cause}. " + did_you_mean(str(name), known, otherwise=f"There is: {', '.join(sorted(known)) or 'none'}.")


class _Context(Context):
    """Notes which run values a template, or a macro that it calls, looks up."""

    def resolve_or_missing(self, key: str) -> Any:
        if key in RUN_VALUES:
            self.parent[LOOKED_UP].add(key)
        return super().resolve_or_missing(key)


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja as templates of a project see it."""

    context_class = _Context
    intercepted_binops = frozenset(ImmutableSandboxedEnvironment.default_binop_table)

    def __init__(self) -> None:
        super().__init__(undefined=Undefined, finalize=_printed, auto_reload=False)
        del self.globals["lipsum"], self.filters["random"]
        for name in _OF_THE_WEB:
            del self.filters[name]
        meter(self.filters)
        meter(self.tests)
        self.filters |= OWN_FILTERS

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may use an attribute: not what is private, changes something or reads the clock."""
        if isinstance(obj, date) and attr in _OF_THE_CLOCK:
            return False
        if isinstance(obj, str) and attr in _OF_THE_WEB:
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Do an operation that is paid for; subtract, but for keys: what is left of them comes in no order."""
        pay_operation(operator, left, right)
        made = super().call_binop(context, operator, left, right)
        if isinstance(made, set):
            raise TemplateRuntimeError("a set has no order. Write `| reject('in', …) | list` instead of `-`.")
        return made

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call what may be called, and is paid for."""
        args = pay_call(__obj, args, kwargs)
        made = super().call(__context, __obj, *args, **kwargs)
        return counted(made) if isinstance(getattr(__obj, "__self__", None), str | bytes | dict) else made

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return what stands for ``str.format`` and ``str.format_map``, ``None`` if `value` is neither."""
        return None if super().wrap_str_format(value) is None else _Formatting(self, value.__self__, value.__name__)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item of `obj`, which is paid for: filters ask for one of each value."""
        allowance().pay(_LOOKING_UP)
        return super().getitem(obj, argument)

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        return super()._generate(metered(source), *args, **kwargs)

    def render(self, code: CodeType, context: dict[str, Any]) -> str:
        """Render the template that was compiled to `code`, as far as an allowance goes.

        Raises:
            Exception: of any kind; the template's own lines are in its traceback.
        """
        with allowing(Allowance()):
            return self.template(code).render(context)

    def template(self, code: CodeType) -> Template:
        """Return the template that was compiled to `code`."""
        return Template.from_code(self, code, self.make_globals(None))


class _Formatting:
    """``'…'.format`` of one text, which can be called."""

    __slots__ = ("__name__", "_formatter", "_text")

    def __init__(self, environment: Sandbox, text: str, name: str) -> None:
        self._text, self.__name__, self._formatter = text, name, _Formatter(environment)

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        if self.__name__ == "format_map":
            (kwargs,), args = args, ()
        made: str = counted(self._formatter.vformat(self._text, args, kwargs))
        return made


class _Formatter(SandboxedFormatter):
    """Formats values, each of which is paid for."""

    def format_field(self, value: Any, format_spec: str) -> Any:
        """Format one value."""
        pay_widths(format_spec)
        allowance().weigh(value)
        return super().format_field(value, format_spec)


def _printed(value: Any) -> Any:
    """Return what ``{{ … }}`` is to print, paid for."""
    allowance().weigh(value)
    return _printable(value)


def _printable(value: Any) -> Any:
    """Return what ``{{ … }}`` is to print; refuse what has no text of its own, such as a function."""
    parts: list[Any] = []
    if isinstance(value, list | tuple):
        parts = list(value)
    elif isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, Undefined):
        str(value)  # which says what is missing
    elif value is None:
        raise TemplateRuntimeError("None cannot be printed. Say what stands for it: {{ x or 'NULL' }}.")
    elif not isinstance(value, _PRINTABLE):
        label = getattr(value, "_label", f"a {type(value).__name__}")
        mend = "Is a call `()` missing?" if callable(value) else "Name a field of it, or write `| list` behind it."
        raise TemplateRuntimeError(f"{label} cannot be printed. {mend}")
    for part in parts:
        _printable(part)
    return value


class Facts:
    """A few facts under one name, such as ``target``."""

    __slots__ = ("_facts", "_label")
    __iter__ = None

    def __init__(self, label: str, facts: Mapping[str, Any]) -> None:
        self._label, self._facts = label, facts

    def __getitem__(self, name: str) -> Any:
        return self._facts[name]


class SystemVariables:
    """``env`` in a template."""

    __slots__ = ("_environ", "_label", "_looked_up")
    __iter__ = None

    def __init__(self, environ: Mapping[str, str], looked_up: set[str]) -> None:
        self._label, self._environ, self._looked_up = "`env`", environ, looked_up

    def __contains__(self, name: str) -> bool:
        self._note(name)
        return name in self._environ

    def __getitem__(self, name: str) -> str | Undefined:
        self._note(name)
        if name in self._environ:
            return self._environ[name]
        mend = f"Set it, or write env.get('{name}', 'default')."
        return Undefined(f"environment variable {name} is not set. {mend}")

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the variable, or `default` if it is not set."""
        self._note(name)
        return self._environ.get(name, default)

    def _note(self, name: Any) -> None:
        """Note that a variable was looked up; what is no text names none."""
        if isinstance(name, str):
            self._looked_up.add(str(name))


class MacroNamespace:
    """One macro file in a template: ``stem.macro(…)``; evaluated when first used, with the template's own names."""

    __slots__ = ("_file", "_label", "_load", "_module", "_stem")
    __iter__ = None

    def __init__(self, stem: str, file: str, load: Callable[[], Any]) -> None:
        self._stem, self._file, self._load, self._label = stem, file, load, f"`{stem}`"
        self._module: Any = None

    def __getitem__(self, name: str) -> Any:
        if self._module is None:
            self._module = self._load()
        known = {key: value for key, value in vars(self._module).items() if not key.startswith("_")}
        if name in known:
            return known[name]
        hint = did_you_mean(str(name), known, otherwise=f"{self._file} holds: {', '.join(sorted(known)) or 'none'}.")
        return Undefined(f"there is no macro `{self._stem}.{name}`. {hint}")
