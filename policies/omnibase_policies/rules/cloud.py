"""What a cloud keeps for the stack: managed PostgreSQL, buckets, brokers, and who reaches them (AWS, Google Cloud)."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.addresses import Range, everybody
from omnibase_policies.checks import if_set, is_number, must_not_be_true, required
from omnibase_policies.model import Level, Problem, Severity, missing, resource_rule, undecided
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text, none_of
from omnibase_policies.values import View

_RDS, _RDS_CLUSTER, _RDS_PARAMETERS = "AwsRdsInstance", "AwsRdsCluster", "AwsRdsParameters"
_SQL, _FIREWALL, _BROKER = "GcpSqlInstance", "AwsSecurityGroup", "AwsMskCluster"
_NETWORK = "must be a network of yours"
_EVERYBODY = ("allUsers", "allAuthenticatedUsers")
_WEB_PORTS = (80, 443)
_LEAST_DAYS = 7
_FORCE_TLS = "rds.force_ssl"


@resource_rule(
    "cloud-db-not-public",
    "A managed database has no address on the internet",
    severity=Severity.CRITICAL,
    frameworks=("CIS AWS 2.2.3", "CIS GCP 6.5, 6.6"),
    rationale="A database that everybody reaches is one guessed or leaked password away from everybody.",
    remedy="Set `publiclyAccessible: false`; on Google Cloud a private network, and `ipv4Enabled: false`.",
    bad={"kind": _RDS, "publiclyAccessible": True},
    good={"kind": _RDS, "publiclyAccessible": False},
)
def cloud_db_not_public(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Not `publiclyAccessible`; on Google Cloud `ipv4Enabled` is false, which is not the default."""
    if found.kind == _RDS:
        yield from must_not_be_true(found.view["publiclyAccessible"], "must be false or not set")
    elif found.kind == _SQL:
        address = found.view.at("settings", "ipConfiguration", "ipv4Enabled")
        yield from required(address, lambda value: value is False, "must be set to false")


@resource_rule(
    "cloud-db-encrypted",
    "Disks of a managed database are encrypted",
    severity=Severity.HIGH,
    frameworks=("CIS AWS 2.2.1",),
    rationale="Snapshots and disks leave the machine; without encryption they are readable wherever they end.",
    remedy="Set `storageEncrypted: true`; it cannot be changed later.",
    bad={"kind": _RDS, "storageEncrypted": None},
    good={"kind": _RDS, "storageEncrypted": True},
)
def cloud_db_encrypted(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`storageEncrypted` is true; a copy or a member of a cluster has what its source has."""
    if found.kind in (_RDS, _RDS_CLUSTER) and found.view["replicateSourceDb"].is_absent:
        yield from required(found.view["storageEncrypted"], lambda value: value is True, "must be set to true")


@resource_rule(
    "cloud-db-tls",
    "A managed database takes encrypted connections only",
    severity=Severity.HIGH,
    frameworks=("CIS GCP 6.4",),
    rationale="One client without TLS sends its password in plain text.",
    remedy="Set the parameter `rds.force_ssl` to 1; on Google Cloud `sslMode: ENCRYPTED_ONLY`.",
    bad={"kind": _SQL, "settings.ipConfiguration.sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED"},
    good={"kind": _SQL, "settings.ipConfiguration.sslMode": "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"},
)
def cloud_db_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`sslMode` demands TLS; no parameter group switches `rds.force_ssl` off."""
    if found.kind == _SQL:
        mode = found.view.at("settings", "ipConfiguration", "sslMode")
        yield from required(
            mode,
            lambda value: value in ("ENCRYPTED_ONLY", "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"),
            "must be ENCRYPTED_ONLY or stricter",
        )
    elif found.kind == _RDS_PARAMETERS:
        for each in found.view["parameters"].items():
            if each["name"].value == _FORCE_TLS:
                yield from required(each["value"], lambda value: as_text(value) in ("1", "1.0"), "must be 1")


@resource_rule(
    "cloud-db-backed-up",
    "A managed database keeps backups for a week or more",
    severity=Severity.HIGH,
    frameworks=("CIS GCP 6.7",),
    rationale="Copies repeat a wrong DELETE at once; only a backup brings the rows back.",
    remedy="Set `backupRetentionPeriod: 7`; on Google Cloud `backupConfiguration` with point-in-time recovery.",
    bad={"kind": _RDS, "backupRetentionPeriod": 0},
    good={"kind": _RDS, "backupRetentionPeriod": 30},
)
def cloud_db_backed_up(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`backupRetentionPeriod` is 7 days or more; on Google Cloud both switches of `backupConfiguration` are on."""
    if found.kind in (_RDS, _RDS_CLUSTER) and found.view["replicateSourceDb"].is_absent:
        days = found.view["backupRetentionPeriod"]
        yield from required(
            days, lambda value: is_number(value) and float(as_text(value)) >= _LEAST_DAYS, "must be 7 or more"
        )
    elif found.kind == _SQL and found.view["masterInstanceName"].is_absent:
        backup = found.view.at("settings", "backupConfiguration")
        for name in ("enabled", "pointInTimeRecoveryEnabled"):
            yield from required(backup[name], lambda value: value is True, "must be set to true")


@resource_rule(
    "cloud-db-protected",
    "A managed database is not deleted by mistake",
    severity=Severity.HIGH,
    rationale="A changed name or a removed line of a program replaces or deletes the database with all its rows.",
    remedy="Set `deletionProtection: true`, and remove `skipFinalSnapshot`.",
    bad={"kind": _RDS, "deletionProtection": None},
    good={"kind": _RDS, "deletionProtection": True},
)
def cloud_db_protected(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`deletionProtection` is true (on Google Cloud by default), and a last snapshot is made."""
    protection = found.view["deletionProtection"]
    if found.kind in (_RDS, _RDS_CLUSTER):
        yield from required(protection, lambda value: value is True, "must be set to true")
        yield from must_not_be_true(found.view["skipFinalSnapshot"], "must be false or not set")
    elif found.kind == _SQL:
        yield from if_set(protection, lambda value: value is True, "must be true or not set")


@resource_rule(
    "cloud-db-ha",
    "A managed database survives the loss of a zone",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    rationale="With one zone, its maintenance is an outage of everything.",
    remedy="Set `multiAz: true`; on Google Cloud `availabilityType: REGIONAL`.",
    bad={"kind": _RDS, "multiAz": False},
    good={"kind": _RDS, "multiAz": True},
)
def cloud_db_ha(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`multiAz`, or `availabilityType: REGIONAL`."""
    if found.kind == _RDS and found.view["replicateSourceDb"].is_absent:
        yield from required(found.view["multiAz"], lambda value: value is True, "should be true")
    elif found.kind == _SQL and found.view["masterInstanceName"].is_absent:
        kind = found.view.at("settings", "availabilityType")
        yield from required(kind, lambda value: value == "REGIONAL", "should be REGIONAL")


@resource_rule(
    "cloud-bucket-not-public",
    "A bucket is closed to the public",
    severity=Severity.CRITICAL,
    frameworks=("CIS AWS 2.1.4", "CIS GCP 5.1, 5.2"),
    rationale="Backups are the whole database; an open bucket gives it to whoever finds its name.",
    remedy="Remove public lists and members, switch all four blocks on, or set `publicAccessPrevention: enforced`.",
    bad={"kind": "AwsBucketAcl", "acl": "public-read"},
    good={"kind": "AwsBucketAcl", "acl": "private"},
)
def cloud_bucket_not_public(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No public list or member, no block switched off, and on Google Cloud prevention and one kind of rights."""
    if found.kind in ("AwsBucket", "AwsBucketAcl"):
        yield from if_set(
            found.view["acl"],
            lambda value: not as_text(value).startswith(("public", "authenticated")),
            "must be private",
        )
    elif found.kind == "AwsBucketBlock":
        for name in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
            yield from required(found.view[name], lambda value: value is True, "must be set to true")
    elif found.kind == "GcpBucketAccess":
        for member in (found.view["member"], *found.view["members"].items()):
            yield from if_set(member, none_of(_EVERYBODY), "must be somebody")
    elif found.kind == "GcpBucket":
        prevention = found.view["publicAccessPrevention"]
        yield from required(prevention, lambda value: value == "enforced", "must be enforced")
        uniform = found.view["uniformBucketLevelAccess"]
        yield from required(uniform, lambda value: value is True, "must be set to true")


@resource_rule(
    "cloud-bucket-versioned",
    "A bucket keeps what is overwritten",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    rationale="Who steals a key of the backups deletes them first; older versions outlive that.",
    remedy="Switch versioning on, with a rule that ends old versions.",
    bad={"kind": "GcpBucket", "versioning": None},
    good={"kind": "GcpBucket", "versioning": {"enabled": True}},
)
def cloud_bucket_versioned(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Versioning is on, and not suspended by a resource of its own."""
    if found.kind == "GcpBucket":
        switch = found.view.at("versioning", "enabled")
        yield from required(switch, lambda value: value is True, "should be true")
    elif found.kind == "AwsBucketVersioning":
        status = found.view.at("versioningConfiguration", "status")
        yield from required(status, lambda value: value == "Enabled", "should be Enabled")


@resource_rule(
    "cloud-bucket-kept",
    "A bucket with objects in it is not deleted",
    severity=Severity.HIGH,
    rationale="With `forceDestroy`, a removed line of a program deletes all backups.",
    remedy="Remove `forceDestroy`, and empty a bucket by hand.",
    bad={"kind": "AwsBucket", "forceDestroy": True},
    good={"kind": "AwsBucket", "forceDestroy": False},
)
def cloud_bucket_kept(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`forceDestroy` is false or not set."""
    if found.kind in ("AwsBucket", "GcpBucket"):
        yield from must_not_be_true(found.view["forceDestroy"], "must be false or not set")


@resource_rule(
    "cloud-firewall-closed",
    "Only the web is open to everybody",
    severity=Severity.CRITICAL,
    frameworks=("CIS AWS 5.2, 5.3",),
    rationale="Ports of databases, brokers and consoles are tried by machines within minutes.",
    remedy="Name the networks or groups that need the port; everybody gets 443 at most.",
    bad={"kind": _FIREWALL, "ingress.0.cidrBlocks": ["0.0.0.0/0"]},
    good={"kind": _FIREWALL, "ingress.0.cidrBlocks": ["10.0.0.0/16"]},
)
def cloud_firewall_closed(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No rule of `ingress` opens other ports than 80 and 443 to all addresses."""
    if found.kind != _FIREWALL:
        return
    for rule in found.view["ingress"].items():
        if _opens_the_web_only(rule):
            continue
        for name in ("cidrBlocks", "ipv6CidrBlocks"):
            yield from everybody([Range(each, each) for each in rule[name].items()], rule[name], _NETWORK)


def _opens_the_web_only(rule: View) -> bool:
    first, last = rule["fromPort"].value, rule["toPort"].value
    return (
        is_number(first) and first in _WEB_PORTS and first == last and as_text(rule["protocol"].value) in ("tcp", "6")
    )


@resource_rule(
    "cloud-broker-tls",
    "A managed broker takes encrypted connections of known clients only",
    severity=Severity.HIGH,
    rationale="Events carry what the databases hold; whoever connects without a name reads and writes all topics.",
    remedy="Set `clientBroker: TLS` and `inCluster: true`, switch SASL or TLS of clients on and `unauthenticated` off.",
    bad={"kind": _BROKER, "encryptionInfo.encryptionInTransit.clientBroker": "TLS_PLAINTEXT"},
    good={"kind": _BROKER, "encryptionInfo.encryptionInTransit.clientBroker": "TLS"},
)
def cloud_broker_tls(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`clientBroker` is TLS, `inCluster` not off, `unauthenticated` not on, and a way to prove who one is."""
    if found.kind != _BROKER:
        return
    transit, clients = found.view.at("encryptionInfo", "encryptionInTransit"), found.view["clientAuthentication"]
    yield from if_set(transit["clientBroker"], lambda value: value == "TLS", "must be TLS or not set")
    yield from if_set(transit["inCluster"], lambda value: value is True, "must be true or not set")
    yield from must_not_be_true(clients["unauthenticated"], "must be false or not set")
    if clients.is_unknown:
        yield undecided(clients, "must name a way to log in")
    elif clients["sasl"].is_absent and clients["tls"].is_absent:
        yield missing(clients, "must name a way to log in")


@resource_rule(
    "cloud-db-no-open-network",
    "No network of the whole world is authorised at a managed database",
    severity=Severity.CRITICAL,
    frameworks=("CIS GCP 6.5",),
    rationale="An authorised network of all addresses is none.",
    remedy="Remove it from `authorizedNetworks`.",
    bad={"kind": _SQL, "settings.ipConfiguration.authorizedNetworks": [{"value": "0.0.0.0/0"}]},
    good={"kind": _SQL, "settings.ipConfiguration.authorizedNetworks": [{"value": "192.0.2.0/24"}]},
)
def cloud_db_no_open_network(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No entry of `authorizedNetworks` is the whole world."""
    if found.kind == _SQL:
        networks = found.view.at("settings", "ipConfiguration", "authorizedNetworks")
        yield from everybody([Range(each, each["value"]) for each in networks.items()], networks, _NETWORK)
