"""Gateway: the edge of one stack."""

from typing import Any

import pulumi

from omnibase_infra.errors import ArgsError, refuse
from omnibase_infra.gateway import names, policy_spec, proxy_spec
from omnibase_infra.gateway.args import GatewayArgs
from omnibase_infra.gateway.checks import gateway_problems
from omnibase_infra.gateway.keys import key_problems
from omnibase_infra.network import NetworkFlow
from omnibase_infra.objects import KubernetesObject, child


class Gateway(pulumi.ComponentResource):
    """Envoy proxies that let in whoever has an API key, over TLS, to the routes of the namespace.

    Always: TLS 1.2 or newer, an API key on every call, a rate limit for each client, security headers on every reply,
    a JSON access log with correlation id, limits on headers, bodies, connections and time, breakers and ejection.

    Makes: EnvoyProxy, Gateway, ClientTrafficPolicy, SecurityPolicy, BackendTrafficPolicy, and the flows from callers to
    the proxies. The proxies themselves are made by GatewayController, which must serve the namespace.

    Raises:
        ArgsError: a host outside of the certificate, a rate limit of 0, sizes that cannot work; API keys that are too
            short, guessable or used twice (as soon as they are known, in a preview too).
    """

    address: pulumi.Output[str]
    """Address of the proxies; port 443."""
    gateway: pulumi.Output[str]
    """Name of the Gateway object, known once all policies are in force."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("Gateway", name, gateway_problems(name, args))
        inputs: dict[str, Any] = {key: value for key, value in args.items() if key != "keys"}
        super().__init__("omnibase-infra:index:Gateway", name, inputs, opts)
        self._flows(name, args)
        # Policies first: a listener without them would serve for a moment without limits and headers.
        proxy = child(self, f"{name}-proxy", proxy_spec.envoy_proxy(name, args))
        made = child(self, f"{name}-gateway", proxy_spec.gateway(name, args), depends_on=[proxy])
        policies = self._policies(name, args, made)
        self.address = made.status.apply(proxy_spec.address)
        self.gateway = pulumi.Output.all(*(policy.urn for policy in policies)).apply(lambda _: name)
        self.register_outputs({"address": self.address, "gateway": self.gateway})

    def _policies(self, name: str, args: GatewayArgs, gateway: KubernetesObject) -> list[KubernetesObject]:
        secret = _checked(name, args)
        manifests = {
            "clients": policy_spec.clients(name, args),
            "security": policy_spec.security(name, args, secret),
            "backends": policy_spec.backends(name, args),
        }
        return [child(self, f"{name}-{role}", manifest, depends_on=[gateway]) for role, manifest in manifests.items()]

    def _flows(self, name: str, args: GatewayArgs) -> None:
        proxies = names.proxies(name, args["namespace"])
        for source in args["accepts_from"]:
            flow = f"{name}-from-{source['name'].lower().replace(' ', '-')}"
            NetworkFlow(
                flow,
                {"source": source, "destination": proxies, "ports": [names.PROXY_PORT]},
                pulumi.ResourceOptions(parent=self),
            )


def _checked(name: str, args: GatewayArgs) -> pulumi.Output[str]:
    """The keys' Secret, once its contents are known to be good."""

    def check(found: dict[str, Any]) -> str:
        problems = key_problems(found["keys"])
        if problems:
            raise ArgsError("Gateway", name, problems)
        return str(found["secret"])

    # the name of a Secret is none, and as one it would hide the policy from whoever reads a preview
    both = pulumi.Output.all(keys=pulumi.Output.all(**args["keys"]), secret=args["keys_secret"])
    return pulumi.Output.unsecret(both.apply(check))
