"""Alerts on the edge, pure. Thresholds and their sources: docs/architecture/gateway.md.

Only counters that exist from a proxy's first moment are used: the controller's own counter of refused configurations
(`xds_nack_total`) appears with the first refusal, which is then no increase.
"""

from omnibase_infra.alert import Alert

_LABELS = {"service": "gateway"}
_CALLERS = 'envoy_http_conn_manager_prefix=~"https?-[0-9]+"'  # probes and readings have listeners of their own
_LEAST_ERRORS = 5  # in five minutes: below that a share means nothing


def gateway_alerts(proxies: str) -> list[Alert]:
    """Alerts on outage, errors, a lost controller and a refused configuration.

    Args:
        proxies: job of the proxies' series.
    """
    down: Alert = {
        "name": "GatewayDown",
        "expr": f'absent(up{{job="{proxies}"}} == 1)',
        "for_seconds": 30,
        "severity": "critical",
        "summary": "No proxy answers: nobody outside reaches a service.",
        "runbook": "gateway-down",
        "labels": _LABELS,
    }
    errors = [_errors(proxies, "critical", 0.1, 60), _errors(proxies, "warning", 0.01, 180)]
    return [down, *errors, _controller(proxies), _rejected(proxies)]


def _errors(proxies: str, severity: str, share: float, seconds: int) -> Alert:
    every = f'envoy_http_downstream_rq_xx{{job="{proxies}",{_CALLERS}}}'
    failed = f'envoy_http_downstream_rq_xx{{job="{proxies}",{_CALLERS},envoy_response_code_class="5"}}'
    return {
        "name": "GatewayErrors",
        "expr": (
            f"sum(rate({failed}[2m])) / sum(rate({every}[2m])) > {share} "
            f"and sum(increase({failed}[5m])) >= {_LEAST_ERRORS}"
        ),
        "for_seconds": seconds,
        "severity": severity,
        "summary": "{{ $value | humanizePercentage }} of the calls from outside fail.",
        "runbook": "gateway-errors",
        "labels": _LABELS,
    }


def _controller(proxies: str) -> Alert:
    return {
        "name": "GatewayControllerGone",
        "expr": f'max by (pod) (envoy_control_plane_connected_state{{job="{proxies}"}}) == 0',
        "for_seconds": 60,
        "severity": "warning",
        "summary": "Proxy {{ $labels.pod }} has no controller: it serves, but no route, key or certificate changes.",
        "runbook": "gateway-controller-gone",
        "labels": _LABELS,
    }


def _rejected(proxies: str) -> Alert:
    counters = ("envoy_listener_manager_lds_update_rejected", "envoy_cluster_manager_cds_update_rejected")
    refused = " + ".join(f'sum by (pod) (increase({counter}{{job="{proxies}"}}[10m]))' for counter in counters)
    return {
        "name": "GatewayConfigurationRejected",
        "expr": f"{refused} > 0",
        "for_seconds": 30,
        "severity": "warning",
        "summary": "Proxy {{ $labels.pod }} refuses its configuration and serves the one before.",
        "runbook": "gateway-configuration-rejected",
        "labels": _LABELS,
    }
