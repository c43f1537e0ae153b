"""From a directive's line to its settings, by its declaration alone.

Reads on after a problem, so all that is wrong with a directive is found at once; settings come out only where none of it
is an error. Any tokens give settings or problems.
"""

import itertools
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Generic, NamedTuple, TypeVar

from kdns.config.complaints import did_you_mean
from kdns.config.declarations import REQUIRED, Declared, Directive, Rule, Settings
from kdns.config.forms import Bound, Form, Misfit, Reader, UnfitError
from kdns.config.kinds import FilePath
from kdns.config.lexer import Row
from kdns.config.shapes import Kind
from kdns.config.syntax import ERROR, WARNING, Line, Place, Problem, Severity, Token
from kdns.dns.names import Name

S = TypeVar("S", bound=Settings)


class Scope(NamedTuple):
    """What a directive takes from its server block."""

    zones: tuple[Name, ...] = ()  # those of the keys
    root: str = ""  # where relative paths begin, by the directive root


class Named(NamedTuple):
    """A file that a directive needs, and the token that names it."""

    path: str
    token: Token


class Outcome(NamedTuple, Generic[S]):
    """The settings, None where a problem is an error; which fields were written, and how; which files are needed."""

    settings: S | None
    problems: tuple[Problem, ...]
    given: Mapping[str, tuple[Row, ...]] = MappingProxyType({})  # the tokens of an argument, or each line of an option
    files: tuple[Named, ...] = ()


def read(directive: Directive[S], line: Line, scope: Scope) -> Outcome[S]:
    """The settings that a line says; the first token is the directive's name."""
    reading = _Reading(directive, scope)
    reading.arguments(line)
    reading.options(line)
    settings = reading.settings(line)
    return Outcome(settings, tuple(reading.problems), reading.rows, tuple(reading.files))


class _Reading(Generic[S]):
    """One directive's values so far, by field."""

    def __init__(self, directive: Directive[S], scope: Scope) -> None:
        self.directive = directive
        self.scope = scope
        self.problems: list[Problem] = []
        self.files: list[Named] = []
        self.rows: dict[str, tuple[Row, ...]] = {}  # the tokens that values are from, by field
        self.values: dict[str, object] = {}
        self.collected: dict[str, list[object]] = {}  # those that every line adds to
        self.given: dict[str, Token] = {}  # the options that were there, by name
        self.seen: dict[str, Token] = {}  # the same by field
        self.fields = directive.settings.fields

    def arguments(self, line: Line) -> None:
        fields = {name: each for name, each in self.fields.items() if each.option is None}
        kinds: dict[str, Kind[object]] = {}
        for each in fields.values():
            kinds.update(each.shape.kinds(each.variables))
        tokens = (*line.tokens, *_all_tokens(line.block or ())) if self._joins(line) else line.tokens
        found = self._match(self.directive.form, tokens, kinds)
        if found is None:
            return
        for name, each in fields.items():
            own = self._of(each, found)
            if own:
                self.rows[name] = (tuple(bound.token for bound in own),)
            if each.rules and own:
                self._rule(name, each.rules, [bound.token for bound in own])
            elif own or not each.shape.plain:
                self.values[name] = self._built(each, own, each.default)
            elif each.from_keys:
                self.values[name] = self.scope.zones

    def _joins(self, line: Line) -> bool:
        """Whether the block is but the rest of the line; CoreDNS looks whether the line says a rule already."""
        return self.directive.joins_block and len(line.tokens) <= 2

    def _rule(self, name: str, rules: tuple[Rule, ...], tokens: Sequence[Token]) -> None:
        """The value of the first rule that fits; where none does, the problem of the one that fits most."""
        text = tokens[0].text.lower()
        candidates = [rule for rule in rules if rule.form.name == text]
        if not candidates:
            known = tuple(dict.fromkeys(rule.form.name for rule in rules))
            expected = ", ".join(f'"{each}"' for each in known)
            self._report(tokens[0], f'found "{tokens[0].text}", expected one of {expected}', did_you_mean(text, known))
            return
        misfits: list[tuple[Misfit, Rule]] = []
        for rule in candidates:
            kinds = rule.shape.kinds(rule.form.variables)
            found = rule.form.match(tokens, _readers(kinds))
            if not isinstance(found, Misfit):
                self.values[name] = rule.shape.build(found[1:], None)
                return
            misfits.append((found, rule))
        # The rule that was meant has most of its words there, as "name regex" has; then it is the one that fits furthest.
        misfit, rule = max(misfits, key=lambda each: (_words_met(each[1].form, tokens), each[0].position))
        self._misfit(rule.form, tokens, misfit, rule.shape.kinds(rule.form.variables))

    def options(self, line: Line) -> None:
        if line.block is None or self._joins(line):
            return
        by_name: dict[str, list[str]] = {}
        for name, each in self.fields.items():
            if each.option:
                by_name.setdefault(each.option.name, []).append(name)
        nameless = by_name.pop("", [])
        for inner in line.block:
            if inner.block is not None:
                self._report(inner.name, f'found a block behind "{inner.name.text}", expected none', "take it out")
            word = inner.name.text
            fields = by_name.get(word) or [each for each in by_name.get(word.lower(), ()) if self._form(each).any_case]
            if fields:
                self._option(fields, inner.tokens)
            elif word in self.directive.gone or word in self.directive.missing:
                self._unfit_option(inner.name)
            elif word in self.directive.accepted:
                self._report(inner.name, f'"{word}" has no effect here', self.directive.accepted[word], WARNING)
            elif nameless:
                self._option(nameless, inner.tokens, tuple(by_name))
            else:
                known = tuple(by_name)
                hint = did_you_mean(word, known) or (f"there are {', '.join(known)}" if known else "it has none")
                self._report(inner.name, f'{self.directive.name} has no option "{word}"', hint)

    def _unfit_option(self, token: Token) -> None:
        gone = self.directive.gone.get(token.text)
        if gone is not None:
            self._report(token, f'{self.directive.name} has no option "{token.text}" any more', gone)
        else:
            hint = self.directive.missing[token.text]
            self._report(token, f'kdns has no option "{token.text}" of {self.directive.name}', hint)

    def _option(self, fields: Sequence[str], tokens: tuple[Token, ...], known: tuple[str, ...] | None = None) -> None:
        """Reads a line as the first of these fields whose form fits.

        known are the options that may have been meant by a line which isn't found by its name.
        """
        misfits: list[tuple[str, Misfit]] = []
        for field in fields:
            found = self._form(field).match(tokens, _readers(self._kinds(field)))
            if not isinstance(found, Misfit):
                self._set(field, tokens, found)
                return
            misfits.append((field, found))
        field, misfit = max(misfits, key=lambda each: each[1].position)
        hint = did_you_mean(tokens[0].text, known) if known and misfit.position == 0 else ""
        self._misfit(self._form(field), tokens, misfit, self._kinds(field), hint)

    def _set(self, field: str, tokens: tuple[Token, ...], bounds: tuple[Bound, ...]) -> None:
        declared, form = self.fields[field], self._form(field)
        found = self._settled(form, bounds, self._kinds(field))
        again = self.seen.get(field)
        self.seen[field] = self.given[form.name] = tokens[0]
        if again is not None and declared.repeat == "once":
            hint = f"it is in line {again.place.line} already"
            self._report(tokens[0], f'found "{form.name}" again, expected it once', hint)
            return
        if again is not None and declared.repeat == "last":
            self._report(tokens[0], f'found "{form.name}" again: this one counts', severity=WARNING)
        own = self._of(declared, found)
        value = declared.bare if declared.shape.plain and not own else self._built(declared, own, declared.bare)
        before = self.rows.get(field, ()) if declared.repeat == "each" else ()
        self.rows[field] = (*before, tokens)
        if declared.repeat != "each":
            self.values[field] = value
            return
        assert isinstance(value, tuple)
        self.collected.setdefault(field, []).extend(value)

    def _built(self, declared: Declared, own: Sequence[Bound], before: object) -> object:
        try:
            return declared.shape.build(own, before)
        except UnfitError as error:
            self._report(own[0].token, f'found "{own[0].token.text}", expected {error}')
            return before

    def _kinds(self, field: str) -> Mapping[str, Kind[object]]:
        return self.fields[field].shape.kinds(self.fields[field].variables)

    def settings(self, line: Line) -> S | None:
        if any(each.severity == ERROR for each in self.problems):
            return None
        for name, each in self.fields.items():
            if each.default is REQUIRED and name not in self.values:
                raise AssertionError(f"{self.directive.name}: its form lets {name} be left out")
        collected = {name: tuple(each) for name, each in self.collected.items()}
        settings = self.directive.settings(**self.values, **collected)
        for law in self.directive.laws:
            if not law.holds(settings):
                token = self.given.get(law.at, line.name)
                self._report(token, f"{self.directive.name}: {law.message}", severity=law.severity)
        return None if any(each.severity == ERROR for each in self.problems) else settings

    def _form(self, field: str) -> Form:
        form = self.fields[field].option
        assert form is not None
        return form

    def _of(self, declared: Declared, found: Sequence[Bound]) -> list[Bound]:
        """What was found that is a field's own."""
        if not declared.shape.plain:
            return list(found[1:] if declared.option and declared.option.name else found)
        kinds = declared.shape.kinds(declared.variables)
        return [each for each in found if each.name in kinds]

    def _match(
        self, form: Form, tokens: Sequence[Token], kinds: Mapping[str, Kind[object]]
    ) -> tuple[Bound, ...] | None:
        found = form.match(tokens, _readers(kinds))
        if isinstance(found, Misfit):
            self._misfit(form, tokens, found, kinds)
            return None
        return self._settled(form, found, kinds)

    def _settled(self, form: Form, found: tuple[Bound, ...], kinds: Mapping[str, Kind[object]]) -> tuple[Bound, ...]:
        """What was found, with a warning for each token of which its kind has a doubt, and paths from the root."""
        for each in found:
            kind = kinds.get(each.name)
            if kind is not None and kind.doubt is not None and (doubt := kind.doubt(each.token.text)):
                self._report(each.token, doubt, f"the form is: {usage_of(form, kinds)}", WARNING)
        settled = tuple(self._rooted(each, kinds.get(each.name)) for each in found)
        for each in settled:
            kind = kinds.get(each.name)
            if kind is not None and kind.opens is not None and (path := kind.opens(each.value)) is not None:
                self.files.append(Named(path, each.token))
        return settled

    def _rooted(self, bound: Bound, kind: Kind[object] | None) -> Bound:
        if kind is None or not kind.rooted or not self.scope.root:
            return bound
        return bound._replace(value=FilePath(posixpath.join(self.scope.root, str(bound.value))))

    def _misfit(
        self, form: Form, tokens: Sequence[Token], misfit: Misfit, kinds: Mapping[str, Kind[object]], hint: str = ""
    ) -> None:
        if misfit.position < len(tokens):
            token = tokens[misfit.position]
            found = f'"{token.text}"'
            hint = hint or did_you_mean(token.text, _words(misfit, kinds))
        else:
            last = tokens[-1]
            place = Place(last.place.file, last.place.line, last.place.column + last.width)
            token, found = Token("", place), "the end of the line"
        name = form.name or self.directive.name
        self._report(
            token,
            f"{name}: found {found}, expected {_expected(misfit, kinds)}",
            hint or f"write: {usage_of(form, kinds)}",
        )

    def _report(self, token: Token, message: str, hint: str = "", severity: Severity = ERROR) -> None:
        self.problems.append(Problem(token.place, message, hint, severity, max(1, token.width)))


_VARIABLE: Final = r"(\[?)\b([A-Z][A-Z0-9]*)\b(\]?)"


def usage_of(form: Form, kinds: Mapping[str, Kind[object]]) -> str:
    """The form with the words of those variables that stand for few."""

    def choice(found: re.Match[str]) -> str:
        kind = kinds.get(found[2])
        if kind is None or not kind.words:
            return found[0]
        words = "|".join(kind.words)
        if len(kind.words) == 1:
            return f"{found[1]}{words}{found[3]}"
        return f"{found[1]}{words}{found[3]}" if found[1] and found[3] else f"{found[1]}({words}){found[3]}"

    return re.sub(_VARIABLE, choice, form.text)


def _words(misfit: Misfit, kinds: Mapping[str, Kind[object]]) -> list[str]:
    """The words that could stand there."""
    return [word for each in misfit.expected for word in (kinds[each].words if each in kinds else (each,))]


def _words_met(form: Form, tokens: Sequence[Token]) -> int:
    """How many of the words that a form begins with are there."""
    pairs = zip(form.text.split(), tokens, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1].text.lower(), pairs))


def _expected(misfit: Misfit, kinds: Mapping[str, Kind[object]]) -> str:
    """What could stand there, in words."""
    if len(misfit.expected) == 1 and (kind := kinds.get(misfit.expected[0])):
        end = " or nothing more" if misfit.may_end else ""
        return f"{misfit.expected[0]}, {misfit.why or kind.expects}{',' if end else ''}{end}"
    named = [each if each in kinds else f'"{each}"' for each in misfit.expected]
    named += ["nothing more"] if misfit.may_end else []
    return " or ".join(filter(None, (", ".join(named[:-1]), named[-1])))


def _readers(kinds: Mapping[str, Kind[object]]) -> dict[str, Reader]:
    return {name: kind.read for name, kind in kinds.items()}


def _all_tokens(lines: Iterable[Line]) -> tuple[Token, ...]:
    return tuple(token for line in lines for token in (*line.tokens, *_all_tokens(line.block or ())))


__all__ = ["Named", "Outcome", "Scope", "read", "usage_of"]
