"""Who may talk to whom."""

from omnibase_infra.network.alerts import PART_OF_LABEL, network_alerts
from omnibase_infra.network.flow import NetworkFlow, NetworkFlowArgs
from omnibase_infra.network.party import Party, party_problems
from omnibase_infra.network.policies import DNS, default_deny, dns_egress

__all__ = [
    "DNS",
    "PART_OF_LABEL",
    "NetworkFlow",
    "NetworkFlowArgs",
    "Party",
    "default_deny",
    "dns_egress",
    "network_alerts",
    "party_problems",
]
