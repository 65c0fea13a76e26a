"""A Deployment as one finds it in many tutorials, with the worst of them together.

    pulumi preview --policy-pack ../../policies --policy-pack-config ../../policies/environments/prod.json

ends with exit code 1 and names each rule that the program breaks. With dev.json the same lines are only advice.
"""

import pulumi
import pulumi_kubernetes as kubernetes

image = pulumi.Config().get("image") or "registry.example/agent:latest"

kubernetes.apps.v1.Deployment(
    "agent",
    metadata={"name": "agent", "namespace": "default"},
    spec={
        "selector": {"matchLabels": {"app": "agent"}},
        "template": {
            "metadata": {"labels": {"app": "agent"}},
            "spec": {
                "hostNetwork": True,
                "volumes": [{"name": "docker", "hostPath": {"path": "/var/run/docker.sock"}}],
                "containers": [
                    {
                        "name": "agent",
                        "image": image,
                        "securityContext": {"privileged": True, "runAsUser": 0},
                        "volumeMounts": [{"name": "docker", "mountPath": "/var/run/docker.sock"}],
                    }
                ],
            },
        },
    },
)
