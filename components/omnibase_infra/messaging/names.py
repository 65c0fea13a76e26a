"""Names that follow from a bus's own, pure."""

from omnibase_infra.config.topics import stream
from omnibase_infra.naming import dns_label, service_host, service_hosts
from omnibase_infra.network import Party

CONTROLLER = "controller"
SEED_KEY = "seed"


def peers(bus: str) -> str:
    """Headless Service under which servers find each other."""
    return f"{bus}-peers"


def controller(bus: str) -> str:
    """Workload that makes the streams."""
    return f"{bus}-{CONTROLLER}"


def secret(bus: str, client: str) -> str:
    """Secret with a client's seed."""
    return dns_label(bus, "client", client)


def config_map(bus: str, topic: str) -> str:
    """ConfigMap with a topic's declaration."""
    return dns_label(bus, "topic", stream(topic).replace("_", "-"))


def server_hosts(bus: str, namespace: str, servers: int) -> list[str]:
    """Names that the servers' certificate must hold: the Service, and each server as the others see it."""
    each = [service_host(f"{bus}-{number}.{peers(bus)}", namespace) for number in range(servers)]
    return [*service_hosts(bus, namespace), *each]


def servers_party(bus: str, namespace: str) -> Party:
    """The servers as one end of an arrow."""
    return {"name": bus, "namespace": namespace, "labels": {"app.kubernetes.io/name": bus}}


def controller_party(bus: str, namespace: str) -> Party:
    """The controller as one end of an arrow."""
    name = controller(bus)
    return {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/name": name}}


def keys(bus: str) -> str:
    """ConfigMap with the clients' public keys."""
    return f"{bus}-keys"


def key_variable(client: str) -> str:
    """Environment variable of the servers that holds a client's public key."""
    return f"NKEY_{client.upper().replace('-', '_')}"
