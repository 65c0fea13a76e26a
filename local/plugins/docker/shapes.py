"""The bridged resource types and their fields: defaults, what the engine chooses, what needs a new object.

Source: the schemas of the Terraform provider `kreuzwerker/docker`, which the official plugin bridges. `UNSERVED` is
what the SDK has beyond them.
"""

from __future__ import annotations

from local.plugins.common.bridged import Field, Shape

CONTAINER_TOKEN = "docker:index/container:Container"  # noqa: S105  # a resource type
NETWORK_TOKEN = "docker:index/network:Network"  # noqa: S105  # a resource type
VOLUME_TOKEN = "docker:index/volume:Volume"  # noqa: S105  # a resource type

_LABELS = Field(kind="set", replaces=True, block={"label": Field(required=True), "value": Field(required=True)})
_RESTARTS = ("no", "on-failure", "always", "unless-stopped")
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


def _new(kind: str = "string", **rest: object) -> Field:
    """A field whose change needs a new object."""
    return Field(kind=kind, replaces=True, **rest)  # type: ignore[arg-type]  # passed through to be checked there


_MOUNT = {
    "target": Field(required=True),
    "source": Field(),
    "type": Field(required=True, choices=("bind", "volume", "tmpfs")),
    "readOnly": Field(kind="bool"),
    "bindOptions": Field(kind="object", block={"propagation": Field(choices=_PROPAGATIONS)}),
    "volumeOptions": Field(
        kind="object",
        block={
            "noCopy": Field(kind="bool"),
            "labels": _LABELS,
            "driverName": Field(),
            "driverOptions": Field(kind="map"),
        },
    ),
    "tmpfsOptions": Field(kind="object", block={"sizeBytes": Field(kind="int"), "mode": Field(kind="int")}),
}
_PORT = {
    "internal": _new("int", required=True),
    "external": _new("int", computed=True),
    "ip": _new(default="0.0.0.0"),  # noqa: S104  # the official default; a policy refuses it
    "protocol": _new(default="tcp"),
}
_HEALTHCHECK = {
    "tests": Field(kind="list"),
    "interval": Field(default="0s"),
    "timeout": Field(default="0s"),
    "startPeriod": Field(default="0s"),
    "startInterval": Field(default="0s"),
    "retries": Field(kind="int", default=0, least=0),
}
_UPLOAD = {
    "content": _new(),
    "contentBase64": _new(),
    "file": _new(required=True),
    "executable": _new("bool", default=False),
    "permissions": _new(),
    "source": _new(),
    "sourceHash": _new(),
}
_VOLUME_OF_CONTAINER = {
    "fromContainer": _new(),
    "containerPath": _new(),
    "hostPath": _new(),
    "volumeName": _new(),
    "readOnly": _new("bool"),
    "selinuxRelabel": _new(choices=("z", "Z")),
}
_NETWORK_OF_CONTAINER = {
    "name": _new(required=True),
    "aliases": _new("set"),
    "ipv4Address": _new(),
    "ipv6Address": _new(),
    "linkLocalIps": _new("set"),
    "macAddress": _new(),
}

CONTAINER = Shape(
    token=CONTAINER_TOKEN,
    autonamed=True,
    delete_first=True,
    fields={
        "name": _new(),
        "image": _new(required=True),
        # -- process
        "command": _new("list", computed=True),
        "entrypoints": _new("list", computed=True),
        "envs": _new("set", computed=True),
        "workingDir": _new(computed=True),
        "user": _new(computed=True),
        "groupAdds": _new("set"),
        "hostname": _new(computed=True),
        "domainname": _new(),
        "tty": _new("bool", default=False),
        "stdinOpen": _new("bool", default=False),
        "init": Field(kind="bool", computed=True),
        "stopSignal": _new(computed=True),
        "stopTimeout": _new("int", computed=True),
        # -- life
        "restart": Field(default="no", choices=_RESTARTS),
        "maxRetryCount": Field(kind="int"),
        "start": Field(kind="bool", default=True),
        "mustRun": Field(kind="bool", default=True),
        "wait": Field(kind="bool", default=False),
        "waitTimeout": Field(kind="int", default=60),
        "rm": Field(kind="bool", default=False),
        "removeVolumes": Field(kind="bool", default=True),
        "destroyGraceSeconds": Field(kind="int"),
        "containerReadRefreshTimeoutMilliseconds": Field(kind="int", default=15000),
        "healthcheck": Field(kind="object", computed=True, block=_HEALTHCHECK),
        "attach": Field(kind="bool", default=False, choices=()),
        "logs": Field(kind="bool", default=False),
        # -- rights
        "privileged": _new("bool"),
        "capabilities": _new("object", block={"adds": _new("set"), "drops": _new("set")}),
        "securityOpts": _new("set", computed=True),
        "readOnly": _new("bool", default=False),
        "pidMode": _new(),
        "ipcMode": _new(computed=True),
        "usernsMode": _new(),
        "cgroupnsMode": _new(),
        "cgroupParent": _new(),
        "sysctls": _new("map"),
        "runtime": _new(computed=True),
        "platform": _new(computed=True),
        # -- limits
        "memory": Field(kind="int", least=0),
        "memoryReservation": Field(kind="int", least=0, default=0),
        "memorySwap": Field(kind="int", least=-1, computed=True),
        "shmSize": _new("int", least=0, computed=True),
        "cpus": _new(),
        "cpuShares": Field(kind="int", least=0),
        "cpuSet": Field(),
        "ulimits": _new(
            "set",
            block={
                "name": _new(required=True),
                "soft": _new("int", required=True),
                "hard": _new("int", required=True),
            },
        ),
        # -- files
        "mounts": _new("set", block=_MOUNT),
        "volumes": _new("set", block=_VOLUME_OF_CONTAINER),
        "tmpfs": Field(kind="map"),
        "uploads": _new("set", block=_UPLOAD),
        # -- network
        "networkMode": _new(default="bridge"),
        "networksAdvanced": _new("set", block=_NETWORK_OF_CONTAINER),
        "ports": _new("list", block=_PORT),
        "publishAllPorts": _new("bool"),
        "dns": _new("set"),
        "dnsOpts": _new("set"),
        "dnsSearches": _new("set"),
        "hosts": _new("set", block={"host": _new(required=True), "ip": _new(required=True)}),
        # -- records
        "labels": Field(kind="set", replaces=True, computed=True, block=_LABELS.block),
        "logDriver": _new(computed=True),
        "logOpts": _new("map"),
    },
)
"""`memorySwap` is computed here: the daemon sets twice the memory where nothing is said, which is no change."""

CONTAINER_OUTPUTS = ("bridge", "containerLogs", "exitCode", "networkDatas")
UNSERVED = frozenset(
    {
        "cpuPeriod", "cpuQuota", "deviceCgroupRules", "deviceReadBps", "deviceReadIops", "deviceRequests",
        "deviceWriteBps", "deviceWriteIops", "devices", "gpus", "storageOpts", "cluster",
    }
)  # fmt: skip
"""Inputs of the SDK that only the official plugin serves."""

NETWORK = Shape(
    token=NETWORK_TOKEN,
    autonamed=True,
    fields={
        "name": _new(),
        "labels": _LABELS,
        "driver": _new(computed=True),
        "options": _new("map", computed=True),
        "internal": _new("bool", computed=True),
        "attachable": _new("bool"),
        "ingress": _new("bool"),
        "ipv6": _new("bool"),
        "ipamDriver": _new(default="default"),
        "ipamOptions": _new("map"),
        "ipamConfigs": _new(
            "set",
            computed=True,
            block={"subnet": _new(), "ipRange": _new(), "gateway": _new(), "auxAddress": _new("map")},
        ),
    },
)

VOLUME = Shape(
    token=VOLUME_TOKEN,
    autonamed=True,
    fields={
        "name": _new(computed=True),
        "labels": _LABELS,
        "driver": _new(computed=True),
        "driverOpts": _new("map"),
    },
)

SHAPES = {shape.token: shape for shape in (CONTAINER, NETWORK, VOLUME)}
