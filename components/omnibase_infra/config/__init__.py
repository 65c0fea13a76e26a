"""Typed settings of a stack: read, merged, checked; knows nothing of Pulumi resources."""

from omnibase_infra.config.archives import refuse_shared_archives
from omnibase_infra.config.bundles import BundleConfig
from omnibase_infra.config.catalogue_file import Catalogue, read_catalogue
from omnibase_infra.config.databases import (
    DatabaseConfig,
    MigrationsConfig,
    OperatorConfig,
    PoolerConfig,
    PostgresConfig,
)
from omnibase_infra.config.environments import ALIASES, Environment, parse_environment
from omnibase_infra.config.errors import ConfigError, Problem
from omnibase_infra.config.images import ImagesError, lock_exists, resolve_images, unbuilt_images
from omnibase_infra.config.load import Loaded, load, load_file, load_stack_file
from omnibase_infra.config.messaging import ConsumerConfig, MessagingConfig, TopicConfig
from omnibase_infra.config.model import CapacityConfig, ClusterConfig, ImagesConfig, StackConfig
from omnibase_infra.config.rules import required_images
from omnibase_infra.config.section import QuotaConfig
from omnibase_infra.config.services import ServiceConfig
from omnibase_infra.config.sources import engine_values
from omnibase_infra.config.stack_file import StackFile, parse_stack_file, read_stack_file

__all__ = [
    "ALIASES",
    "BundleConfig",
    "CapacityConfig",
    "Catalogue",
    "ClusterConfig",
    "ConfigError",
    "ConsumerConfig",
    "DatabaseConfig",
    "Environment",
    "ImagesConfig",
    "ImagesError",
    "Loaded",
    "MessagingConfig",
    "MigrationsConfig",
    "OperatorConfig",
    "PoolerConfig",
    "PostgresConfig",
    "Problem",
    "QuotaConfig",
    "ServiceConfig",
    "StackConfig",
    "StackFile",
    "TopicConfig",
    "engine_values",
    "load",
    "load_file",
    "load_stack_file",
    "lock_exists",
    "parse_environment",
    "parse_stack_file",
    "read_catalogue",
    "read_stack_file",
    "refuse_shared_archives",
    "required_images",
    "resolve_images",
    "unbuilt_images",
]
