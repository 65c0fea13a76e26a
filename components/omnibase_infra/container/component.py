"""HardenedContainer: one service of ours on a Docker host."""

from typing import Any

import pulumi

from omnibase_infra.container import inputs
from omnibase_infra.container.args import HardenedContainerArgs
from omnibase_infra.container.checks import problems
from omnibase_infra.docker_objects import CONTAINER, NETWORK, VOLUME, DockerObject, docker_child
from omnibase_infra.errors import refuse
from omnibase_infra.pinned import checked_image
from omnibase_infra.waiver import today

_PROTECTED = ("staging", "prod")


class HardenedContainer(pulumi.ComponentResource):
    """A container that is hardened without being asked: the contract of HardenedWorkload on a Docker host.

    Always: non-root user, read-only root with scratch space in memory, no capabilities, no new privileges, the engine's
    default seccomp profile, limits of memory (no swap), CPU and processes, a health check that the deployment waits
    for, restart after crash and reboot, rotated logs, an image by digest, a network of its own without a way out, no
    namespace and no socket of the host, ports on one named address only, secrets as read-only files. A weaker setting
    needs a Waiver. The provider is the caller's: pass it in `opts.providers`.

    Makes: Network, Container, and as far as asked: a second Network behind the port of the host, a Container that is
    never started and holds the secrets, Volume (protected and kept in staging and prod).

    Raises:
        ArgsError: anything out of its range, uid 0, a port below 1024, an image without digest, a credential in `env`,
            a weaker setting without waiver, a waiver that is expired or waives nothing; all problems together.
    """

    container: pulumi.Output[str]
    """Name of the container, known when it is healthy."""
    network: pulumi.Output[str]
    """Name of its network; others give it in `joins` to reach the container by its name."""
    address: pulumi.Output[str]
    """The container's address in its network."""
    published: pulumi.Output[str]
    """`address:port` on the host; empty without `publish`."""

    def __init__(self, name: str, args: HardenedContainerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("HardenedContainer", name, problems(name, args, today()))
        recorded: dict[str, Any] = {**args}
        if "secrets" in args:
            recorded["secrets"] = {key: pulumi.Output.secret(value) for key, value in args["secrets"].items()}
        super().__init__("omnibase-infra:index:HardenedContainer", name, recorded, opts)
        waived = "unpinned-image" in {waiver["setting"] for waiver in args.get("waivers", [])}
        image = args["image"] if waived else checked_image("HardenedContainer", name, args["image"])
        own = docker_child(self, f"{name}-network", NETWORK, inputs.network(name, args))
        made = self._container(name, args, image, own)
        self.network = own.output("name")
        self.container = made.output("name")
        self.address = made.output("networkDatas").apply(lambda found: _address(found, inputs.full_name(name, args)))
        self.published = pulumi.Output.from_input(_published(args))
        self.register_outputs(
            {
                "container": self.container,
                "network": self.network,
                "address": self.address,
                "published": self.published,
            }
        )

    def _container(
        self, name: str, args: HardenedContainerArgs, image: pulumi.Input[str], own: DockerObject
    ) -> DockerObject:
        before: list[pulumi.Resource] = []
        carrier = None
        if args.get("secrets"):
            carrier = docker_child(self, f"{name}-secrets", CONTAINER, inputs.carrier(name, args, image))
            before.append(carrier)
        if "data_path" in args:
            kept = args["environment"] in _PROTECTED
            volume = inputs.volume(name, args)
            before.append(
                docker_child(self, f"{name}-data", VOLUME, volume, protect=kept or None, retain_on_delete=kept or None)
            )
        edge = None
        if "publish" in args:
            edge = docker_child(self, f"{name}-edge", NETWORK, inputs.edge_network(name, args))
        wanted = inputs.container(
            name,
            args,
            image,
            own_network=own.output("name"),
            edge=edge.output("name") if edge else None,
            carrier_id=carrier.id if carrier else None,
        )
        # The provider takes another health check for a change in place, and does nothing.
        checks = ["healthcheck"]
        return docker_child(self, f"{name}-container", CONTAINER, wanted, depends_on=before, replace_on_changes=checks)


def _address(networks: object, own: str) -> str:
    entries = networks if isinstance(networks, list) else []
    return next((str(entry.get("ipAddress", "")) for entry in entries if entry.get("networkName") == own), "")


def _published(args: HardenedContainerArgs) -> str:
    if "publish" not in args:
        return ""
    return f"{args['publish'].get('address', '127.0.0.1')}:{int(args['publish']['host_port'])}"
