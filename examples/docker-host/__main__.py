"""One service on a Docker host: its image is built and pushed, its container runs by digest, a client calls it.

The engine and the base image are this machine's own, which `eval "$(make -s env)"` in the project's directory names. On
a host of yours set `host`, `repository` and `base`; README.md says how to run it and lists all settings.
"""

import json
import os
from pathlib import Path

import pulumi
import pulumi_docker as docker
from omnibase_infra import HardenedContainer, HardenedImage

config = pulumi.Config()
environment = config.get("environment") or "dev"


def own_engine() -> str:
    """Socket of the Docker engine of this machine's own node."""
    return f"unix://{os.environ['OMNIBASE_STATE']}/node/run/docker.sock"


def own_base() -> str:
    """The smallest of this project's images with BusyBox, by digest."""
    images = json.loads(Path(os.environ["OMNIBASE_IMAGES_LOCK"]).read_text(encoding="utf-8"))["images"]
    return str(images["local-path-provisioner"])


host = docker.Provider("host", host=config.get("host") or own_engine())
here = pulumi.ResourceOptions(providers=[host])
fetch = ["/bin/busybox", "wget", "-q", "-O", "/dev/null"]

image = HardenedImage(
    "web",
    {
        "repository": config.get("repository") or "127.0.0.1:5000/omnibase-examples/web",
        "tag": config.get("tag") or "1.0.0",
        "context": "image",
        "bases": {"BASE": config.get("base") or own_base()},
    },
    here,
)
web = HardenedContainer(
    "web",
    {
        "environment": environment,
        "image": image.reference,
        "memory_mib": config.get_int("memory_mib") or 16,
        "processes": 16,
        "port": 8080,
        "publish": {"host_port": config.get_int("port") or 18080},
        "health_command": [*fetch, f"http://127.0.0.1:8080{config.get('health_path') or '/'}"],
        "start_seconds": 15,
        "env": {"GREETING": config.get("greeting") or "hello"},
        "secrets": {"token": config.get_secret("token") or pulumi.Output.secret("only for this example")},
        "uid": 10011,
        "stop_seconds": 1,  # this server has nothing to finish, and does not listen to SIGTERM
    },
    here,
)
client = HardenedContainer(
    "client",
    {
        "environment": environment,
        "image": image.reference,
        "memory_mib": 8,
        "processes": 8,
        "command": ["/bin/busybox", "sleep", "2147483647"],
        "joins": [web.network],
        "health_command": [*fetch, f"http://{environment}-web:8080/"],
        "uid": 10012,
        "stop_seconds": 1,
    },
    here,
)

pulumi.export("image", image.reference)
pulumi.export("web", web.published)
pulumi.export("web_address", web.address)
pulumi.export("containers", [web.container, client.container])
