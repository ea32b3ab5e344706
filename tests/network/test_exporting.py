"""A bundle for other programs: the graph answers as torch does, from pixels to probabilities, at any size."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cvpipe.errors import BundleError, UsageError
from cvpipe.network.bundle import checked_settings, golden_tiles, load_bundle, read_module
from cvpipe.network.exporting import Answering, Distance, asked, export_onnx
from cvpipe.network.graph_files import Graph, Measured, note

Tiles = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def answering(released: Path) -> Answering:
    return Answering(read_module(released), checked_settings(released)[0])


def noise(side: int, *, count: int = 1) -> Tiles:
    one, other = np.random.default_rng(side).integers(0, 256, (2, count, side, 2 * side, 3), dtype=np.uint8)
    return one, other


def test_a_graph_holds_scaling_and_calibration(answering: Answering, released: Path) -> None:
    tiles = noise(64)
    own = load_bundle(released, device="cpu").predict(*tiles)
    off = Distance.of(asked(answering, tiles), [own.surface_before, own.surface_after, own.change])
    assert off.mean < 0.01, "the network in use may compute in bfloat16"


def test_a_distance_says_how_far_two_answers_lie_apart() -> None:
    one = [np.array([[[[0.9]], [[0.1]]]])] * 2 + [np.array([[[[0.5]], [[0.2]]]])]
    other = [np.array([[[[0.9]], [[0.1]]]]), np.array([[[[0.4]], [[0.6]]]]), np.array([[[[0.5]], [[0.6]]]])]
    found = Distance.of(one, other)
    assert [found.mean, found.largest, found.other_surfaces] == pytest.approx([0.2, 0.4, 0.5])
    assert not found.sound
    assert Distance.of(one, one).sound
    assert not Distance(float("nan"), 0.0, 0.0).sound


class TestOnnx:
    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
        pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

    def test_a_runtime_answers_as_torch_does_at_sizes_it_was_not_traced_with(
        self, answering: Answering, released: Path, tmp_path: Path
    ) -> None:
        import onnxruntime

        off = export_onnx(answering, tmp_path / "n.onnx", golden_tiles(released))
        assert off.largest < 1e-4
        session = onnxruntime.InferenceSession(tmp_path / "n.onnx", providers=["CPUExecutionProvider"])
        for tiles in (noise(32), noise(96, count=2)):
            found = session.run(None, {"before": tiles[0], "after": tiles[1]})
            assert Distance.of(found, asked(answering, tiles)).largest < 1e-4

    def test_a_graph_that_answers_otherwise_is_not_left_behind(
        self, answering: Answering, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cvpipe.network.exporting.EXPORTED", -1.0)
        with pytest.raises(BundleError, match="answers otherwise"):
            export_onnx(answering, tmp_path / "n.onnx", golden_tiles(released))
        assert list(tmp_path.iterdir()) == []


def test_a_missing_library_names_the_extra(
    answering: Answering, released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"needs the package onnxruntime.*cvpipe\[onnx\]"):
        export_onnx(answering, tmp_path / "n.onnx", golden_tiles(released))


OFF = Distance(0.001, 0.02, 0.002)


@pytest.fixture(scope="module")
def graph(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a float graph for OpenVINO beside it; not to be altered."""
    pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    from cvpipe.network import openvino_engine as engine

    folder = Path(shutil.copytree(released, tmp_path_factory.mktemp("exported") / "tiny"))
    settings, digest = checked_settings(folder)
    model = engine.translated(Answering(read_module(folder), settings))
    assert engine.write_graph(model, folder, digest, Measured(OFF, 10.0, 5.0), int8=False) == digest
    return folder


class TestOpenVino:
    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("openvino", reason="the extra `openvino` is not installed")

    @pytest.fixture
    def exported(self, graph: Path, tmp_path: Path) -> Path:
        """A copy of it, to be damaged."""
        return Path(shutil.copytree(graph, tmp_path / "exported"))

    def test_nothing_is_reported_to_anybody(self) -> None:
        """In a process of its own: what was imported before cannot be taken back."""
        code = (
            "from cvpipe.network.exporting import needed\n"
            "needed('openvino', 'openvino')\n"
            "from openvino.tools.ovc import telemetry_utils\n"
            "print(telemetry_utils.tm.__name__)"
        )
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert told.stdout.strip() == "openvino.tools.ovc.telemetry_stub"

    def test_the_engine_answers_as_torch_does_with_the_same_digest(self, bundle: Path) -> None:
        tiles = noise(33)
        own = load_bundle(bundle, device="cpu", runtime="torch")
        other = load_bundle(bundle, device="cpu", runtime="openvino")
        assert other.digest == own.digest
        assert (other.thresholds, other.min_area_m2, other.gsd_m) == (own.thresholds, own.min_area_m2, own.gsd_m)
        assert other.predict(*tiles).change.shape == (1, 2, 33, 66)
        assert np.abs(other.predict(*tiles).change - own.predict(*tiles).change).mean() < 0.01

    def test_what_runs_it_is_told(self, bundle: Path, graph: Path) -> None:
        found = load_bundle(bundle, "cpu", "openvino")
        assert (found.runtime, type(found).__name__) == ("openvino", "OpenVinoNetwork")
        assert found.runs_on == "OpenVINO on the processor, as asked, from the bundle's weights"
        assert "0.0010 in probability with 0.20% other surfaces" in load_bundle(graph, "cpu", "openvino").runs_on
        with pytest.raises(UsageError, match="no such runtime 'abacus'"):
            load_bundle(bundle, runtime="abacus")

    @pytest.mark.parametrize(
        ("torch_ms", "int8", "taken"), [(20.0, False, True), (5.0, False, False), (20.0, True, False)]
    )
    def test_auto_takes_a_graph_that_answers_alike_and_was_measured_faster(
        self, exported: Path, torch_ms: float, int8: bool, taken: bool
    ) -> None:
        digest = checked_settings(exported)[1]
        note(exported, digest, Measured(OFF, torch_ms, 10.0), int8=int8)
        found = load_bundle(exported, "cpu")
        assert found.runtime == ("openvino" if taken else "torch")
        assert found.digest == digest
        assert "off torch by 0.0010" in found.runs_on
        if not taken:
            assert found.runs_on.startswith("torch on the processor in ")

    def test_auto_is_torch_where_there_is_no_graph_of_this_bundle(self, bundle: Path, exported: Path) -> None:
        told = json.loads((exported / "openvino.json").read_text())
        (exported / "openvino.json").write_text(json.dumps({**told, "bundle": "0" * 64}))
        assert [load_bundle(folder, "cpu").runtime for folder in (bundle, exported)] == ["torch", "torch"]

    def test_the_exported_graph_is_what_runs(self, graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr("cvpipe.network.openvino_engine.translated")
        assert load_bundle(graph, runtime="openvino").digest == load_bundle(graph, runtime="torch").digest

    def test_cuda_is_not_for_openvino(self, bundle: Path) -> None:
        with pytest.raises(UsageError, match="runs on the processor"):
            load_bundle(bundle, device="cuda", runtime="openvino")

    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            ("exchanged", "damaged or were exchanged"),
            ("other bundle", "made from another bundle"),
            ("no note", "nothing tells"),
        ],
    )
    def test_a_graph_that_is_not_this_bundles_is_refused(self, exported: Path, damage: str, reason: str) -> None:
        note = exported / "openvino.json"
        if damage == "exchanged":
            (exported / "openvino.bin").write_bytes((exported / "openvino.bin").read_bytes()[:-4] + b"\0\0\0\1")
        elif damage == "other bundle":
            note.write_text(json.dumps({**json.loads(note.read_text()), "bundle": "0" * 64}))
        else:
            note.unlink()
        with pytest.raises(BundleError, match=reason):
            load_bundle(exported, runtime="openvino")
        assert load_bundle(exported, runtime="torch"), "the bundle itself is sound"

    def test_int8_has_a_digest_of_its_own(self, bundle: Path) -> None:
        pytest.importorskip("nncf", reason="the extra `openvino` is not installed")
        from cvpipe.network import openvino_engine as engine

        settings, digest = checked_settings(bundle)
        answering = Answering(read_module(bundle), settings)
        model = engine.quantised(engine.translated(answering), [noise(64), noise(32)])
        own = engine.write_graph(model, bundle, digest, Measured(OFF, 10.0, 5.0), int8=True)
        assert own != digest
        assert json.loads((bundle / "openvino.json").read_text())["precision"] == "int8"
        assert Graph.read(bundle, digest).digest == own
