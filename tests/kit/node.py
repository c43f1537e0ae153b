"""A node without a kubelet: a network with a place for each pod, one address that leads to those that are ready, and containers.

To be used in a network namespace of its own, as root. A pod is started as a kubelet and a runtime would start it: by the
Deployment's own arguments and environment, with its ConfigMap and its service account in folders, in namespaces and a
cgroup, by the image's entry point. The kernel's multipath routes stand in for kube-proxy. It ends only what it started.
"""

import contextlib
import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tests.kit import image
from tests.server import until

GATEWAY: Final = "10.1.0.1"
SERVICE: Final = "10.96.0.10"
_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_CGROUPS: Final = Path("/sys/fs/cgroup")
_MIB: Final = 1 << 20


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def prepare() -> None:
    """Makes the node's network."""
    ip("link", "set", "lo", "up")
    # With an address of its own. Otherwise it has the lowest of its ports', which another pod may change: replies that are on
    # their way then would be for nobody.
    ip("link", "add", "pods", "address", "02:00:00:00:00:01", "type", "bridge")
    ip("address", "add", f"{GATEWAY}/24", "dev", "pods")
    ip("link", "set", "pods", "up")
    ip("route", "add", "default", "dev", "pods")  # an API server that listens everywhere looks for its own address
    Path("/proc/sys/net/ipv4/fib_multipath_hash_policy").write_text("1")  # by address and port, as kube-proxy does


def lead_to(pods: Sequence["Pod"]) -> None:
    """Has the Service's address lead to these pods: what EndpointSlices and kube-proxy come to."""
    ip("route", "replace", SERVICE, *(part for pod in pods for part in ("nexthop", "via", pod.address)))


@dataclass(frozen=True)
class Api:
    """What a pod is told of the API server."""

    port: int
    authority: Path
    token: str


@dataclass
class Pod:
    """A pod of a workload, with everything that it mounts."""

    name: str
    number: int
    folder: Path
    image: Path
    workload: Mapping[str, Any]  # a Deployment
    configs: Mapping[str, Mapping[str, str]]  # ConfigMaps' data
    api: Api
    _holder: subprocess.Popen[bytes] = field(init=False)
    _process: subprocess.Popen[bytes] = field(init=False)

    @property
    def address(self) -> str:
        return f"10.1.0.{self.number}"

    @property
    def spec(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.workload["spec"]["template"]["spec"]
        return found

    @property
    def container(self) -> Mapping[str, Any]:
        (found,) = self.spec["containers"]
        return found  # type: ignore[no-any-return]

    @property
    def limit_bytes(self) -> int:
        """The memory that the manifest allows."""
        text: str = self.container["resources"]["limits"]["memory"]
        return int(text.removesuffix("Mi")) * _MIB

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """All processes of the container."""
        children = f"/proc/{self.pid}/task/{self.pid}/children"
        return [self.pid, *map(int, Path(children).read_text().split())]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def __enter__(self) -> Self:
        self.folder.mkdir()
        self._connect()
        spec = self.folder / "spec.json"
        spec.write_text(json.dumps(self._specification()))
        where = (f"--net=/proc/{self._holder.pid}/ns/net",)
        with (self.folder / "log").open("wb") as log:
            command = ["nsenter", *where, *image.contained("--uts", "--ipc"), str(spec)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._process, self._holder):
            if process.poll() is None:
                process.kill()
            process.wait()
        for cgroup in self._cgroup_folders():
            with contextlib.suppress(OSError):
                until(lambda folder=cgroup: not (folder / "cgroup.procs").read_text())  # type: ignore[misc]
                cgroup.rmdir()

    # As the kubelet does

    def probe(self, which: str) -> int:
        """The status of a probe of the manifest; 0 where nobody answers."""
        asked = self.container[f"{which}Probe"]["httpGet"]
        port = asked["port"]
        if isinstance(port, str):
            port = next(each["containerPort"] for each in self.container["ports"] if each["name"] == port)
        try:
            return self._get(port, asked["path"])[0]
        except OSError:
            return 0

    def until_ready(self) -> None:
        """Polls readiness until it is given; the end of the process is the end of waiting."""

        def ready() -> bool:
            assert self._process.poll() is None, self.log
            return self.probe("readiness") == 200

        until(ready, within_s=60, why=self.log)

    def terminate(self) -> None:
        """Asks it to end, as at the deletion of a pod."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit status, within the time that the manifest allows."""
        return self._process.wait(timeout=self.spec["terminationGracePeriodSeconds"])

    def page(self, port: int, path: str) -> str:
        return self._get(port, path)[1]

    def _get(self, port: int, path: str) -> tuple[int, str]:
        """Status and body of a page. Raises OSError."""
        with contextlib.closing(http.client.HTTPConnection(self.address, port, timeout=5)) as connection:
            connection.request("GET", path)
            with connection.getresponse() as answer:
                return answer.status, answer.read().decode()

    @property
    def memory_bytes(self) -> int:
        """What all its processes take, what they share counted once."""
        return sum(_proportional_bytes(pid) for pid in self.pids)

    @property
    def datagrams(self) -> dict[str, int]:
        """What the kernel has counted of UDP in the pod's network, by the names of /proc/net/snmp."""
        return datagrams(self._holder.pid)

    @property
    def killed(self) -> int:
        """How many processes the kernel has ended for want of memory."""
        for folder in self._cgroup_folders():
            for name in ("memory.oom_control", "memory.events"):
                if (folder / name).exists():
                    counts = dict(line.split() for line in (folder / name).read_text().splitlines())
                    return int(counts.get("oom_kill", 0))
        return 0

    # How

    def _connect(self) -> None:
        """A network of its own, with an address, and the Service's on loopback: routes alone decide who gets a question."""
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        own, theirs = (Path(f"/proc/{pid}/ns/net") for pid in ("self", self._holder.pid))
        until(lambda: theirs.readlink() != own.readlink())
        outside = f"pod{self.number}"
        ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", str(self._holder.pid))
        ip("link", "set", outside, "master", "pods", "up")
        for line in (
            f"address add {self.address}/24 dev eth0",
            "link set eth0 up",
            "link set lo up",
            f"address add {SERVICE}/32 dev lo",
            f"route add default via {GATEWAY}",
        ):
            where = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]
            subprocess.run([*where, "ip", *line.split()], check=True, capture_output=True)

    def _specification(self) -> dict[str, Any]:
        context = {**self.spec.get("securityContext", {}), **self.container["securityContext"]}
        user, _, _ = image.config("USER").partition(":")
        given = {each["name"]: each["value"] for each in self.container.get("env", ())}
        root = self.folder / "root"
        root.mkdir()
        return {
            "root": str(root),
            "binds": [
                *image.system(),
                *image.interpreter(self.image),
                [str(self.image / "opt" / "kdns"), "/opt/kdns", False],
                *([str(source), target, source.name.startswith("empty-")] for source, target in self._mounts()),
            ],
            "links": [[link, "/opt/kdns/bin/kdns"] for link in image.config("ENTRYPOINT")],
            "read_only": context["readOnlyRootFilesystem"],
            "cgroups": [str(folder / "cgroup.procs") for folder in self._make_cgroups()],
            "uid": context.get("runAsUser", int(user)),
            "capabilities": context["capabilities"].get("add", []),
            "no_new_privs": not context["allowPrivilegeEscalation"],
            "argv": [*(self.container.get("command") or image.config("ENTRYPOINT")), *self.container["args"]],
            "env": {
                **image.config("ENV"),
                "HOSTNAME": self.name,
                "KUBERNETES_SERVICE_HOST": GATEWAY,
                "KUBERNETES_SERVICE_PORT": str(self.api.port),
                **given,
            },
        }

    def _mounts(self) -> Iterator[tuple[Path, str]]:
        """What is mounted where: volumes, the service account, and the node's resolv.conf, since dnsPolicy is Default."""
        volumes = {each["name"]: each for each in self.spec.get("volumes", ())}
        for mount in self.container.get("volumeMounts", ()):
            volume = volumes[mount["name"]]
            yield (
                self._config(volume["configMap"]) if "configMap" in volume else self._empty(mount["name"]),
                mount["mountPath"],
            )
        account = self.folder / "account"
        account.mkdir()
        (account / "token").write_text(self.api.token)
        (account / "ca.crt").write_text(self.api.authority.read_text())
        (account / "namespace").write_text("kube-system")
        yield account, _ACCOUNT
        resolv_conf = self.folder / "resolv.conf"
        resolv_conf.write_text(f"nameserver {GATEWAY}\n")
        yield resolv_conf, str(Path("/etc/resolv.conf").resolve())

    def _empty(self, name: str) -> Path:
        """An emptyDir's folder, which anybody may write."""
        folder = self.folder / f"empty-{name}"
        folder.mkdir()
        folder.chmod(0o777)
        return folder

    def _config(self, source: Mapping[str, Any]) -> Path:
        """A ConfigMap's folder as the kubelet makes it: links through ..data, which one rename exchanges."""
        name: str = source["name"]
        folder = self.folder / name
        (folder / "..2026").mkdir(parents=True)
        (folder / "..data").symlink_to("..2026")
        data = self.configs[name]
        for item in source.get("items") or [{"key": key, "path": key} for key in data]:
            (folder / "..2026" / item["path"]).write_text(data[item["key"]])
            (folder / item["path"]).symlink_to(f"..data/{item['path']}")
        return folder

    def _cgroup_folders(self) -> list[Path]:
        """Where its memory may be limited: version 2's tree, or version 1's for memory; none if this machine has neither."""
        controllers = _CGROUPS / "cgroup.controllers"
        name = f"kdns-{os.getpid()}-{self.name}"
        if controllers.exists() and "memory" in controllers.read_text().split():
            return [_CGROUPS / name]
        return [_CGROUPS / "memory" / name] if (_CGROUPS / "memory" / "memory.limit_in_bytes").exists() else []

    def _make_cgroups(self) -> list[Path]:
        """The folders, made and limited; none where that isn't allowed here: then memory is looked at alone."""
        made = []
        for folder in self._cgroup_folders():
            with contextlib.suppress(OSError):
                folder.mkdir()
                limit = next(
                    folder / each for each in ("memory.max", "memory.limit_in_bytes") if (folder / each).exists()
                )
                limit.write_text(str(self.limit_bytes))
                made.append(folder)
        return made


def datagrams(pid: int) -> dict[str, int]:
    """What the kernel has counted of UDP in the network that a process is in."""
    names, counts = (
        line.split()[1:] for line in Path(f"/proc/{pid}/net/snmp").read_text().splitlines() if line.startswith("Udp:")
    )
    return dict(zip(names, map(int, counts), strict=True))


def _proportional_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
