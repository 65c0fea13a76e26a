"""Component host: `pulumi package add ./components` starts it. Platform is the project's own whole and not hosted."""

from pulumi.provider.experimental import component_provider_host

from omnibase_infra.hosted import HOSTED, NAME, VERSION

if __name__ == "__main__":
    component_provider_host(components=HOSTED, name=NAME, version=VERSION)
