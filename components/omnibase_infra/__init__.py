"""Components of omnibase-infra. Importing this package loads nothing: `ops` needs its settings without Pulumi."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnibase_infra.backup import (
        BarmanPlugin,
        BarmanPluginArgs,
        ObjectStoreServer,
        ObjectStoreServerArgs,
        RestoreDrill,
        RestoreDrillArgs,
    )
    from omnibase_infra.certificates import (
        CertificateAuthority,
        CertificateAuthorityArgs,
        ServerCertificate,
        ServerCertificateArgs,
        TrustBundle,
        TrustBundleArgs,
    )
    from omnibase_infra.container import HardenedContainer, HardenedContainerArgs, Publish
    from omnibase_infra.environment import Environment, EnvironmentArgs
    from omnibase_infra.errors import ArgsError
    from omnibase_infra.gateway import (
        Gateway,
        GatewayArgs,
        GatewayController,
        GatewayControllerArgs,
        Route,
        RouteArgs,
        RouteBackend,
    )
    from omnibase_infra.images import HardenedImage, HardenedImageArgs
    from omnibase_infra.logging import LoggingStack, LoggingStackArgs
    from omnibase_infra.messaging import MessageBus, MessageBusArgs, Topic, TopicArgs
    from omnibase_infra.monitoring import (
        MetricsOperator,
        MetricsOperatorArgs,
        MonitoringStack,
        MonitoringStackArgs,
        NodeExporter,
        NodeExporterArgs,
        WorkloadExporter,
        WorkloadExporterArgs,
    )
    from omnibase_infra.network import NetworkFlow, NetworkFlowArgs, Party
    from omnibase_infra.platform import Platform, PlatformArgs
    from omnibase_infra.postgres import (
        PostgresCluster,
        PostgresClusterArgs,
        PostgresOperator,
        PostgresOperatorArgs,
    )
    from omnibase_infra.postgres.managed import ManagedDatabaseArgs, ManagedPostgres, ManagedPostgresArgs
    from omnibase_infra.rollout import Rollout, RolloutArgs
    from omnibase_infra.secrets import SecretConsumer, SecretEntry, SecretSet, SecretSetArgs, SecretStore
    from omnibase_infra.vendor import VendorManifest, VendorManifestArgs
    from omnibase_infra.waiver import Waiver
    from omnibase_infra.workload import (
        Call,
        ConfigMount,
        HardenedWorkload,
        HardenedWorkloadArgs,
        Probe,
        SecretMount,
        Volume,
    )

_HOMES = {
    "ArgsError": "errors",
    "BarmanPlugin": "backup",
    "BarmanPluginArgs": "backup",
    "Call": "workload",
    "CertificateAuthority": "certificates",
    "CertificateAuthorityArgs": "certificates",
    "ConfigMount": "workload",
    "Environment": "environment",
    "EnvironmentArgs": "environment",
    "Gateway": "gateway",
    "GatewayArgs": "gateway",
    "GatewayController": "gateway",
    "GatewayControllerArgs": "gateway",
    "HardenedContainer": "container",
    "HardenedContainerArgs": "container",
    "HardenedImage": "images",
    "HardenedImageArgs": "images",
    "HardenedWorkload": "workload",
    "HardenedWorkloadArgs": "workload",
    "LoggingStack": "logging",
    "LoggingStackArgs": "logging",
    "ManagedDatabaseArgs": "postgres.managed",
    "ManagedPostgres": "postgres.managed",
    "ManagedPostgresArgs": "postgres.managed",
    "MetricsOperator": "monitoring",
    "MetricsOperatorArgs": "monitoring",
    "MonitoringStack": "monitoring",
    "MonitoringStackArgs": "monitoring",
    "MessageBus": "messaging",
    "MessageBusArgs": "messaging",
    "NetworkFlow": "network",
    "NetworkFlowArgs": "network",
    "NodeExporter": "monitoring",
    "NodeExporterArgs": "monitoring",
    "WorkloadExporter": "monitoring",
    "WorkloadExporterArgs": "monitoring",
    "ObjectStoreServer": "backup",
    "ObjectStoreServerArgs": "backup",
    "Party": "network",
    "Platform": "platform",
    "PlatformArgs": "platform",
    "PostgresCluster": "postgres",
    "PostgresClusterArgs": "postgres",
    "PostgresOperator": "postgres",
    "PostgresOperatorArgs": "postgres",
    "Probe": "workload",
    "Publish": "container",
    "RestoreDrill": "backup",
    "RestoreDrillArgs": "backup",
    "Rollout": "rollout",
    "RolloutArgs": "rollout",
    "Route": "gateway",
    "RouteArgs": "gateway",
    "RouteBackend": "gateway",
    "SecretConsumer": "secrets",
    "SecretEntry": "secrets",
    "SecretMount": "workload",
    "SecretSet": "secrets",
    "SecretSetArgs": "secrets",
    "SecretStore": "secrets",
    "ServerCertificate": "certificates",
    "ServerCertificateArgs": "certificates",
    "TrustBundle": "certificates",
    "TrustBundleArgs": "certificates",
    "Topic": "messaging",
    "TopicArgs": "messaging",
    "VendorManifest": "vendor",
    "VendorManifestArgs": "vendor",
    "Volume": "workload",
    "Waiver": "waiver",
}

__all__ = [
    "ArgsError",
    "BarmanPlugin",
    "BarmanPluginArgs",
    "Call",
    "CertificateAuthority",
    "CertificateAuthorityArgs",
    "ConfigMount",
    "Environment",
    "EnvironmentArgs",
    "Gateway",
    "GatewayArgs",
    "GatewayController",
    "GatewayControllerArgs",
    "HardenedContainer",
    "HardenedContainerArgs",
    "HardenedImage",
    "HardenedImageArgs",
    "HardenedWorkload",
    "HardenedWorkloadArgs",
    "LoggingStack",
    "LoggingStackArgs",
    "ManagedDatabaseArgs",
    "ManagedPostgres",
    "ManagedPostgresArgs",
    "MessageBus",
    "MessageBusArgs",
    "MetricsOperator",
    "MetricsOperatorArgs",
    "MonitoringStack",
    "MonitoringStackArgs",
    "NetworkFlow",
    "NetworkFlowArgs",
    "NodeExporter",
    "NodeExporterArgs",
    "ObjectStoreServer",
    "ObjectStoreServerArgs",
    "Party",
    "Platform",
    "PlatformArgs",
    "PostgresCluster",
    "PostgresClusterArgs",
    "PostgresOperator",
    "PostgresOperatorArgs",
    "Probe",
    "Publish",
    "RestoreDrill",
    "RestoreDrillArgs",
    "Rollout",
    "RolloutArgs",
    "Route",
    "RouteArgs",
    "RouteBackend",
    "SecretConsumer",
    "SecretEntry",
    "SecretMount",
    "SecretSet",
    "SecretSetArgs",
    "SecretStore",
    "ServerCertificate",
    "ServerCertificateArgs",
    "Topic",
    "TopicArgs",
    "TrustBundle",
    "TrustBundleArgs",
    "VendorManifest",
    "VendorManifestArgs",
    "Volume",
    "Waiver",
    "WorkloadExporter",
    "WorkloadExporterArgs",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'omnibase_infra' has no attribute {name!r}")
    home = importlib.import_module(f"omnibase_infra.{_HOMES[name]}")
    return vars(home)[name]
