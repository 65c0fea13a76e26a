"""Resources beyond Kubernetes that rules judge, and the kinds by which the rules know them."""

from __future__ import annotations

from collections.abc import Mapping

_DOCKER = {
    "docker:index/container:Container": "DockerContainer",
    "docker:index/image:Image": "DockerImage",
    "docker:index/registryImage:RegistryImage": "DockerRegistryImage",
    "docker:index/remoteImage:RemoteImage": "DockerRemoteImage",
    "docker-build:index:Image": "DockerBuildImage",
    "pulumi:providers:docker": "DockerProvider",
}
_POSTGRESQL = {
    "postgresql:index/defaultPrivileg:DefaultPrivileg": "PostgresqlDefaultPrivileges",  # its older name
    "postgresql:index/defaultPrivileges:DefaultPrivileges": "PostgresqlDefaultPrivileges",
    "postgresql:index/database:Database": "PostgresqlDatabase",
    "postgresql:index/extension:Extension": "PostgresqlExtension",
    "postgresql:index/function:Function": "PostgresqlFunction",
    "postgresql:index/grant:Grant": "PostgresqlGrant",
    "postgresql:index/grantRole:GrantRole": "PostgresqlGrantRole",
    "postgresql:index/publication:Publication": "PostgresqlPublication",
    "postgresql:index/role:Role": "PostgresqlRole",
    "postgresql:index/schema:Schema": "PostgresqlSchema",
    "postgresql:index/server:Server": "PostgresqlServer",
    "postgresql:index/subscription:Subscription": "PostgresqlSubscription",
    "postgresql:index/userMapping:UserMapping": "PostgresqlUserMapping",
    "pulumi:providers:postgresql": "PostgresqlProvider",
}
_AWS = {
    "aws:ec2/securityGroup:SecurityGroup": "AwsSecurityGroup",
    "aws:msk/cluster:Cluster": "AwsMskCluster",
    "aws:rds/cluster:Cluster": "AwsRdsCluster",
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": "AwsRdsParameters",
    "aws:rds/instance:Instance": "AwsRdsInstance",
    "aws:rds/parameterGroup:ParameterGroup": "AwsRdsParameters",
    "aws:s3/bucket:Bucket": "AwsBucket",
    "aws:s3/bucketAcl:BucketAcl": "AwsBucketAcl",
    "aws:s3/bucketAclV2:BucketAclV2": "AwsBucketAcl",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "AwsBucketBlock",
    "aws:s3/bucketV2:BucketV2": "AwsBucket",
    "aws:s3/bucketVersioning:BucketVersioning": "AwsBucketVersioning",
    "aws:s3/bucketVersioningV2:BucketVersioningV2": "AwsBucketVersioning",
}
_GCP = {
    "gcp:sql/databaseInstance:DatabaseInstance": "GcpSqlInstance",
    "gcp:storage/bucket:Bucket": "GcpBucket",
    "gcp:storage/bucketIAMBinding:BucketIAMBinding": "GcpBucketAccess",
    "gcp:storage/bucketIAMMember:BucketIAMMember": "GcpBucketAccess",
}
STACK = "pulumi:pulumi:Stack"
_OTHERS = {
    STACK: "PulumiStack",
    "keycloak:index/realm:Realm": "KeycloakRealm",
    "pulumi:providers:kubernetes": "KubernetesProvider",
    "random:index/randomPassword:RandomPassword": "RandomPassword",
    "random:index/randomString:RandomString": "RandomString",
}
RESOURCE_KINDS: Mapping[str, str] = {**_DOCKER, **_POSTGRESQL, **_AWS, **_GCP, **_OTHERS}
"""Pulumi's type -> the kind that rules, examples and waivers name."""
DOCKERFILE = "Dockerfile"
"""No resource of a stack: a file that `ops policy check` reads."""
KINDS_OF_RESOURCES = frozenset({DOCKERFILE, *RESOURCE_KINDS.values()})
_KUBERNETES = "kubernetes:"


def is_judged(token: str) -> bool:
    """Whether any rule looks at resources of this type."""
    return token.startswith(_KUBERNETES) or token in RESOURCE_KINDS
