"""What Kubernetes is given: every object fits its schema, and every pod is locked down, probed and bounded."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from ace.config import load_settings

OVERLAYS = Path(__file__).parents[2] / "deploy" / "k8s" / "overlays"
STAGES = ("shadow", "staging", "production")
KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not on this machine")
stages = pytest.mark.parametrize("stage", STAGES)


@cache
def objects(stage: str) -> list[dict[str, Any]]:
    done = subprocess.run([str(KUBECTL), "kustomize", str(OVERLAYS / stage)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def kind(stage: str, wanted: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects(stage) if one["kind"] == wanted}


def pods(stage: str) -> dict[str, dict[str, Any]]:
    """The pod spec of everything that runs."""
    running = kind(stage, "Deployment") | kind(stage, "Job")
    return {name: one["spec"]["template"]["spec"] for name, one in running.items()}


@stages
def test_every_object_fits_its_schema(stage: str) -> None:
    for one in objects(stage):
        kubernetes_validate.validate(one, "1.34", strict=True)


@stages
def test_every_pod_is_locked_down_and_bounded(stage: str) -> None:
    assert set(pods(stage)) == {"ace-app", "ace-reflector", "ace-embeddings", "ace-migrate"}
    for pod in pods(stage).values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] in kind(stage, "ServiceAccount")
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
            assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}


@stages
def test_every_service_is_probed(stage: str) -> None:
    for name, pod in pods(stage).items():
        if name != "ace-migrate":
            assert {"livenessProbe", "readinessProbe"} <= pod["containers"][0].keys()
    app = pods(stage)["ace-app"]["containers"][0]
    assert app["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert app["readinessProbe"]["httpGet"]["path"] == "/readyz"


@stages
def test_a_roll_out_never_serves_less_and_can_be_undone(stage: str) -> None:
    app = kind(stage, "Deployment")["ace-app"]["spec"]
    assert app["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert app["revisionHistoryLimit"] >= 2
    assert "replicas" not in app, "the autoscaler decides; applying must not reset it"
    assert app["template"]["metadata"]["labels"]["app"] == "ace-app"
    assert not [one for one in objects(stage) if one["kind"] == "CronJob"]
    assert "initContainers" not in app["template"]["spec"], "an old release must not run old migrations"


@stages
def test_selectors_name_pods_there_are(stage: str) -> None:
    labels = [one["spec"]["template"]["metadata"]["labels"]
              for one in (kind(stage, "Deployment") | kind(stage, "Job")).values()]  # fmt: skip
    budgets = [one["spec"]["selector"]["matchLabels"] for one in kind(stage, "PodDisruptionBudget").values()]
    services = [one["spec"]["selector"] for one in kind(stage, "Service").values()]
    for wanted in [*budgets, *services, {"app.kubernetes.io/part-of": "ace-playbook"}]:
        assert any(wanted.items() <= have.items() for have in labels), wanted
    scaled = kind(stage, "HorizontalPodAutoscaler")["ace-app"]["spec"]
    assert scaled["scaleTargetRef"]["name"] in kind(stage, "Deployment")
    assert scaled["minReplicas"] <= scaled["maxReplicas"]


@stages
def test_settings_are_ones_the_code_reads(stage: str) -> None:
    (config,) = kind(stage, "ConfigMap").values()
    given = {key.removeprefix("ACE_").lower(): value for key, value in config["data"].items()}
    settings = load_settings(**given)
    assert settings.env == stage
    assert settings.model_dump().keys() >= given.keys()


@stages
def test_the_migration_can_be_applied_by_itself_with_what_it_needs(stage: str) -> None:
    part = "app.kubernetes.io/component"
    first = {one["kind"] for one in objects(stage) if one["metadata"]["labels"][part] in ("config", "migration")}
    assert first == {"Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy", "Job"}
    assert {one["metadata"].get("namespace", f"ace-{stage}") for one in objects(stage)} == {f"ace-{stage}"}
