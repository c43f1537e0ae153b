"""Kubeconfig files: that they are what they should be, and what a plain user in them comes to.

The client library says neither where in a file something is wrong nor what it expected, and
passes over what it doesn't know. Here each is a SourceError with file and line, or field. A
user with an exec plugin or a provider of tokens is the library's to log in; one with a token,
a password or certificates is read here, to the same Answer as the library's (held by a test).
Sources: Kubernetes "Organizing Cluster Access Using kubeconfig Files"; client.config v1.
"""

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from kdns.sources.api.answer import Answer
from kdns.sources.credentials import is_pem
from kdns.sources.errors import SourceError, yaml_place

_DEFAULT: Final = "default"  # the namespace where a context names none
_SECTIONS: Final = {"clusters": "cluster", "contexts": "context", "users": "user"}


def locate(given: str | None, environment: Mapping[str, str]) -> list[Path]:
    """The files there are: the one given, or those KUBECONFIG names, or ~/.kube/config. Raises SourceError."""
    text = given or environment.get("KUBECONFIG") or "~/.kube/config"
    paths = [Path(each).expanduser() for each in text.split(os.pathsep) if each]
    found = [path for path in paths if path.exists()]
    if not found:
        raise SourceError(f"{text}: no such file, expected a kubeconfig")
    return found


class Described(NamedTuple):
    """A context as people know it."""

    context: str
    cluster: str
    server: str  # the API server's URL
    namespace: str


def described(paths: list[Path], context: str | None) -> Described:
    """The context, or the current one, by its names. Raises SourceError."""
    cluster, _ = check(paths, context)
    merged = _merged([_load(path) for path in paths])
    name = context or merged.current
    used = _find(merged, "contexts", name)
    namespace = _text(used.value.get("namespace") or _DEFAULT, f"{used.where}.namespace")
    return Described(name, used.value["cluster"], cluster.value["server"], namespace)


def contexts(paths: list[Path]) -> list[str]:
    """The names of all contexts. Raises SourceError."""
    return sorted(_merged([_load(path) for path in paths]).sections["contexts"])


def cluster_of(paths: list[Path], context: str | None) -> tuple[str, str]:
    """The URL of the context's API server, and its authorities as PEM text or file, empty for none. Raises SourceError."""
    cluster, _ = check(paths, context)
    return _server_of(cluster)


def plain_answer(paths: list[Path], context: str | None) -> Answer | None:
    """What the context comes to; None where its user needs a plugin. Raises SourceError."""
    cluster, user = check(paths, context)
    fields = {} if user is None else user.value
    if fields.get("auth-provider") or (fields.get("exec") and not (fields.get("token") or fields.get("tokenFile"))):
        return None
    token_file = fields.get("tokenFile") if user is not None and not fields.get("token") else None
    server, ca = _server_of(cluster)
    return Answer(
        server=server,
        authorization="" if token_file else _authorization(fields),
        token_file=str(user.folder / token_file) if user is not None and token_file else "",
        ca=ca,
        certificate=_file_or_text(user, "client-certificate"),
        key=_file_or_text(user, "client-key"),
        server_name=cluster.value.get("tls-server-name") or "",
        insecure=bool(cluster.value.get("insecure-skip-tls-verify")),
    )


def _server_of(cluster: "_Node") -> tuple[str, str]:
    return cluster.value["server"].rstrip("/"), _file_or_text(cluster, "certificate-authority")


def _authorization(user: Mapping[str, Any]) -> str:
    if user.get("token"):
        return f"Bearer {user['token']}"
    if user.get("username") and user.get("password"):
        return "Basic " + base64.b64encode(f"{user['username']}:{user['password']}".encode()).decode()
    return ""


def _file_or_text(node: "_Node | None", field: str) -> str:
    """The PEM text of a field's data, or else the name of its file. Raises SourceError where that isn't there."""
    if node is None:
        return ""
    if data := node.value.get(f"{field}-data"):
        return base64.b64decode(data).decode()
    name = node.value.get(field)
    if not name:
        return ""
    path = node.folder / name
    if not path.exists():
        raise SourceError(f"{node.where}.{field}: found {path}, expected a file that is there")
    return str(path)


def check(paths: list[Path], context: str | None) -> "tuple[_Node, _Node | None]":
    """Looks through all that the context uses; its cluster, and its user if it has one. Raises SourceError."""
    merged = _merged([_load(path) for path in paths])
    where = os.pathsep.join(str(path) for path in paths)
    chosen = context or merged.current
    if not chosen:
        raise SourceError(f"{where}: no current-context, expected one or --context NAME; {_names(merged, 'contexts')}")
    used = _find(merged, "contexts", chosen)
    _fields(used, {"cluster": (_TEXT, True), "user": (_TEXT, False)})
    cluster = _find(merged, "clusters", used.value["cluster"], f"{used.where}.cluster")
    _fields(cluster, _CLUSTER)
    if not used.value.get("user"):
        return cluster, None
    user = _find(merged, "users", used.value["user"], f"{used.where}.user")
    _fields(user, _USER)
    _check_login(user)
    return cluster, user


class _Node(NamedTuple):
    """The mapping of a named cluster, context or user, and where it stands."""

    where: str
    value: dict[str, Any]
    folder: Path  # of its file: what names of files are relative to

    def inside(self, field: str) -> "_Node":
        """The mapping that is the field's value."""
        return _Node(f"{self.where}.{field}", self.value[field], self.folder)


class _Merged(NamedTuple):
    where: str
    current: str
    sections: dict[str, dict[str, _Node]]


def _load(path: Path) -> tuple[Path, dict[str, Any]]:
    try:
        text = path.read_text()
        content = yaml.safe_load(text)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}, expected a kubeconfig") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = yaml_place(str(path), mark.line, mark.column) if mark else str(path)
        raise SourceError(f"{place}: {error.problem}, expected YAML") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: {' '.join(str(error).split())}, expected YAML") from error
    if not isinstance(content, dict):
        raise SourceError(f"{path}: found {_shown(content)}, expected a kubeconfig: a mapping with clusters and users")
    return path, content


def _merged(files: list[tuple[Path, dict[str, Any]]]) -> _Merged:
    """As kubectl merges them: of two of a name the first counts."""
    sections: dict[str, dict[str, _Node]] = {section: {} for section in _SECTIONS}
    current = ""
    for path, content in files:
        current = current or _text(content.get("current-context") or "", f"{path}: current-context")
        for section, inner in _SECTIONS.items():
            listed = content.get(section) or []
            if not isinstance(listed, list):
                raise SourceError(f"{path}: {section}: found {_shown(listed)}, expected a list")
            for at, entry in enumerate(listed):
                name, node = _entry(entry, path, f"{section}[{at}]", inner)
                sections[section].setdefault(name, node)
    return _Merged(str(files[0][0]), current, sections)


def _entry(entry: object, path: Path, place: str, inner: str) -> tuple[str, _Node]:
    where = f"{path}: {place}"
    if not isinstance(entry, dict):
        raise SourceError(f"{where}: found {_shown(entry)}, expected a mapping with name and {inner}")
    name = _text(entry.get("name"), f"{where}.name")
    value = entry.get(inner) or {}
    if not isinstance(value, dict):
        raise SourceError(f"{where}.{inner}: found {_shown(value)}, expected a mapping")
    return name, _Node(f"{where}.{inner}", value, path.parent)


def _find(merged: _Merged, section: str, name: str, asked_by: str = "") -> _Node:
    node = merged.sections[section].get(name)
    if node is None:
        asked = asked_by or merged.where
        raise SourceError(f"{asked}: found {name!r}, expected the name of one of the {_names(merged, section)}")
    return node


def _names(merged: _Merged, section: str) -> str:
    return f"{section} there are: {', '.join(sorted(merged.sections[section])) or 'none'}"


class _Form(NamedTuple):
    """What a field may be."""

    text: str
    fits: Callable[[Any], bool]


def _is_pem_data(value: object) -> bool:
    try:
        return isinstance(value, str) and is_pem(base64.b64decode(value, validate=False).decode("ascii"))
    except (binascii.Error, ValueError):
        return False


_TEXT: Final = _Form("a text", lambda value: isinstance(value, str))
_BOOLEAN: Final = _Form("true or false", lambda value: isinstance(value, bool))
_MAPPING: Final = _Form("a mapping", lambda value: isinstance(value, dict))
_PEM_DATA: Final = _Form("PEM in base64", _is_pem_data)
_ABSENT: Final = _Form("no such field: kdns doesn't know it", lambda _: False)

# Fields by name, and whether they must be there. What isn't named here is of no interest.
_CLUSTER: Final = {
    "server": (_TEXT, True),
    "certificate-authority": (_TEXT, False),
    "certificate-authority-data": (_PEM_DATA, False),
    "insecure-skip-tls-verify": (_BOOLEAN, False),
    "tls-server-name": (_TEXT, False),
    "proxy-url": (_Form("no proxy: kdns connects to API servers directly", lambda _: False), False),
}
_USER: Final = {
    "token": (_TEXT, False),
    "tokenFile": (_TEXT, False),
    "client-certificate": (_TEXT, False),
    "client-certificate-data": (_PEM_DATA, False),
    "client-key": (_TEXT, False),
    "client-key-data": (_PEM_DATA, False),
    "username": (_TEXT, False),
    "password": (_TEXT, False),
    "exec": (_MAPPING, False),
    "auth-provider": (_MAPPING, False),
    "as": (_ABSENT, False),
    "as-groups": (_ABSENT, False),
}
_EXEC: Final = {
    "command": (_TEXT, True),
    "apiVersion": (_TEXT, True),
    "installHint": (_TEXT, False),
    "args": (_Form("a list of texts", lambda value: _is_list(value, str)), False),
    "env": (_Form("a list of mappings", lambda value: _is_list(value, dict)), False),
}
_ENV: Final = {"name": (_TEXT, True), "value": (_TEXT, True)}
_PROVIDER: Final = {
    "name": (_Form('"gcp" or "oidc"; others have become exec plugins', lambda value: value in {"gcp", "oidc"}), True)
}


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(each, kind) for each in value)


def _fields(node: _Node, forms: Mapping[str, tuple[_Form, bool]]) -> None:
    for name, (form, needed) in forms.items():
        value = node.value.get(name)
        if value is None or value == "":
            if needed:
                raise SourceError(f"{node.where}.{name}: found nothing, expected {form.text}")
        elif not form.fits(value):
            raise SourceError(f"{node.where}.{name}: found {_shown(value)}, expected {form.text}")


def _check_login(user: _Node) -> None:
    """The parts of a user that have fields of their own, and those that need each other."""
    if user.value.get("auth-provider"):
        _fields(user.inside("auth-provider"), _PROVIDER)
    if user.value.get("exec"):
        plugin = user.inside("exec")
        _fields(plugin, _EXEC)
        for at, variable in enumerate(plugin.value.get("env") or ()):
            _fields(_Node(f"{plugin.where}.env[{at}]", variable, plugin.folder), _ENV)
    certificate, key = (
        any(user.value.get(name) for name in (what, f"{what}-data")) for what in ("client-certificate", "client-key")
    )
    if certificate != key:
        missing = "client-key" if certificate else "client-certificate"
        raise SourceError(f"{user.where}.{missing}: found nothing, expected a file, or {missing}-data")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise SourceError(f"{where}: found {_shown(value)}, expected a text")
    return value


def _shown(value: object) -> str:
    """What was found, by its kind only: it may be a secret."""
    return _KINDS.get(type(value), "a value")


_KINDS: Final[dict[type, str]] = {
    type(None): "nothing",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    dict: "a mapping",
    list: "a list",
}
