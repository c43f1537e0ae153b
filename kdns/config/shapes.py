"""Shapes: how the tokens that a form has found become one value of a setting, with its type.

A kind reads one token. From kinds are made: many (of a repeated variable), spread (of a variable that may stand for
several values), joined (an expression that goes over several tokens), record (of several variables), each (records
that repeat). None of them knows what the values mean.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from typing import Any, Final, Generic, TypeVar, cast

from kdns.config.forms import Bound, UnfitError
from kdns.config.syntax import Place, Token
from kdns.dns import names

T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)


class Shape(Generic[T_co]):
    """How what was found becomes a value."""

    __slots__ = ()

    @property
    def plain(self) -> bool:
        """Whether it is of one variable, whose tokens alone it is given."""
        return True

    def kinds(self, variables: Sequence[str]) -> Mapping[str, "Kind[object]"]:
        """The kind of each variable that it needs; variables are those of the form, for shapes that name none."""
        raise NotImplementedError

    def build(self, found: Sequence[Bound], before: object) -> T_co:
        """The value; found is not empty if it is plain; before is what a record's fields are without their variables.

        Raises UnfitError where the tokens fit one by one but not together.
        """
        raise NotImplementedError

    def texts(self, value: Any, variables: Sequence[str]) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        """What one would write for a value, by variable, and by word whether it is written; as Form.written takes it."""
        return {}


class Kind(Shape[T_co]):
    """What one token can stand for.

    expects is what is said to who wrote something else, example a text that is of the kind. words are all texts of the
    kind, where they are few. doubt says what may be wrong about a text that is of the kind, or nothing. A path that is
    rooted is meant from where the directive root says. opens tells of a value which file has to be there for it, if any.
    write gives the text of a value, where that isn't the value's own.
    """

    __slots__ = ("doubt", "example", "expects", "opens", "read", "rooted", "words", "write")

    def __init__(
        self,
        expects: str,
        read: Callable[[Token], T_co],
        example: str,
        *,
        words: tuple[str, ...] = (),
        doubt: Callable[[str], str] | None = None,
        rooted: bool = False,
        opens: Callable[[Any], str | None] | None = None,
        write: Callable[[Any], str] | None = None,
    ) -> None:
        self.expects: Final = expects
        self.read: Final = read
        self.example: Final = example
        self.words: Final = words
        self.doubt: Final = doubt
        self.rooted: Final = rooted
        self.opens: Final = opens
        self.write: Final = write or _text

    def kinds(self, variables: Sequence[str]) -> Mapping[str, "Kind[object]"]:
        return dict.fromkeys(variables, cast("Kind[object]", self))

    def build(self, found: Sequence[Bound], before: object) -> T_co:  # noqa: ARG002 - a shape's signature
        return cast("T_co", found[-1].value)

    def texts(self, value: Any, variables: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(variables, (self.write(value),))


def _text(value: object) -> str:
    """The text of a name, a number, or what is its own text."""
    if isinstance(value, bytes):
        return names.to_text(value)
    return plain_number(value) if isinstance(value, float) else str(value)


def plain_number(value: float) -> str:
    """The number without an exponent, to nine places."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


class _Gathered(Shape[T_co]):
    """All values of one variable, made into one."""

    __slots__ = ("gather", "kind")

    def __init__(self, kind: Kind[object], gather: Callable[[list[Bound]], T_co]) -> None:
        self.kind: Final = kind
        self.gather: Final = gather

    def kinds(self, variables: Sequence[str]) -> Mapping[str, Kind[object]]:
        return dict.fromkeys(variables, self.kind)

    def build(self, found: Sequence[Bound], before: object) -> T_co:  # noqa: ARG002 - a shape's signature
        return self.gather(list(found))

    def texts(self, value: Any, variables: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(variables, tuple(map(self.kind.write, value)))


class Text(str):
    """A text and where it stands, so that who reads it later can point into it."""

    __slots__ = ("place",)
    place: Place

    @classmethod
    def at(cls, text: str, place: Place) -> "Text":
        made = cls(text)
        made.place = place
        return made


def many(kind: Kind[T]) -> Shape[tuple[T, ...]]:
    """The values of a repeated variable, in order."""
    return _Gathered(cast("Kind[object]", kind), lambda found: tuple(cast("T", each.value) for each in found))


def spread(kind: Kind[tuple[T, ...]]) -> Shape[tuple[T, ...]]:
    """The values of a repeated variable of which each stands for several, each value once."""

    def gather(found: list[Bound]) -> tuple[T, ...]:
        return tuple(dict.fromkeys(value for each in found for value in cast("tuple[T, ...]", each.value)))

    return _Gathered(cast("Kind[object]", kind), gather)


def joined(kind: Kind[str]) -> Shape[Text]:
    """The tokens of a repeated variable as one text, with a space between; it stands where the first one does."""

    def gather(found: list[Bound]) -> Text:
        return Text.at(" ".join(each.token.text for each in found), found[0].token.place)

    return _Gathered(cast("Kind[object]", kind), gather)


def mapped(kind: Kind[str], read: Callable[[str], T]) -> Shape[T]:
    """The tokens of a repeated variable, joined, as what read makes of them; it raises ValueError, which says why."""

    def gather(found: list[Bound]) -> T:
        try:
            return read(" ".join(each.token.text for each in found))
        except ValueError as error:
            raise UnfitError(str(error)) from error

    return _Gathered(cast("Kind[object]", kind), gather)


class Given(Shape[bool]):
    """Whether a word of the form is there."""

    __slots__ = ("value",)

    def __init__(self, *, value: bool) -> None:
        self.value: Final = value

    @property
    def plain(self) -> bool:
        return False

    def kinds(self, variables: Sequence[str]) -> Mapping[str, Kind[object]]:  # noqa: ARG002 - a shape's signature
        return {}

    def build(self, found: Sequence[Bound], before: object) -> bool:  # noqa: ARG002 - a shape's signature
        return self.value


GIVEN: Final = Given(value=True)
GIVEN_NOT: Final = Given(value=False)


class _Record(Shape[T_co]):
    """A named tuple; parts are the variable or word of each field, and its shape."""

    __slots__ = ("make", "parts")

    def __init__(self, make: Callable[..., T_co], parts: Mapping[str, tuple[str, Shape[object]]]) -> None:
        self.make: Final = make
        self.parts: Final = parts

    @property
    def plain(self) -> bool:
        return False

    def kinds(self, variables: Sequence[str]) -> Mapping[str, Kind[object]]:  # noqa: ARG002 - a shape's signature
        needed: dict[str, Kind[object]] = {}
        for name, shape in self.parts.values():
            needed.update(shape.kinds((name,)))
        return needed

    def build(self, found: Sequence[Bound], before: object) -> T_co:
        values: dict[str, object] = {}
        for field, (name, shape) in self.parts.items():
            names = {name, *shape.kinds((name,))}
            if of_field := [each for each in found if each.name in names]:
                values[field] = shape.build(of_field, ())
        if isinstance(self.make, type) and isinstance(before, self.make):
            return cast("T_co", cast("Any", before)._replace(**values))
        return self.make(**values)

    def texts(self, value: Any, variables: Sequence[str]) -> Mapping[str, Sequence[str]]:  # noqa: ARG002
        found: dict[str, Sequence[str]] = {}
        for field, (name, shape) in self.parts.items():
            part = getattr(value, field)
            if isinstance(shape, Given):
                found[name] = (name,) if part is shape.value else ()
            elif part is not None and part != "":
                found.update(shape.texts(part, (name,)))
        return found


def record(make: Callable[..., T], **parts: tuple[str, Shape[object]]) -> Shape[T]:
    """A named tuple of what its parts find: field=("VARIABLE", shape), or field=("word", GIVEN).

    A field whose variable isn't found has the value that it has in the setting's default, or else the type's default.
    """
    return _Record(make, parts)


class _Each(Shape[tuple[T_co, ...]]):
    """Records that repeat: a new one begins with the variable or word of the first part."""

    __slots__ = ("one",)

    def __init__(self, one: _Record[T_co]) -> None:
        self.one: Final = one

    @property
    def plain(self) -> bool:
        return False

    def kinds(self, variables: Sequence[str]) -> Mapping[str, Kind[object]]:
        return self.one.kinds(variables)

    def build(self, found: Sequence[Bound], before: object) -> tuple[T_co, ...]:
        first, _ = next(iter(self.one.parts.values()))
        groups: list[list[Bound]] = []
        for each_bound in found:
            if each_bound.name == first or not groups:
                groups.append([])
            groups[-1].append(each_bound)
        return tuple(starmap(self.one.build, ((group, before) for group in groups)))


def each(make: Callable[..., T], **parts: tuple[str, Shape[object]]) -> Shape[tuple[T, ...]]:
    """Named tuples as record makes them, one for each time that the variable of the first part comes."""
    return _Each(_Record(make, parts))


__all__ = [
    "GIVEN",
    "GIVEN_NOT",
    "Kind",
    "Shape",
    "Text",
    "UnfitError",
    "each",
    "joined",
    "many",
    "mapped",
    "plain_number",
    "record",
    "spread",
]
