"""The files for deployment agree with the command line and with each other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cvpipe.cli import app

DEPLOY = Path(__file__).parent.parent / "scripts" / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


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
