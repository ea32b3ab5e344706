"""The files for deployment agree with the command line, with each other, and with what Kubernetes and systemd take."""

from __future__ import annotations

import copy
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cvpipe.cli import app
from cvpipe.run.parts import Part
from cvpipe.run.schedule import next_times
from cvpipe.settings import ScheduleSettings

DEPLOY = Path(__file__).parent.parent / "scripts" / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
#: The page on each file.
PAGES = {
    "systemd/cvpipe.timer": "deploy-systemd.md",
    "kubernetes/cronjob.yaml": "deploy-cronjob.md",
    "kubernetes/indexed-job.yaml": "deploy-indexed-job.md",
    "kubernetes/rayjob.yaml": "deploy-rayjob.md",
}


#: What typer's parser raises; typer carries a copy of click, whose own class this is not.
WrongCall = typer.BadParameter.__mro__[1]


def parsed(call: list[str]) -> Any:
    """The context of a call of `cvpipe`, its words after the name, as the real command line takes it."""
    group: Any = typer.main.get_command(app)
    with group.make_context("cvpipe", [], resilient_parsing=True) as context:
        context.resilient_parsing = False  # it was for the want of a command; from here on all must be right
        name, command, rest = group.resolve_command(context, call)
    assert command is not None
    return command.make_context(name, rest)


def calls_in(manifest: Any) -> Iterator[list[str]]:
    """What containers of our image are told to do, and entry points of jobs."""
    if isinstance(manifest, dict):
        if "args" in manifest and str(manifest.get("image", "")).startswith("cvpipe:"):
            yield [str(word) for word in manifest["args"]]
        if "entrypoint" in manifest:
            yield shlex.split(manifest["entrypoint"])[1:]
    for part in manifest.values() if isinstance(manifest, dict) else manifest if isinstance(manifest, list) else ():
        yield from calls_in(part)


def images_in(manifest: Any) -> Iterator[str]:
    if isinstance(manifest, dict):
        yield from [manifest["image"]] if "image" in manifest else []
    for part in manifest.values() if isinstance(manifest, dict) else manifest if isinstance(manifest, list) else ():
        yield from images_in(part)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_what_kubernetes_calls_is_what_the_command_line_takes(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert all({"apiVersion", "kind", "metadata", "spec"} <= set(document) for document in documents)
    calls = list(calls_in(documents))
    assert calls
    for call in calls:
        assert Path(parsed(call).params["workspace"]) == Path("/workspace")


def test_what_systemd_calls_is_what_the_command_line_takes() -> None:
    text = (DEPLOY / "systemd" / "cvpipe.service").read_text(encoding="utf-8")
    (call,) = re.findall(r"^ExecStart=\S+/cvpipe (.+)$", text, re.MULTILINE)
    assert parsed(shlex.split(call)).command.name == "schedule"


def test_what_the_image_does_unless_told_is_a_command() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (call,) = re.findall(r"^CMD (\[.+\])$", text, re.MULTILINE)
    assert parsed(yaml.safe_load(call)).command.name == "doctor"


def test_images_are_those_that_the_dockerfile_names() -> None:
    built = set(re.findall(r"-t (cvpipe:\S+)", (DEPLOY / "Dockerfile").read_text(encoding="utf-8")))
    for path in MANIFESTS:
        assert set(images_in(list(yaml.safe_load_all(path.read_text(encoding="utf-8"))))) <= built, path.name


def test_workers_of_the_ray_job_have_room_for_what_the_run_asks() -> None:
    job = yaml.safe_load((DEPLOY / "kubernetes" / "rayjob.yaml").read_text(encoding="utf-8"))
    (call,) = calls_in(job)
    asked = parsed(call).params
    room = 0
    for group in job["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
        (container,) = group["template"]["spec"]["containers"]
        room += group["replicas"] * (int(container["resources"]["requests"]["cpu"]) // asked["ray_cpus"])
    assert asked["engine"] == "ray"
    assert asked["ray_workers"] == room


@pytest.mark.parametrize("call", [["run", "--engin", "ray"], ["runn"], ["run", "--engine", "spark"]])
def test_a_call_that_the_command_line_refuses_would_be_noticed(call: list[str]) -> None:
    with pytest.raises(WrongCall):
        parsed(call)


#: Versions of Kubernetes against whose schemas the files are held: the oldest that their pages name, and a new one.
KUBERNETES = ("1.29", "1.36")

#: What of a RayJob's and a RayCluster's own fields is used (KubeRay's API reference, 1.2 to 1.6).
RAY_FIELDS = {
    "spec": {"entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "rayClusterSpec"},
    "cluster": {"headGroupSpec", "workerGroupSpecs"},
    "head": {"rayStartParams", "template"},
    "workers": {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"},
}


def manifest(name: str) -> Any:
    return yaml.safe_load((DEPLOY / "kubernetes" / name).read_text(encoding="utf-8"))


def templates_in(part: Any) -> Iterator[Any]:
    """The templates of pods, wherever they stand."""
    if isinstance(part, dict):
        yield from [part["template"]] if "containers" in part.get("template", {}).get("spec", {}) else []
    for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from templates_in(below)


def resources_of(document: Any) -> Iterator[Any]:
    """What Kubernetes itself has a schema of: a document, or the pods of a RayJob."""
    if document["apiVersion"] != "ray.io/v1":
        yield document
        return
    for template in templates_in(document):
        yield {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}, "template": template}


def refused(document: Any, version: str) -> list[str]:
    validate = pytest.importorskip("kubernetes_validate")
    found = []
    for resource in resources_of(document):
        try:
            validate.validate(resource, version, strict=True)
        except validate.ValidationError as error:
            found.append(str(error))
    return found


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_takes_the_files(path: Path, version: str) -> None:
    """No key that its schema lacks, none that it misses, and values of the right types."""
    documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    assert sum(len(list(resources_of(document))) for document in documents) >= 1
    assert [refused(document, version) for document in documents] == [[] for _ in documents]


def _misspelt(job: Any) -> None:
    job["spec"]["completionsMode"] = job["spec"].pop("completionMode")


def _without_image(job: Any) -> None:
    job["spec"]["template"]["spec"]["containers"][0].pop("name")


def _wrong_type(job: Any) -> None:
    job["spec"]["parallelism"] = "four"


@pytest.mark.parametrize("spoil", [_misspelt, _without_image, _wrong_type])
def test_a_file_that_kubernetes_refuses_would_be_noticed(spoil: Callable[[Any], None]) -> None:
    job = copy.deepcopy(manifest("indexed-job.yaml"))
    spoil(job)
    assert refused(job, KUBERNETES[-1])


def test_the_ray_job_has_the_fields_that_kuberay_knows() -> None:
    job = manifest("rayjob.yaml")
    cluster = job["spec"]["rayClusterSpec"]
    assert set(job["spec"]) <= RAY_FIELDS["spec"]
    assert set(cluster) == RAY_FIELDS["cluster"]
    assert set(cluster["headGroupSpec"]) <= RAY_FIELDS["head"]
    for group in cluster["workerGroupSpecs"]:
        assert set(group) <= RAY_FIELDS["workers"]
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for params in (
        cluster["headGroupSpec"]["rayStartParams"],
        *(g["rayStartParams"] for g in cluster["workerGroupSpecs"]),
    ):
        assert all(isinstance(value, str) for value in params.values()), "KubeRay takes text only"


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_pods_mount_what_they_have_and_are_nobody_special(path: Path) -> None:
    found = list(templates_in(yaml.safe_load(path.read_text(encoding="utf-8"))))
    assert found
    for template in found:
        volumes = {volume["name"] for volume in template["spec"]["volumes"]}
        assert template["spec"]["securityContext"]["runAsNonRoot"]
        for container in template["spec"]["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            requested, limit = (container["resources"][kind]["memory"] for kind in ("requests", "limits"))
            assert int(requested.removesuffix("Gi")) <= int(limit.removesuffix("Gi"))


def test_the_indexes_of_the_job_are_the_parts_of_the_run() -> None:
    job = manifest("indexed-job.yaml")["spec"]
    (call,) = calls_in(job)
    wanted = [word.replace("$(JOB_COMPLETION_INDEX)", str(n)) for n in range(job["completions"]) for word in call]
    parts = [Part.parsed(word) for word in wanted if re.fullmatch(r"\d+/\d+", word)]
    assert parts == [Part(n, job["completions"]) for n in range(job["completions"])]
    assert job["completionMode"] == "Indexed"
    assert job["template"]["spec"]["restartPolicy"] == "Never", "else backoffLimitPerIndex is refused"


def test_the_times_of_the_cron_job_are_times() -> None:
    spec = manifest("cronjob.yaml")["spec"]
    times = ScheduleSettings(cron=(spec["schedule"],), time_zone=spec["timeZone"])
    assert [moment.strftime("%H:%M") for moment in next_times(times, 2)] == ["02:00", "02:00"]
    assert spec["concurrencyPolicy"] == "Forbid"


@pytest.mark.parametrize("extra", ["", "Bogus=1\n"])
def test_systemd_takes_the_units(tmp_path: Path, extra: str) -> None:
    """All but that the program is there; a key that it does not know is noticed."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine")
    for unit in ("cvpipe.service", "cvpipe.timer"):
        text = (DEPLOY / "systemd" / unit).read_text(encoding="utf-8")
        here = re.sub(r"^ExecStart=\S+", f"ExecStart={sys.executable}", text, flags=re.MULTILINE)
        (tmp_path / unit).write_text(here + (extra if unit == "cvpipe.service" else ""), encoding="utf-8")
    call = [program, "verify", "--man=no", str(tmp_path / "cvpipe.service"), str(tmp_path / "cvpipe.timer")]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Bogus" in done.stderr) == (0, bool(extra)), done.stderr
    if not extra:
        assert done.stderr == ""


def test_each_file_has_its_page() -> None:
    """Which the index names, and which tells how to start, watch and stop it."""
    docs = DEPLOY.parent.parent / "docs"
    index = (docs / "index.md").read_text(encoding="utf-8")
    for file, page in PAGES.items():
        text = (docs / "how-to" / page).read_text(encoding="utf-8")
        assert f"scripts/deploy/{file}" in text
        assert f"how-to/{page}" in index
        assert {"## What it needs", "## Start", "## Watch", "## Stop", "## When it fails"} <= set(text.splitlines())
