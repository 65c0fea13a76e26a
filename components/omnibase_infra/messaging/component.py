"""MessageBus: NATS servers with JetStream, a key per client, topics with retention and dead letters."""

import base64
import secrets
from collections.abc import Mapping
from typing import Any

import pulumi

from omnibase_infra import nkeys
from omnibase_infra.config.topics import ADVISORIES, OPERATORS, REDELIVERIES, stream
from omnibase_infra.errors import refuse
from omnibase_infra.messaging import manifests, names
from omnibase_infra.messaging.args import (
    CLIENT_PORT,
    CONTROLLER_PORT,
    ROUTE_PORT,
    BusTopicArgs,
    MessageBusArgs,
    TopicArgs,
)
from omnibase_infra.messaging.checks import problems
from omnibase_infra.messaging.permissions import (
    CONTROLLER_CLIENT,
    Permissions,
    client_permissions,
    controller_permissions,
    operator_permissions,
)
from omnibase_infra.messaging.server_config import server_config
from omnibase_infra.messaging.topic import Topic, advisories, declaration, manifest, redeliveries, topic_problems
from omnibase_infra.naming import content_digest, dns_label, labels, service_host
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import KubernetesObject, Manifest, child, register_outputs
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.workload import HardenedWorkload

_TOPICS = "/etc/topics"
_SEED = "/run/secrets/messages"
_CA = "/run/secrets/messages-ca"


class MessageBus(pulumi.ComponentResource):
    """A message bus: NATS servers whose clients can publish and read exactly the topics that name them.

    Makes: StatefulSet with volumes, Services for clients and between servers, PodDisruptionBudget (3 servers or more),
    configuration, a key pair per client and one for operators (the private half in a Stash and a Secret, the servers
    hold the public half), one Topic each, the controller that makes streams, consumers and dead letters and serves
    metrics, network flows.
    TLS 1.2 or newer for clients, mutual TLS between servers. What is acknowledged has been written to disk.

    Raises:
        ArgsError: more copies than servers, an even number of servers, topics larger than the volumes, a topic twice,
            topics that share dead letters, unknown clients, bounds; all problems together.
    """

    url: pulumi.Output[str]
    """Address for clients, `tls://host:4222`. Known once servers and streams are ready."""
    ca_secret: pulumi.Output[str]
    """Secret with the key `ca.crt` that signs the servers' certificate."""
    credentials: pulumi.Output[dict[str, str]]
    """Client -> Secret with the key `seed`, its private key."""
    streams: pulumi.Output[dict[str, str]]
    """Topic -> stream."""

    def __init__(self, name: str, args: MessageBusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        topics = {topic["topic"]: _topic_args(name, args, topic) for topic in args["topics"]}
        wrong = [problem for topic in topics.values() for problem in topic_problems(topic)]
        refuse("MessageBus", name, [*problems(name, args), *wrong])
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:MessageBus", name, inputs, opts)
        clients = [client["name"] for client in args["clients"]]
        seeds = {client: self._seed(name, args, client) for client in [*clients, OPERATORS, CONTROLLER_CLIENT]}
        flows = self._flows(name, args)
        servers = self._servers(name, args, seeds, flows)
        controller = self._controller(name, args, topics, [servers, *flows])
        self.scrape_targets: list[ScrapeTarget] = [_scrape_target(name, args)]
        self.client_secrets = {client: names.secret(name, client) for client in clients}
        """The same as `credentials`, plain."""
        address = f"tls://{service_host(name, args['namespace'])}:{CLIENT_PORT}"
        self.url = controller.workload.apply(lambda _: address)
        self.ca_secret = pulumi.Output.from_input(args["ca_secret"])
        self.credentials = servers.urn.apply(lambda _: self.client_secrets)
        self.streams = controller.workload.apply(lambda _: {topic: stream(topic) for topic in topics})
        register_outputs(self)

    def _seed(self, name: str, args: MessageBusArgs, client: str) -> pulumi.Output[str]:
        """A client's private key, made once per generation: the stash keeps its first value."""
        generation = int(args.get("credential_generation", 1))
        made = pulumi.Stash(
            f"{name}-{client}-seed-{generation}",
            input=pulumi.Output.secret(nkeys.user_seed(secrets.token_bytes(nkeys.SEED_BYTES))),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
        )
        seed = pulumi.Output.secret(made.output).apply(str)
        child(self, f"{name}-client-{client}", _secret(name, args, client, seed))
        return seed

    def _flows(self, name: str, args: MessageBusArgs) -> list[NetworkFlow]:
        space = args["namespace"]
        servers = names.servers_party(name, space)
        arrows: dict[str, tuple[Party, Party, int]] = {
            "controller": (names.controller_party(name, space), servers, CLIENT_PORT)
        }
        if int(args["servers"]) > 1:
            arrows["routes"] = (servers, servers, ROUTE_PORT)
        for client in args["clients"]:
            if "party" in client:
                arrows[f"client-{client['name']}"] = (client["party"], servers, CLIENT_PORT)
            for other in client.get("others", []):
                arrows[f"client-{other['name']}"] = (other, servers, CLIENT_PORT)
        opts = pulumi.ResourceOptions(parent=self)
        return [
            NetworkFlow(f"{name}-{role}", {"source": source, "destination": destination, "ports": [port]}, opts)
            for role, (source, destination, port) in arrows.items()
        ]

    def _servers(
        self, name: str, args: MessageBusArgs, seeds: Mapping[str, pulumi.Output[str]], flows: list[NetworkFlow]
    ) -> KubernetesObject:
        text = server_config(name, args, _users(args))
        public = {names.key_variable(client): seed.apply(nkeys.public_key) for client, seed in seeds.items()}
        config = child(self, f"{name}-config", manifests.config_map(name, args, text))
        keys = child(self, f"{name}-keys", manifests.keys(name, args, public))
        account = child(self, f"{name}-account", manifests.service_account(name, args))
        for role, build in (("service", manifests.service), ("peers", manifests.peer_service)):
            made = build(name, args)
            # Its endpoints come with the servers, which are made after it.
            made["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
            child(self, f"{name}-{role}", made)
        if int(args["servers"]) > 1:
            child(self, f"{name}-budget", manifests.disruption_budget(name, args))
        guard = bool(args.get("protect", False))
        return child(
            self,
            f"{name}-servers",
            manifests.stateful_set(name, args, content_digest([text])),
            depends_on=[config, keys, account, *flows],
            protect=guard,
            retain_on_delete=guard,
        )

    def _controller(
        self, name: str, args: MessageBusArgs, topics: Mapping[str, TopicArgs], before: list[pulumi.Resource]
    ) -> HardenedWorkload:
        """The controller becomes ready when every stream is as declared, so whoever waits for it finds its topics."""
        own = {ADVISORIES: advisories(int(args["copies"])), REDELIVERIES: redeliveries(int(args["copies"]))}
        kept = {
            topic: child(self, f"{name}-topic-{_slug(topic)}", manifest(topic, content, _own_topic(name, args, topic)))
            for topic, content in own.items()
        }
        made = [
            Topic(f"{name}-topic-{_slug(stream(topic))}", found, pulumi.ResourceOptions(parent=self))
            for topic, found in topics.items()
        ]
        declared = [*own.values(), *(declaration(found) for found in topics.values())]
        config_maps: list[pulumi.Input[str]] = [
            *(_after(each, names.config_map(name, topic)) for topic, each in kept.items()),
            *(t.declaration for t in made),
        ]
        return HardenedWorkload(
            names.controller(name),
            {
                "namespace": args["namespace"],
                "environment": args["environment"],
                "image": args["controller_image"],
                "memory_mib": int(args["controller_memory_mib"]),
                "cpu_request_millis": int(args.get("controller_cpu_request_millis", 10)),
                "port": CONTROLLER_PORT,
                "scratch_mib": {},
                "accepts_from": list(args.get("readers", [])),
                "env": {
                    "PORT": str(CONTROLLER_PORT),
                    "MESSAGES_URL": f"tls://{service_host(name, args['namespace'])}:{CLIENT_PORT}",
                    "MESSAGES_SEED_FILE": f"{_SEED}/{names.SEED_KEY}",
                    "MESSAGES_CA_FILE": f"{_CA}/ca.crt",
                    "MESSAGES_TOPICS": _TOPICS,
                    "GOMEMLIMIT": f"{int(args['controller_memory_mib']) * 8 // 10}MiB",
                },
                "secret_mounts": [
                    {"secret": names.secret(name, CONTROLLER_CLIENT), "keys": [names.SEED_KEY], "path": _SEED},
                    {"secret": args["ca_secret"], "keys": ["ca.crt"], "path": _CA},
                ],
                "config_mounts": [{"config_maps": config_maps, "path": _TOPICS}],
                # Mounted files follow a ConfigMap only after a minute: a restart reads them at once.
                "restart_on": {
                    "topics-digest": content_digest(declared),
                    "credential-generation": str(args.get("credential_generation", 1)),
                },
            },
            pulumi.ResourceOptions(parent=self, depends_on=[*before, *kept.values(), *made]),
        )


def _after(made: pulumi.Resource, text: str) -> pulumi.Output[str]:
    """The text, once a resource exists."""
    return made.urn.apply(lambda _: text)


def _topic_args(name: str, args: MessageBusArgs, topic: BusTopicArgs) -> TopicArgs:
    found: TopicArgs = {
        "bus": name,
        "namespace": args["namespace"],
        "environment": args["environment"],
        "topic": topic["topic"],
        "max_mib": topic["max_mib"],
        "dead_letter_mib": topic["dead_letter_mib"],
        "copies": args["copies"],
        "duplicates_seconds": args.get("duplicates_seconds", 120),
        "consumers": topic.get("consumers", []),
    }
    if "retention_hours" in topic:
        found["retention_hours"] = topic["retention_hours"]
    if "dead_letter_hours" in topic:
        found["dead_letter_hours"] = topic["dead_letter_hours"]
    return found


def _own_topic(name: str, args: MessageBusArgs, topic: str) -> TopicArgs:
    return {
        "bus": name,
        "namespace": args["namespace"],
        "environment": args["environment"],
        "topic": topic,
        "max_mib": 1,
        "dead_letter_mib": 1,
        "copies": args["copies"],
    }


def _users(args: MessageBusArgs) -> dict[str, Permissions]:
    found = {client["name"]: client_permissions(client["name"], args["topics"]) for client in args["clients"]}
    own = {OPERATORS: operator_permissions(args["topics"]), CONTROLLER_CLIENT: controller_permissions(args["topics"])}
    return {**found, **own}


def _secret(name: str, args: MessageBusArgs, client: str, seed: pulumi.Output[str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.secret(name, client),
            "namespace": args["namespace"],
            "labels": labels(name, "messaging", args["environment"]),
            "annotations": {"omnibase.io/generation": str(args.get("credential_generation", 1))},
        },
        "type": "Opaque",
        "data": {names.SEED_KEY: seed.apply(lambda text: base64.b64encode(text.encode()).decode())},
    }


def _scrape_target(name: str, args: MessageBusArgs) -> ScrapeTarget:
    controller = names.controller(name)
    return {
        "name": controller,
        "namespace": args["namespace"],
        "labels": {"app.kubernetes.io/name": controller},
        "port": CONTROLLER_PORT,
    }


def _slug(text: str) -> str:
    return dns_label(text.replace("_", "-").replace(".", "-"))
