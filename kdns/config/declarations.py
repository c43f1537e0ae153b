"""Declarations: a directive's settings as a class whose fields say how they are written.

    class Cache(Settings):
        zones: tuple[Name, ...] = zones("ZONE", doc="which names are cached")
        success: Keeping = option("success CAPACITY [TTL [MINTTL]]", record(Keeping, …), default=Keeping(9984), doc="…")
        keep_ttl: bool = flag("keepttl", doc="…")

    DIRECTIVE: Final = Directive(Cache, "cache [TTL] [ZONE...]", doc="…", repeat="once")

Parser, `kdns check`, `kdns plugins` and the documents' tables all read these and nothing else. Settings are values: equal
if all fields are, never changed. Dataclasses would be the same at ten times the time to import (0.7 ms for each class).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import (
    Any,
    Final,
    Generic,
    Literal,
    NamedTuple,
    NoReturn,
    Self,
    TypeAlias,
    TypeVar,
    cast,
    dataclass_transform,
)

from kdns.config.domains import ZONE
from kdns.config.forms import Form
from kdns.config.shapes import GIVEN, Kind, Shape, spread
from kdns.config.syntax import ERROR, Severity
from kdns.dns.names import Name

T = TypeVar("T")
D = TypeVar("D")
S = TypeVar("S", bound="Settings")

# What another occurrence means: an error; nothing, or all that counts; one more.
Repeat: TypeAlias = Literal["once", "first", "last", "each"]

REQUIRED: Final[Any] = object()  # the default of what a form doesn't let one leave out


class Rule(NamedTuple):
    """One of several forms for the rest of a directive's line, found by its first word."""

    form: Form
    shape: Shape[object]
    doc: str


class Declared:
    """What a field says of itself; option is None for arguments of the directive's own form."""

    __slots__ = ("bare", "default", "doc", "from_keys", "option", "repeat", "rules", "shape", "variables")

    def __init__(
        self,
        shape: Shape[object],
        default: object,
        doc: str,
        *,
        variables: tuple[str, ...] = (),
        option: Form | None = None,
        bare: object = REQUIRED,
        repeat: Repeat = "last",
        rules: tuple[Rule, ...] = (),
        from_keys: bool = False,
    ) -> None:
        self.shape: Final = shape
        self.default: Final = default
        self.doc: Final = doc
        self.variables: Final = option.variables if option else variables
        self.option: Final = option
        self.bare: Final = default if bare is REQUIRED else bare  # what the option's name alone means
        self.repeat: Final = repeat
        self.rules: Final = rules
        self.from_keys: Final = from_keys  # whether the zones of the server block are the default


def argument(variables: str, shape: Shape[T], *, default: D = REQUIRED, doc: str) -> T | D:
    """A setting from some variables of the directive's own form."""
    declared = Declared(shape, default, doc, variables=tuple(variables.split()))
    return cast("T", declared)


def zones(variable: str, *, doc: str, kind: Kind[tuple[Name, ...]] = ZONE) -> tuple[Name, ...]:
    """Zones from a repeated variable of the directive's own form; without any, those of the server block."""
    return cast("tuple[Name, ...]", Declared(spread(kind), (), doc, variables=(variable,), from_keys=True))


def rules(variable: str, *given: Rule, doc: str) -> Any:
    """A setting from the rest of the directive's line, of which there are several forms."""
    return Declared(
        Kind("a rule", lambda token: token, given[0].form.name), REQUIRED, doc, variables=(variable,), rules=given
    )


def option(
    form: str,
    shape: Shape[T],
    *,
    default: D,
    doc: str,
    bare: D | T = REQUIRED,
    repeat: Repeat = "last",
    any_case: bool = False,
) -> T | D:
    """A setting from a line of the block; where it is collected from each, the shape gives tuples."""
    declared = Declared(shape, default, doc, option=Form(form, any_case=any_case), bare=bare, repeat=repeat)
    return cast("T", declared)


def options(form: str, shape: Shape[T], *, doc: str, any_case: bool = False) -> tuple[T, ...]:
    """A setting from lines of the block, a value from each; a form that begins with a variable is one without a name."""
    declared = Declared(_Alone(shape), (), doc, option=Form(form, any_case=any_case), repeat="each")
    return cast("tuple[T, ...]", declared)


def flag(name: str, *, doc: str) -> bool:
    """A setting that is on where its name stands in the block."""
    return cast("bool", Declared(GIVEN, False, doc, option=Form(name)))


class _Alone(Shape[tuple[T, ...]]):
    """One value, as a tuple."""

    __slots__ = ("shape",)

    def __init__(self, shape: Shape[T]) -> None:
        self.shape: Final = shape

    @property
    def plain(self) -> bool:
        return self.shape.plain

    def kinds(self, variables: Any) -> Mapping[str, Kind[object]]:
        return self.shape.kinds(variables)

    def build(self, found: Any, before: object) -> tuple[T, ...]:  # noqa: ARG002 - a shape's signature
        return (self.shape.build(found, None),)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(argument,))
class SettingsType(type):
    """Makes slots of a class's declarations, and keeps these as its fields."""

    fields: Mapping[str, Declared]

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> "SettingsType":
        fields = {key: value for key, value in body.items() if isinstance(value, Declared)}
        rest = {key: value for key, value in body.items() if key not in fields}
        made = super().__new__(cls, name, bases, {**rest, "__slots__": tuple(fields)})
        made.fields = fields
        return made


class Settings(metaclass=SettingsType):
    """The settings of one directive."""

    def __init__(self, **values: object) -> None:
        for name, declared in type(self).fields.items():
            value = values.pop(name, declared.default)
            if value is REQUIRED:
                raise TypeError(f"{type(self).__name__} needs {name}")
            object.__setattr__(self, name, value)
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(values)}")

    def items(self) -> Iterator[tuple[str, object]]:
        """The fields and their values, in the order in which they are declared."""
        return ((name, getattr(self, name)) for name in type(self).fields)

    def complete(self) -> Self:
        """The same with those values filled in that others decide."""
        return self

    def replaced(self, **changes: object) -> Self:
        """The same with other values for some fields."""
        return type(self)(**{**dict(self.items()), **changes})

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} can't be changed")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and tuple(self.items()) == tuple(other.items())

    def __hash__(self) -> int:
        return hash((type(self), *self.items()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.items())})"


class Law(NamedTuple, Generic[S]):
    """What has to hold for all settings of a directive together, and what is said where it doesn't."""

    holds: Callable[[S], bool]
    message: str
    at: str = ""  # the option that is pointed at if it is there; else the directive is
    severity: Severity = ERROR


class Only(NamedTuple):
    """A difference for those alone who write one of these words, or one that begins as such a one (https://)."""

    words: str  # parted by spaces
    sentence: str

    def is_in(self, texts: Iterable[str]) -> bool:
        """Whether any of the texts of a directive's line and block is one of the words."""
        words = tuple(self.words.split())
        return any(
            text in words or text.startswith(tuple(each for each in words if each.endswith("/"))) for text in texts
        )


class Directive(Generic[S]):
    """A directive that kdns has."""

    __slots__ = (
        *("accepted", "differences", "doc", "form", "gone", "joins_block", "laws", "missing", "repeat", "settings"),
    )

    def __init__(
        self,
        settings: type[S],
        form: str,
        *,
        doc: str,
        repeat: Repeat,
        differs: tuple[str | Only, ...] = (),
        accepted: Mapping[str, str] | None = None,
        gone: Mapping[str, str] | None = None,
        missing: Mapping[str, str] | None = None,
        laws: tuple[Law[S], ...] = (),
        joins_block: bool = False,
        any_case: bool = False,
    ) -> None:
        self.settings: Final = settings
        self.form: Final = Form(form, any_case=any_case)
        self.doc: Final = doc  # one sentence
        self.repeat: Final = repeat  # of directives in one server block
        self.differences: Final = differs  # from CoreDNS
        self.accepted: Final = accepted or {}  # options without effect, and why
        self.gone: Final = gone or {}  # options that CoreDNS once had, and what to write instead
        self.missing: Final = missing or {}  # options that only CoreDNS has, and what to do
        self.laws: Final = laws
        self.joins_block: Final = joins_block  # whether a block is but another way to write the line

    @property
    def name(self) -> str:
        """What it is called in a Corefile."""
        return self.form.name

    @property
    def differs(self) -> tuple[str, ...]:
        """How it differs from CoreDNS, a sentence each."""
        return tuple(each.sentence if isinstance(each, Only) else each for each in self.differences)


class Absent(NamedTuple):
    """A directive that CoreDNS has or had and kdns hasn't: an error that says what to do, or accepted with a warning."""

    name: str
    doc: str  # what it does, to follow "it"
    instead: str  # what to do, or why it has no effect here
    severity: Severity = ERROR


__all__ = [
    "REQUIRED", "Absent", "Declared", "Directive", "Law", "Only", "Repeat", "Rule", "Settings",
    "argument", "flag", "option", "options", "rules", "zones",
]  # fmt: skip
