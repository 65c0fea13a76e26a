"""The objects of databases, gateways and clouds that the rules' examples change; as they are, they break no rule."""

from __future__ import annotations

from typing import Any

_DIGEST = f"sha256:{'1' * 64}"


def _object(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "orders"}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": "orders", "namespace": "orders", "labels": labels},
        "spec": spec,
    }


_CNPG, _GATEWAY, _ENVOY = "postgresql.cnpg.io/v1", "gateway.networking.k8s.io/v1", "gateway.envoyproxy.io/v1alpha1"
_TO_GATEWAY = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "orders"}]
_LOG_IN = {"name": "orders_app", "login": True, "connectionLimit": 5}

_DATABASES = (
    _object(
        _CNPG,
        "Cluster",
        {
            "instances": 3,
            "imageName": f"registry.example/postgres:17@{_DIGEST}",
            "affinity": {"podAntiAffinityType": "required"},
            "bootstrap": {"initdb": {"database": "orders", "owner": "orders", "dataChecksums": True}},
            "backup": {"volumeSnapshot": {"className": "snapshots"}},
            "managed": {"roles": [{**_LOG_IN, "superuser": False, "inRoles": ["pg_read_all_data"]}]},
            "monitoring": {"tls": {"enabled": True}},
            "postgresql": {
                "parameters": {"log_connections": "on", "password_encryption": "scram-sha-256"},
                "pg_hba": ["hostssl orders orders_app all scram-sha-256", "host all all all reject"],
                "synchronous": {"method": "any", "number": 1},
            },
            "resources": {
                "requests": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "1Gi"},
                "limits": {"memory": "1Gi", "ephemeral-storage": "1Gi"},
            },
            "storage": {"size": "10Gi"},
        },
    ),
    _object(
        _CNPG,
        "Pooler",
        {
            "cluster": {"name": "orders"},
            "instances": 2,
            "type": "rw",
            "pgbouncer": {
                "poolMode": "transaction",
                "parameters": {"client_tls_sslmode": "require", "server_tls_sslmode": "verify-full"},
                "pg_hba": ["hostssl orders orders_app all scram-sha-256"],
            },
        },
    ),
    _object(_CNPG, "ScheduledBackup", {"cluster": {"name": "orders"}, "schedule": "0 0 * * * *"}),
    _object(
        "barmancloud.cnpg.io/v1",
        "ObjectStore",
        {
            "configuration": {
                "destinationPath": "s3://orders-backups/",
                "endpointURL": "https://objects.example",
                "data": {"encryption": "AES256"},
                "wal": {"encryption": "AES256"},
            },
            "retentionPolicy": "30d",
        },
    ),
    _object(_CNPG, "Database", {"cluster": {"name": "orders"}, "name": "orders", "owner": "orders"}),
)
_EDGE = (
    _object(
        _GATEWAY,
        "Gateway",
        {
            "gatewayClassName": "orders",
            "listeners": [
                {
                    "name": "https",
                    "port": 443,
                    "protocol": "HTTPS",
                    "hostname": "api.example.test",
                    "tls": {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": "orders"}]},
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                }
            ],
        },
    ),
    _object(
        _GATEWAY,
        "HTTPRoute",
        {
            "hostnames": ["api.example.test"],
            "parentRefs": _TO_GATEWAY,
            "rules": [{"backendRefs": [{"name": "orders", "port": 8080}], "timeouts": {"request": "15s"}}],
        },
    ),
    _object(
        _ENVOY,
        "ClientTrafficPolicy",
        {
            "targetRefs": _TO_GATEWAY,
            "tls": {"minVersion": "1.2"},
            "timeout": {"http": {"requestReceivedTimeout": "30s"}},
        },
    ),
    _object(
        _ENVOY,
        "SecurityPolicy",
        {"targetRefs": _TO_GATEWAY, "cors": {"allowOrigins": ["https://www.example.test"]}},
    ),
    _object(_ENVOY, "BackendTrafficPolicy", {"targetRefs": _TO_GATEWAY, "rateLimit": {"local": {"rules": []}}}),
    _object(_ENVOY, "Backend", {"endpoints": [{"fqdn": {"hostname": "db.example.test", "port": 443}}], "tls": {}}),
    {"apiVersion": _ENVOY, "kind": "EnvoyPatchPolicy", "metadata": {"name": "orders", "namespace": "orders"}},
)
_WATCHED = (
    _object(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        {
            "groups": [
                {
                    "rules": [
                        {
                            "alert": "Down",
                            "expr": 'absent(up{job="orders"} == 1)',
                            "annotations": {"runbook_url": "https://example.test"},
                        }
                    ]
                }
            ]
        },
    ),
)
_BACKING = (
    _object(
        "kafka.strimzi.io/v1",
        "Kafka",
        {"kafka": {"listeners": [{"name": "tls", "tls": True, "authentication": {"type": "scram-sha-512"}}]}},
    ),
    _object("kafka.strimzi.io/v1", "KafkaTopic", {"replicas": 3, "config": {"retention.ms": 86_400_000}}),
    _object("k8s.keycloak.org/v2alpha1", "KeycloakRealmImport", {"realm": {"bruteForceProtected": True}}),
)
_SERVERS: tuple[dict[str, Any], ...] = (
    {"kind": "PostgresqlRole", **_LOG_IN, "statementTimeout": 1000, "idleInTransactionSessionTimeout": 1000},
    {"kind": "PostgresqlGrant", "database": "orders", "role": "orders_app", "privileges": ["CONNECT"]},
    {"kind": "PostgresqlGrantRole", "role": "orders_app", "grantRole": "orders_reader"},
    {"kind": "PostgresqlExtension", "database": "orders", "name": "pg_trgm"},
    {"kind": "PostgresqlFunction", "name": "total", "language": "sql", "body": "SELECT 1"},
    {"kind": "PostgresqlSchema", "database": "orders", "name": "orders"},
    {"kind": "PostgresqlServer", "serverName": "stock", "fdwName": "file_fdw"},
    {"kind": "PostgresqlSubscription", "name": "orders", "conninfo": "host=db.example.test sslmode=verify-full"},
    {"kind": "PostgresqlProvider", "host": "db.example.test", "sslmode": "verify-full", "superuser": "false"},
)
_BUILD = {"context": {"location": "."}, "platforms": ["linux/amd64"], "target": "final"}
_OTHERS: tuple[dict[str, Any], ...] = (
    {
        "kind": "Dockerfile",
        "name": "orders",
        "text": f"FROM registry.example/base@{_DIGEST} AS build\nFROM scratch\nCOPY --from=build /a /a\nUSER 65532\n",
    },
    {"kind": "DockerBuildImage", **_BUILD},
    {"kind": "DockerImage", "build": {"context": "."}, "imageName": "registry.example/orders:1"},
    {"kind": "PostgresqlUserMapping", "serverName": "stock", "userName": "orders_app"},
    {"kind": "RandomPassword", "length": 32, "keepers": {"rotation": "1"}},
    {"kind": "RandomString", "length": 6},
)
_CLOUDS: tuple[dict[str, Any], ...] = (
    {
        "kind": "AwsRdsInstance",
        "identifier": "orders",
        "engine": "postgres",
        "backupRetentionPeriod": 7,
        "deletionProtection": True,
        "multiAz": True,
        "publiclyAccessible": False,
        "storageEncrypted": True,
    },
    {
        "kind": "AwsRdsCluster",
        "clusterIdentifier": "orders",
        "backupRetentionPeriod": 7,
        "deletionProtection": True,
        "storageEncrypted": True,
    },
    {"kind": "AwsRdsParameters", "name": "orders", "parameters": [{"name": "rds.force_ssl", "value": "1"}]},
    {
        "kind": "GcpSqlInstance",
        "name": "orders",
        "settings": {
            "availabilityType": "REGIONAL",
            "backupConfiguration": {"enabled": True, "pointInTimeRecoveryEnabled": True},
            "ipConfiguration": {"ipv4Enabled": False, "sslMode": "ENCRYPTED_ONLY"},
        },
    },
    {"kind": "AwsBucket", "bucket": "orders"},
    {"kind": "AwsBucketAcl", "bucket": "orders", "acl": "private"},
    {
        "kind": "AwsBucketBlock",
        "bucket": "orders",
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    },
    {"kind": "AwsBucketVersioning", "bucket": "orders", "versioningConfiguration": {"status": "Enabled"}},
    {
        "kind": "GcpBucket",
        "name": "orders",
        "publicAccessPrevention": "enforced",
        "uniformBucketLevelAccess": True,
        "versioning": {"enabled": True},
    },
    {
        "kind": "GcpBucketAccess",
        "bucket": "orders",
        "role": "roles/storage.objectViewer",
        "member": "user:a@example.test",
    },
    {
        "kind": "AwsSecurityGroup",
        "name": "orders",
        "ingress": [{"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": ["10.0.0.0/16"]}],
    },
    {
        "kind": "AwsMskCluster",
        "clusterName": "orders",
        "clientAuthentication": {"sasl": {"iam": True}},
        "encryptionInfo": {"encryptionInTransit": {"clientBroker": "TLS", "inCluster": True}},
    },
)
PLATFORM_OBJECTS = {
    found["kind"]: found for found in (*_DATABASES, *_EDGE, *_WATCHED, *_BACKING, *_SERVERS, *_OTHERS, *_CLOUDS)
}
"""By the kind that examples name."""
