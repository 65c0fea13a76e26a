"""Kinds and names from type tokens, URNs and objects."""

from __future__ import annotations

import pytest

from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.gvk import Kind


@pytest.mark.parametrize(
    ("token", "api_version", "kind"),
    [
        ("kubernetes:core/v1:Pod", "v1", "Pod"),
        ("kubernetes:apps/v1:Deployment", "apps/v1", "Deployment"),
        ("kubernetes:rbac.authorization.k8s.io/v1:Role", "rbac.authorization.k8s.io/v1", "Role"),
        ("kubernetes:rbac.authorization/v1:Role", "rbac.authorization.k8s.io/v1", "Role"),
        ("kubernetes:apps/v1:DeploymentPatch", "apps/v1", "Deployment"),
        ("kubernetes:postgresql.cnpg.io/v1:Cluster", "postgresql.cnpg.io/v1", "Cluster"),
        ("kubernetes:example.test/v1:DogPatch", "example.test/v1", "DogPatch"),
    ],
)
def test_a_token_gives_api_version_and_kind(token: str, api_version: str, kind: str) -> None:
    found = gvk.of_token(token)
    assert (found.api_version, found.kind) == (api_version, kind)


@pytest.mark.parametrize("token", ["kubernetes:helm.sh/v3", "docker:index:Image", "kubernetes:yaml:ConfigFile"])
def test_other_tokens_are_refused(token: str) -> None:
    with pytest.raises(ValueError, match="not of the form"):
        gvk.of_token(token)


def test_the_core_group_has_two_spellings() -> None:
    assert gvk.of_object({"apiVersion": "core/v1", "kind": "Pod"}) == gvk.of_object({"apiVersion": "v1", "kind": "Pod"})


def test_patches_and_lists_are_told_from_kinds_that_only_sound_like_them() -> None:
    head = "urn:pulumi:dev::p::kubernetes:"
    assert gvk.is_patch(f"{head}apps/v1:DeploymentPatch::x", {"apiVersion": "apps/v1", "kind": "Deployment"})
    assert not gvk.is_patch(f"{head}example.test/v1:DogPatch::x", {"apiVersion": "example.test/v1", "kind": "DogPatch"})
    assert gvk.is_list(f"{head}core/v1:PodList::x")
    assert not gvk.is_list(f"{head}example.test/v1:AllowList::x")


def test_identities_hold_the_namespace_only_where_there_is_one() -> None:
    assert gvk.identity({"metadata": {"name": "a", "namespace": "n"}}) == "n/a"
    assert gvk.identity({"metadata": {"name": "a"}}) == "a"
    assert gvk.parse_identity("n/a") == ("n", "a")
    assert gvk.parse_identity("a") == ("", "a")


def test_without_a_server_only_known_kinds_are_cluster_wide() -> None:
    assert not Kind("", "v1", "Namespace").likely_namespaced
    assert Kind("", "v1", "Pod").likely_namespaced
    assert Kind("example.test", "v1", "Namespace").likely_namespaced
