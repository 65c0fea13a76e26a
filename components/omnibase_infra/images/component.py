"""HardenedImage: one image of ours, built from its directory and known by its digest."""

from typing import Any

import pulumi

from omnibase_infra.docker_objects import IMAGE, docker_child
from omnibase_infra.errors import refuse
from omnibase_infra.images.args import HardenedImageArgs
from omnibase_infra.images.checks import problems
from omnibase_infra.pinned import checked_image

_PLATFORM = "linux/amd64"


class HardenedImage(pulumi.ComponentResource):
    """An image built by the Docker engine of the provider, pushed to its registry and referred to by its digest.

    Built with the engine's classic builder, which every engine has; a change of any file of the context, of a base or
    of an argument builds it anew. A preview builds nothing. The provider is the caller's: pass it in `opts.providers`.

    Makes: Image. Deleting it leaves the image in the registry, where other environments may run it.

    Raises:
        ArgsError: a repository without registry, tag `latest`, the whole project as context, a base without digest, a
            credential as build argument; all problems together.
    """

    reference: pulumi.Output[str]
    """`repository@sha256:<digest>`, known when it is pushed."""

    def __init__(self, name: str, args: HardenedImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("HardenedImage", name, problems(args))
        recorded: dict[str, Any] = {**args}
        if "password" in args:
            recorded["password"] = pulumi.Output.secret(args["password"])
        super().__init__("omnibase-infra:index:HardenedImage", name, recorded, opts)
        image = docker_child(self, f"{name}-image", IMAGE, _inputs(name, args))
        reference = image.output("repoDigest").apply(str)
        self.reference = checked_image("HardenedImage", name, reference)
        self.register_outputs({"reference": self.reference})


def _inputs(name: str, args: HardenedImageArgs) -> dict[str, Any]:
    bases = {key: checked_image("HardenedImage", name, base) for key, base in args.get("bases", {}).items()}
    registry: dict[str, Any] = {"server": args["repository"].partition("/")[0]}
    if "username" in args:
        registry["username"] = args["username"]
    if "password" in args:
        registry["password"] = pulumi.Output.secret(args["password"])
    build: dict[str, Any] = {
        "context": args["context"],
        "dockerfile": args.get("dockerfile", f"{args['context'].rstrip('/')}/Dockerfile"),
        "builderVersion": "BuilderV1",
        "platform": args.get("platform", _PLATFORM),
    }
    arguments = {**args.get("build_args", {}), **bases}
    if arguments:
        build["args"] = arguments
    if "target" in args:
        build["target"] = args["target"]
    return {
        "imageName": f"{args['repository']}:{args['tag']}",
        "build": build,
        "registry": registry,
        "skipPush": False,
        "buildOnPreview": False,
    }
