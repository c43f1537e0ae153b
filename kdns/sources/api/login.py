"""Login: the credentials of a user with a plugin by way of the client library, in a process that ends with it.

Importing the library takes 0.2 s and 33 MiB, which the controller needn't carry for ever, and which a user
who has a token or certificates needn't wait for (kubeconfig.plain_answer):
`python -m kdns.sources.api.login CONTEXT FILE…` writes an Answer as JSON and is gone. Of the library it needs the
merging of files, the precedence of what a user may have, exec plugins and the old providers of tokens. Errors are
translated here, their cause kept.
Source: Kubernetes "Authenticating", "Client-go credential plugins" (v1).
"""

import base64
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from kdns.sources.api.answer import Answer
from kdns.sources.api.kubeconfig import check
from kdns.sources.api.official import (
    ConfigException,
    Configuration,
    ExecProvider,
    KubeConfigLoader,
    KubeConfigMerger,
)
from kdns.sources.errors import SourceError

# Where the library puts a user's token, from version 36 on and before.
_TOKEN_KEYS: Final = ("BearerToken", "authorization")


def log_in(paths: list[Path], context: str | None) -> Answer:
    """What the context of the files says, with an exec plugin run if it has one. Raises SourceError."""
    check(paths, context)
    try:
        return _log_in(paths, context)
    except (ConfigException, OSError, KeyError, ValueError) as error:
        where = os.pathsep.join(str(path) for path in paths)
        raise SourceError(f"{where}: {' '.join(str(error).split())}") from error


def _log_in(paths: list[Path], context: str | None) -> Answer:
    merged = KubeConfigMerger(os.pathsep.join(str(path) for path in paths)).config
    chosen = merged["contexts"].get_with_name(context or merged["current-context"])["context"]
    cluster = merged["clusters"].get_with_name(chosen["cluster"])["cluster"]
    name = chosen.safe_get("user")
    user = merged["users"].get_with_name(name)["user"] if name else None
    lifetime_s, token_file = None, ""
    if user is not None:
        token_file = _take_token_file(user)
        lifetime_s = _run_plugin(user, cluster, name) if _needs_plugin(user, token_file) else None
    with tempfile.TemporaryDirectory(prefix="kdns-") as folder:
        # Without a base path of its own it takes that of the file which each entry is from.
        loader = KubeConfigLoader(merged, active_context=context, config_base_path=None, temp_file_path=folder)
        configuration = Configuration()
        loader.load_and_set(configuration)
        return Answer(
            server=configuration.host,
            authorization=next((configuration.api_key[key] for key in _TOKEN_KEYS if key in configuration.api_key), ""),
            token_file=token_file,
            ca=_file_or_text(configuration.ssl_ca_cert, folder),
            certificate=_file_or_text(configuration.cert_file, folder),
            key=_file_or_text(configuration.key_file, folder),
            server_name=configuration.tls_server_name or "",
            insecure=not configuration.verify_ssl,
            lifetime_s=lifetime_s,
        )


def _file_or_text(path: str | None, folder: str) -> str:
    """The file's name, or its text where the library made it of text."""
    if not path:
        return ""
    return Path(path).read_text() if path.startswith(folder) else path


def _take_token_file(user: Any) -> str:
    """The name of a user's token file. The library would read it once, but it is rotated."""
    if user.safe_get("token") or not user.safe_get("tokenFile"):
        return ""
    return str(Path(user.path).parent / user.value.pop("tokenFile"))


def _needs_plugin(user: Any, token_file: str) -> bool:
    return bool(user.safe_get("exec")) and not (token_file or user.safe_get("token") or user.safe_get("auth-provider"))


def _run_plugin(user: Any, cluster: Any, name: str) -> float | None:
    """Gives the user what the plugin says; returns for how long that is good.

    The library would run it too, but go on without credentials where it fails.
    """
    plugin = user["exec"]
    command = plugin["command"]
    where = f"{user.path}: users[{name}].user.exec: {command}"
    try:
        status = ExecProvider(plugin, str(Path(user.path).parent.absolute()), cluster).run()
    except (OSError, ConfigException) as error:
        raise SourceError(f"{where}: {_why(error)}, expected credentials{_hint(plugin)}") from error
    del user.value["exec"]
    if status.get("token"):
        user.value["token"] = status["token"]
    elif status.get("clientCertificateData") and status.get("clientKeyData"):
        user.value["client-certificate-data"] = _base64(status["clientCertificateData"])
        user.value["client-key-data"] = _base64(status["clientKeyData"])
    else:
        fields = ", ".join(sorted(status)) or "nothing"
        raise SourceError(f"{where}: its status has {fields}, expected token, or clientCertificateData and its key")
    return _lifetime_s(status.get("expirationTimestamp"), where)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).strip().partition("\n")[0].removeprefix("exec: ")


def _hint(plugin: Any) -> str:
    hint = " ".join((plugin.safe_get("installHint") or "").split())
    return f"; {hint}" if hint else ""


def _lifetime_s(expires: str | None, where: str) -> float | None:
    if not expires:
        return None
    try:
        return (datetime.fromisoformat(expires) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError) as error:
        raise SourceError(f"{where}: expirationTimestamp is {expires!r}, expected a time as RFC 3339 has it") from error


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def main(arguments: list[str]) -> None:
    """Writes an Answer for the context (empty for the current one) of the files."""
    context, *files = arguments
    try:
        answer = log_in([Path(each) for each in files], context or None)
    except SourceError as error:
        answer = Answer(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
