"""The lab: a real API server over a real etcd, for integration tests.

Convention of envtest: KUBEBUILDER_ASSETS names the folder that has etcd and kube-apiserver, built
by the lab's build.sh or official ones. A Lab starts, stops, kills and restarts them on free ports
of 127.0.0.1 in a folder of its own, speaks JSON to the API as an administrator, and writes
kubeconfigs. It ends only processes that it started, by their id.

Fixtures: `lab` (one for the session; tests keep to namespaces of their own, and restore what they
take away). Mark tests with `pytestmark = pytest.mark.lab`; conftest skips them without a lab.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HOW_TO_RUN: Final = (
    "needs a lab: build.sh DIR, then KUBEBUILDER_ASSETS=DIR pytest -m lab (DIR has etcd and kube-apiserver)"
)
ADMIN: Final = "admin-token"
READER: Final = "reader-token"  # group kdns:readers: get, list and watch, or what the policy says
_START_S: Final = 60.0
# What kdns' role allows, as the lab's policy says it.
READ_ALL: Final = (
    {
        "groups": ["kdns:readers"],
        "verbs": ["list", "watch"],
        "resources": ["services", "namespaces", "pods", "endpointslices.discovery.k8s.io"],
    },
)
_PATHS: Final = {
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/namespaces/{}/services",
    "pods": "/api/v1/namespaces/{}/pods",
    "endpointslices": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "endpoints": "/api/v1/namespaces/{}/endpoints",
}


def assets() -> Path | None:
    """Where the binaries are; None where there are none."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(folder) if folder else None


def seed_script() -> Path | None:
    """The generator of made-up clusters: KDNS_LAB_SEED, or the one in the shared lab beside the checkout."""
    named = os.environ.get("KDNS_LAB_SEED")
    path = Path(named) if named else Path(__file__).parents[2] / "shared" / "lab" / "seed.py"
    return path if path.is_file() else None


class ApiError(Exception):
    """The API server refused a request of the test's own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Lab:
    """One cluster: etcd and API server, and their folder."""

    def __init__(self, binaries: Path, folder: Path, flags: Sequence[str] = ()) -> None:
        self.folder = folder
        self.tokens = {ADMIN: ("admin", "system:masters"), READER: ("kdns", "kdns:readers")}
        self.policy = folder / "policy.json"
        self._binaries = binaries
        self._flags = list(flags)
        self._etcd_ports = _free_ports(2)
        (self.port,) = _free_ports(1)
        self._etcd: subprocess.Popen[bytes] | None = None
        self._api: subprocess.Popen[bytes] | None = None
        self.allow(READ_ALL)
        self.write_tokens()

    # The API server and etcd

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that run now."""
        return tuple(process.pid for process in (self._etcd, self._api) if process is not None)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        """The certificate that clients trust."""
        return self.folder / "certs" / "apiserver.crt"

    def start(self) -> None:
        """Starts whatever isn't running, and returns once the API server is ready."""
        if self._etcd is None:
            self._etcd = self._spawn("etcd", self._etcd_flags())
        if self._api is None:
            self._api = self._spawn("kube-apiserver", self._api_flags())
        until = time.monotonic() + _START_S
        while not self._is_ready():
            if self._api.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the API server didn't start; see {self.folder / 'kube-apiserver.log'}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the API server as an operator would: open watches are closed cleanly."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the API server at once."""
        self._end(signal.SIGKILL)

    def restart(self, flags: Sequence[str] | None = None) -> None:
        """Kills and starts the API server, with other flags of its own if any are given."""
        self.kill()
        if flags is not None:
            self._flags = list(flags)
        self.start()

    def freeze(self) -> contextlib.AbstractContextManager[None]:
        """While this lasts the API server doesn't react, and its connections stay open."""
        return self._frozen()

    def compact(self) -> None:
        """Makes etcd forget its history."""
        command = [str(self._binaries / "kube-apiserver"), "compact", f"--etcd-servers={self._etcd_url}"]
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    def close(self) -> None:
        """Ends both."""
        self.kill()
        if self._etcd is not None:
            self._etcd.kill()
            self._etcd.wait()
            self._etcd = None

    # What users may do

    def allow(self, rules: Sequence[Mapping[str, object]]) -> None:
        """What readers may do from now on; an empty sequence for nothing."""
        before = self.policy.stat().st_mtime_ns if self.policy.exists() else 0
        self.policy.write_text(json.dumps(list(rules)))
        # The server looks at the time of the file's change only.
        if self.policy.stat().st_mtime_ns == before:
            os.utime(self.policy, ns=(before + 1, before + 1))

    def write_tokens(self) -> None:
        """Writes the tokens' file, which the API server reads at its start."""
        lines = [f'{token},{user},{user},"{group}"\n' for token, (user, group) in self.tokens.items()]
        (self.folder / "tokens.csv").write_text("".join(lines))

    def kubeconfig(self, user: Mapping[str, object] | None = None, name: str = "kubeconfig") -> Path:
        """A kubeconfig whose one user is this; the reader, by token, if none is given. It is JSON, so YAML."""
        path = self.folder / name
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "clusters": [{"name": "lab", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "user"}}],
            "users": [{"name": "user", "user": dict(user or {"token": READER})}],
        }
        path.write_text(json.dumps(content))
        return path

    # Objects

    def create(self, resource: str, namespace: str, name: str, **fields: object) -> dict[str, Any]:
        """Creates an object; fields are spec, endpoints and so on, labels go into its metadata."""
        return self.request("POST", _path(resource, namespace), _body(resource, name, fields))

    def replace(self, resource: str, namespace: str, name: str, **fields: object) -> dict[str, Any]:
        """Puts the object as it is now to be, whatever it was."""
        return self.request("PUT", f"{_path(resource, namespace)}/{name}", _body(resource, name, fields))

    def patch(self, resource: str, namespace: str, name: str, patch: Mapping[str, object]) -> dict[str, Any]:
        """Merges the patch into the object (RFC 7386)."""
        return self.request("PATCH", f"{_path(resource, namespace)}/{name}", patch)

    def delete(self, resource: str, namespace: str, name: str) -> None:
        """Deletes an object; one that isn't there is none."""
        with contextlib.suppress(ApiError):
            self.request("DELETE", f"{_path(resource, namespace)}/{name}")

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer to a request of the administrator's. Raises ApiError."""
        status, text = self._send(method, path, None if body is None else json.dumps(body))
        if status >= 300:
            raise ApiError(status, text)
        answer: dict[str, Any] = json.loads(text)
        return answer

    def seed(self, *arguments: str) -> None:
        """Fills the cluster by the lab's generator: --mode zoo, --mode scale and so on."""
        script = seed_script()
        if script is None:
            raise RuntimeError("no seed.py beside the checkout; name one by KDNS_LAB_SEED")
        where = ["--server", self.url, "--token", ADMIN, "--ca", str(self.ca)]
        subprocess.run([sys.executable, script, *arguments, *where], check=True, capture_output=True, timeout=600)

    # How

    def _send(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=30)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {ADMIN}", "Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ca.exists() and self._send("GET", "/readyz", None)[0] == 200
        return False

    @property
    def _etcd_url(self) -> str:
        return f"http://127.0.0.1:{self._etcd_ports[0]}"

    def _etcd_flags(self) -> list[str]:
        peer = f"http://127.0.0.1:{self._etcd_ports[1]}"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            "--watch-progress-notify-interval=5s",
            "--log-level=error",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]

    def _api_flags(self) -> list[str]:
        return [
            f"--etcd-servers={self._etcd_url}",
            f"--cert-dir={self.folder / 'certs'}",
            f"--secure-port={self.port}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--lab-policy={self.policy}",
            "--service-cluster-ip-range=10.96.0.0/12,fd00:96::/108",
            "--shutdown-watch-termination-grace-period=1s",
            *self._flags,
        ]

    def _spawn(self, name: str, flags: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen([self._binaries / name, *flags], stdout=log, stderr=log)

    def _end(self, how: signal.Signals) -> None:
        if self._api is not None:
            self._api.send_signal(how)
            self._api.wait(timeout=90)
            self._api = None

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        assert self._api is not None
        self._api.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._api.send_signal(signal.SIGCONT)


def _path(resource: str, namespace: str) -> str:
    return _PATHS[resource].format(namespace)


def _body(resource: str, name: str, fields: Mapping[str, object]) -> dict[str, object]:
    rest = {key: value for key, value in fields.items() if key not in {"labels", "annotations"}}
    metadata = {"name": name, **{key: fields[key] for key in ("labels", "annotations") if key in fields}}
    group = "discovery.k8s.io/v1" if resource == "endpointslices" else "v1"
    kinds = {"endpointslices": "EndpointSlice", "endpoints": "Endpoints"}
    kind = kinds.get(resource, resource.removesuffix("s").capitalize())
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **rest}


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now; all are held until the last is found, so that none comes twice."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
