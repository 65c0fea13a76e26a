"""Platform: one environment as a whole, from checked settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from omnibase_infra.alert import Alert
from omnibase_infra.config.clusters import MAIN
from omnibase_infra.environment import Environment, EnvironmentArgs
from omnibase_infra.naming import dns_label, service_host, stack_namespace
from omnibase_infra.platform.agents import make_agents
from omnibase_infra.platform.args import PlatformArgs
from omnibase_infra.platform.backup import make_backup_alerts, make_backups, make_drills
from omnibase_infra.platform.certificates import make_certificate_exporter, make_certificates
from omnibase_infra.platform.connections import database_outputs
from omnibase_infra.platform.database import make_database_alerts, make_databases, make_operators
from omnibase_infra.platform.gateway import make_gateway
from omnibase_infra.platform.logging import make_logging, make_logging_alerts
from omnibase_infra.platform.messaging import make_message_alerts, make_messaging
from omnibase_infra.platform.monitoring import PART as MONITORING
from omnibase_infra.platform.monitoring import make_monitoring
from omnibase_infra.platform.network import DeclaredPolicies
from omnibase_infra.platform.promises import promised_alerts
from omnibase_infra.platform.rollout import make_rollout_alerts
from omnibase_infra.platform.room import Room
from omnibase_infra.platform.secrets import make_secrets
from omnibase_infra.platform.services import Used, make_services, service_targets
from omnibase_infra.postgres import endpoint
from omnibase_infra.scrape import ScrapeTarget


class Platform(pulumi.ComponentResource):
    """The environment of one stack.

    Makes: Environment, PostgresOperator (unless another stack has it), PostgresCluster, one HardenedWorkload per
    service, the flow from people's addresses to each service, and every enabled capability.

    Raises:
        ArgsError: of any of its parts; the parts' own docstrings say which.
    """

    outputs: dict[str, pulumi.Input[Any]]
    """The stack's outputs, see docs/architecture/platform.md."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {"stack": args.stack, "settings": args.config.model_dump(mode="json"), "images": dict(args.images)}
        self._policies = DeclaredPolicies()
        noting = pulumi.ResourceOptions(transformations=[self._policies.note])
        super().__init__("omnibase-infra:index:Platform", name, inputs, pulumi.ResourceOptions.merge(opts, noting))
        self._args, self._config = args, args.config
        self.namespace = stack_namespace(args.stack)
        self._room = Room(parent=self, args=args, environment=self._make_environment())
        self._certificates = make_certificates(self._room)
        self._operators = make_operators(self._room)
        self._backups = make_backups(self._room, self._certificates, self._operators)
        self._databases = make_databases(self._room, self._certificates, self._operators, self._backups)
        self._database = self._databases[MAIN]
        self._messages = make_messaging(self._room, self._certificates)
        used = Used(databases=self._databases, secrets=make_secrets(self._room), messages=self._messages)
        self._services = make_services(self._room, used)
        self._agents = make_agents(self._room)
        self._logging = make_logging(self._room, self._agents)
        edge = make_gateway(self._room, self._certificates, self._services)
        # After everything that is given a certificate.
        self.scrape_targets: list[ScrapeTarget] = [
            *make_certificate_exporter(self._room, self._certificates),
            *make_drills(self._room, self._backups, self._databases),
            *(self._logging.scrape_targets if self._logging else []),
            *edge.scrape_targets,
            *(self._messages.scrape_targets if self._messages else []),
        ]
        alerts = [
            *edge.alerts,
            *make_logging_alerts(self._room, self._logging),
            *make_message_alerts(self._room, self._messages),
            *make_database_alerts(self._room),
            *make_backup_alerts(self._room),
            *make_rollout_alerts(self._room),
            *promised_alerts(self._room),
        ]
        self._monitoring = self._make_monitoring(edge.owners, alerts)
        self.outputs = {
            **self._own_outputs(),
            **self._service_outputs(),
            **edge.outputs,
            **self._message_outputs(),
            **self._monitoring,
        }
        self.register_outputs(self.outputs)

    def _make_environment(self) -> Environment:
        quota = self._config.quota
        args: EnvironmentArgs = {
            "namespace": self.namespace,
            "environment": self._config.environment.value,
            "cpu_request_millis": quota.cpu_request_millis,
            "memory_mib": quota.memory_mib,
            "pods": quota.pods,
            "storage_gib": quota.storage_gib,
            "protect": self._config.protect,
        }
        if self._config.monitoring.enabled:
            args["monitored_by"] = dns_label(self.namespace, MONITORING)
        return Environment("environment", args, pulumi.ResourceOptions(parent=self))

    def _make_monitoring(
        self, owners: Sequence[pulumi.Resource], alerts: Sequence[Alert]
    ) -> dict[str, pulumi.Input[Any]]:
        """Last, as it watches all others: what they serve, and who makes the namespaces that they live in."""
        targets: list[ScrapeTarget] = [
            *(target for cluster in self._databases.values() for target in cluster.scrape_targets),
            *(target for operator in self._operators for target in operator.scrape_targets),
            *(each for key, it in self._room.services.items() for each in service_targets(self._room, key, it)),
            *self.scrape_targets,
        ]
        homes = [part for part in (self._agents, self._logging) if part]
        after: list[pulumi.Resource] = [self._room.environment, *self._operators, *homes, *owners]
        return make_monitoring(self._room, self._certificates, targets, self._policies, after=after, alerts=alerts)

    def _own_outputs(self) -> dict[str, pulumi.Input[Any]]:
        return {
            "namespace": self.namespace,
            "environment": self._config.environment.value,
            "database_rw_endpoint": endpoint(MAIN, self.namespace, "rw"),
            "database_ro_endpoint": endpoint(MAIN, self.namespace, "ro"),
            "database_name": self._database.database,
            "database_user": self._database.user,
            "database_secret": self._database.password_secret,
            "database_ca_secret": self._database.ca_secret,
            **database_outputs(self._room, self._databases, self._certificates),
            "images": dict(self._args.images),
            "image_pins": dict(self._config.images.pins),
            "overrides": dict(self._args.overrides),
            **({"certificate_authority": self._certificates.bundle} if self._config.certificates.enabled else {}),
            **({"log_store_url": self._logging.store_url} if self._logging else {}),
            "waivers": list(self._room.waivers),
        }

    def _service_outputs(self) -> dict[str, pulumi.Input[Any]]:
        first = next((name for name, each in self._room.services.items() if each.http_port), None)
        if first is None:
            return {}
        port = self._room.port(first)
        address = self._services[first].cluster_ip
        return {
            "service_url": f"http://{service_host(first, self.namespace)}:{port}",
            "service_cluster_ip_url": address.apply(lambda ip: f"http://{ip}:{port}" if ip else ""),
        }

    def _message_outputs(self) -> dict[str, pulumi.Input[Any]]:
        if self._messages is None:
            return {}
        return {
            "messages_url": self._messages.url,
            "messages_ca_secret": self._messages.ca_secret,
            "messages_credentials": self._messages.credentials,
            "messages_streams": self._messages.streams,
        }
