"""The components that other languages may use, in the order of the schema."""

import pulumi

from omnibase_infra.backup import BarmanPlugin, ObjectStoreServer, RestoreDrill
from omnibase_infra.certificates import CertificateAuthority, ServerCertificate, TrustBundle
from omnibase_infra.container import HardenedContainer
from omnibase_infra.environment import Environment
from omnibase_infra.gateway import Gateway, GatewayController, Route
from omnibase_infra.images import HardenedImage
from omnibase_infra.logging import LoggingStack
from omnibase_infra.messaging import MessageBus, Topic
from omnibase_infra.monitoring import MetricsOperator, MonitoringStack, NodeExporter, WorkloadExporter
from omnibase_infra.network import NetworkFlow
from omnibase_infra.postgres import PostgresCluster, PostgresOperator
from omnibase_infra.postgres.managed import ManagedPostgres
from omnibase_infra.rollout import Rollout
from omnibase_infra.secrets import SecretSet
from omnibase_infra.vendor import VendorManifest
from omnibase_infra.workload import HardenedWorkload

NAME = "omnibase-infra"
VERSION = "0.1.0"
"""The same as in pyproject.toml; a test compares them."""
HOSTED: list[type[pulumi.ComponentResource]] = [
    BarmanPlugin,
    CertificateAuthority,
    Environment,
    Gateway,
    GatewayController,
    HardenedContainer,
    HardenedImage,
    HardenedWorkload,
    LoggingStack,
    ManagedPostgres,
    MetricsOperator,
    MonitoringStack,
    MessageBus,
    NetworkFlow,
    NodeExporter,
    ObjectStoreServer,
    PostgresCluster,
    PostgresOperator,
    RestoreDrill,
    Rollout,
    Route,
    SecretSet,
    ServerCertificate,
    TrustBundle,
    Topic,
    VendorManifest,
    WorkloadExporter,
]
