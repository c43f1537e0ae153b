"""Go templates: what comes of them, and what is no template here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdns.config.gofunctions import FillError
from kdns.config.gotemplates import TemplateError, read

SCOPE = {
    "Zone": "example.",
    "Name": "a.example.",
    "Class": "IN",
    "Type": "A",
    "Match": ("a.example.", "a", ""),
    "Group": {"0": "a.example.", "1": "a", "2": "", "n": "10"},
    "Meta": lambda label: f"<{label}>",
    "Question": {"Name": "A.example.", "Qtype": 1, "Qclass": 1},
    "Message": {"Id": 7, "RecursionDesired": True, "Question": ({"Name": "A.example.", "Qtype": 1, "Qclass": 1},)},
    "Remote": "192.0.2.1",
    "Regex": ".*",
    "Var": {},
}

FILLED = [
    ("", ""),
    ("text } { }}", "text } { }}"),
    ("{{.Name}}", "a.example."),
    ("{{ .Group.n }}{{ .Match }}", "10[a.example. a ]"),
    ('{{ index .Match 1 }}-{{ index .Group `n` }}-{{ index .Group "none" }}', "a-10-"),
    ("{{ (index .Message.Question 0).Qtype }}", "1"),
    ('{{ .Meta "a/b" }}', "<a/b>"),
    ('{{ "a/b" | .Meta }}', "<a/b>"),
    (r"""{{ `a\n` }}{{ "a\tb\"" }}""", 'a\\na\tb"'),
    ("a {{- .Zone -}} \n b {{ .Zone }} c", "aexample.b example. c"),
    ("a{{/* a comment }} */}}b{{- /* another */ -}} c", "abc"),
    ("{{ 0x1F }} {{ -5 }} {{ true }} {{ +7 }}", "31 -5 true 7"),
    ("{{ parseInt .Group.n 16 8 }}", "16"),
    ('{{ parseInt .Group.n 16 8 | printf "%03d|%x" 1 }}', "001|10"),
    ('{{ printf "%-4s|%4v|%.1s|%X|%x|%o|%c|%%" .Class .Type .Name 255 .Class 8 65 }}', "IN  |   A|a|FF|494e|10|A|%"),
    ('{{ printf "%v %v" .Match true }}', "[a.example. a ] true"),
    ("{{ len .Name }}{{ len .Match }}{{ len .Group }}", "1034"),
    ('{{ print 1 2 "a" "b" 3 }}', "1 2ab3"),
    ("{{ if .Match }}a{{ end }}{{ if index .Match 2 }}b{{ else }}c{{ end }}", "ac"),
    ('{{ if eq .Type "AAAA" }}a{{ else if eq .Type "MX" "A" }}{{ if not false }}b{{ end }}{{ else }}c{{ end }}', "b"),
    ('{{ and 1 "" 2 }}|{{ or "" 0 .Zone }}|{{ not 0 }}', "|example.|true"),
    ('{{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "a" "b" }} {{ ge 1 2 }}', "true true true false false"),
    ('{{ (and (eq .Type "A") (.Zone | len)) }}', "8"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), FILLED)
def test_a_template_is_filled(text: str, said: str) -> None:
    assert read(text).fill(SCOPE) == said


WRONG = [
    ("{{ .Nme }}", "found .Nme in the action at character 1, expected one of .Zone, .Name, .Class, .Type, .Regex, .Remote, .Match, .Group, .Var, .Meta, .Question, .Message"),
    ("a {{ .Question.Nme }}", "found .Question.Nme in the action at character 3, expected one of .Name, .Qtype, .Qclass"),
    ("{{ .Name", "found {{ at character 1 without }} behind it"),
    ("{{ `a }}", "found {{ at character 1 without }} behind it"),
    ("{{ }}", "found no value in the action at character 1, expected one"),
    ("{{ . }}", "found . in the action at character 1, expected a field such as .Name, a text, a number or a function"),
    ("{{ $x }}", "found $x in the action at character 1, expected a field such as .Name, a text, a number or a function"),
    ("{{ range .Match }}{{ end }}", "found range in the action at character 1, expected a function: and, eq, ge, gt, index, le, len, lt, ne, not, or, parseInt, print, printf; or if, else, end"),
    ("{{ if .Name }}", "found the end of the template, expected {{ end }}"),
    ("{{ if .Name }}{{ else with .Zone }}{{ end }}", "found else with .Zone in the action at character 15, expected else, or else if"),
    ("{{ if }}{{ end }}", "found no value in the action at character 1, expected one"),
    ("{{ index .Match }}", "found 1 values for index in the action at character 1, expected index VALUE KEY..."),
    ("{{ (.Name }}", "found the end of the action in the action at character 1, expected a closing parenthesis"),
    ("{{ .Name ) }}", "found ) in the action at character 1, expected the end of the action"),
    ("{{ .Name | }}", "found no value in the action at character 1, expected one"),
    ("{{ .Name len }}", "found len in the action at character 1, expected a value"),
    ("{{ 010 }}", "found 010 in the action at character 1, expected a number"),
    ('{{ "\\q" }}', "found \\q in the action at character 1, expected an escape such as \\n"),
    ('{{ printf "%q" .Name }}', "printf: found %q, expected %s, %d, %v, %x, %X, %o, %c or %% in the action at character 1"),
    ('{{ printf "%999s" .Name }}', "printf: found %999s, expected a width of 255 at the most in the action at character 1"),
    ("{{ printf 1 }}", "printf: found 1, expected a form in the action at character 1"),
    ("{{ " + "(" * 25 + "1" + ")" * 25 + " }}", "found ( in the action at character 1, expected at most 20 within each other"),
    ("{{ if 1 }}" * 25, "found if in the action at character 201, expected at most 20 within each other"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_what_is_no_template_here_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(TemplateError) as error:
        read(text)
    assert str(error.value) == said


UNFIT = [
    ("{{ .Group.none }}", "found nothing where a value is printed"),
    ("{{ .Var.x }}", "found nothing where a value is printed"),
    ("{{ .Group }}", "found what can't be printed"),
    ("{{ .Name.x }}", "found no .x in 'a.example.'"),
    ("{{ index .Match 3 }}", "found no number 3 among 3"),
    ("{{ index .Match -1 }}", "found no number -1 among 3"),
    ("{{ index .Match `a` }}", "found no 'a' in '[a.example. a ]'"),
    ("{{ index .Group 1 }}", "found what can't be printed"),
    ("{{ parseInt .Name 10 8 }}", "parseInt: found 'a.example.', expected digits of base 10"),
    ("{{ parseInt .Group.n 10 3 }}", "parseInt: found 10, expected one of 3 bits"),
    ("{{ parseInt .Group.n 99 8 }}", "parseInt: found '10', expected digits of base 99"),
    ("{{ parseInt 1 2 3 }}", "parseInt: expected a text, a base and a number of bits"),
    ("{{ printf .Group.n 1 }}", "printf: found more values than the form has places"),
    ('{{ printf "%d" .Name }}', "printf: found 'a.example.' for %d"),
    ('{{ eq 1 "1" }}', "found 1 and '1', expected two texts or two numbers"),
    ("{{ len 1 }}", "len: found 1, expected what has a length"),
    ("{{ .Meta 1 }}", "found values behind what is no function of a text"),
    ("{{ .Name 1 }}", "found values behind what is no function of a text"),
    ("{{ .Meta }}", "found what can't be printed"),
    ("{{ .Zone }}" * 10000, "80000 characters, expected 65535 at the most"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), UNFIT)
def test_what_cannot_be_filled_is_said(text: str, said: str) -> None:
    template = read(text)
    with pytest.raises(FillError) as error:
        template.fill(SCOPE)
    assert str(error.value) == said


def test_a_template_knows_which_fields_it_looks_at() -> None:
    template = read("{{ if .Match }}{{ .Group.n }}{{ else }}{{ (index .Message.Question 0).Name }}{{ end }}")
    assert template.fields == {"Match", "Group.n", "Message.Question"}
    assert template.fixed is None
    assert read("a {{/* b */}} c").fixed == "a  c"


PARTS = st.sampled_from(
    [
        "{{",
        "}}",
        "{{ ",
        " }}",
        "{{- ",
        " -}}",
        "if ",
        "else ",
        "end",
        "index ",
        "printf ",
        "parseInt ",
        "eq ",
        ".Match ",
        ".Group.n ",
        ".Meta ",
        ".Name ",
        '"%s%d" ',
        "`a` ",
        "1 ",
        "2 ",
        "(",
        ")",
        "|",
        "/* ",
        " */",
        '"',
        "\\",
        "é",
        " ",
    ]
)


@given(
    st.lists(PARTS, max_size=14).map("".join)
    | st.lists(PARTS, max_size=8).map(lambda parts: f"{{{{ {''.join(parts)} }}}}")
)
def test_any_text_is_a_template_or_said_not_to_be_one(text: str) -> None:
    try:
        template = read(text)
    except TemplateError:
        return
    try:
        assert isinstance(template.fill(SCOPE), str)
    except FillError:
        return
