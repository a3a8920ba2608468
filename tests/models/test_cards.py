"""Cards are complete, agree with their files, and refuse what is not theirs."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from pydantic import ValidationError

from eyelid.errors import ModelError
from eyelid.models import cards as room
from eyelid.models.cards import WEIGHTS, InputConvention, Measurement, ModelCard, card, cards
from eyelid.types import Target

ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the weights' folder that a test may damage."""
    for name in ("plate.onnx", "plate.json"):
        (tmp_path / name).write_bytes((WEIGHTS / name).read_bytes())
    monkeypatch.setattr(room, "WEIGHTS", tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def _forget_cards() -> Iterator[None]:
    card.cache_clear()
    yield
    card.cache_clear()


def test_every_weight_file_has_a_card_and_every_card_a_file() -> None:
    assert {found.file for found in cards()} == {path.name for path in WEIGHTS.glob("*.onnx")}
    assert {found.name for found in cards()} == {path.stem for path in WEIGHTS.glob("*.json")}


def test_the_shipped_networks_cover_every_target() -> None:
    assert {target for found in cards() for target in found.targets} == set(Target)


def test_the_weights_stay_small() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 30 * MEGABYTE


@pytest.mark.parametrize("found", cards(), ids=lambda found: found.name)
def test_a_card_is_complete(found: ModelCard) -> None:
    network = onnx.load_from_string(found.weights())
    assert found.task
    assert found.targets
    assert found.source
    assert found.source_version
    assert found.licence
    assert found.training_data
    assert (ROOT / found.recipe).is_file()
    described = {name.strip() for line in found.outputs for name in line.split(":")[0].split(",")}
    assert described == {output.name for output in network.graph.output}


@pytest.mark.parametrize("found", cards(), ids=lambda found: found.name)
def test_weights_are_stored_in_half_precision_or_less_and_are_not_inputs(found: ModelCard) -> None:
    network = onnx.load_from_string(found.weights())
    large = [tensor for tensor in network.graph.initializer if np.prod(tensor.dims) >= 64]
    assert large
    assert all(tensor.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.UINT8) for tensor in large)
    assert len(network.graph.input) == 1


def test_an_altered_weight_file_is_refused(folder: Path) -> None:
    data = bytearray((folder / "plate.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "plate.onnx").write_bytes(data)
    with pytest.raises(ModelError, match="reinstall eyelid"):
        card("plate").weights()


def test_a_missing_weight_file_is_refused(folder: Path) -> None:
    (folder / "plate.onnx").unlink()
    with pytest.raises(ModelError, match=r"plate\.onnx cannot be read"):
        card("plate").weights()


@pytest.mark.parametrize("text", ["", "{}", '{"name": "plate"', "[]"])
def test_a_damaged_card_is_refused(folder: Path, text: str) -> None:
    (folder / "plate.json").write_text(text)
    with pytest.raises(ModelError, match="damaged"):
        card("plate")


def test_a_card_under_another_name_is_refused(folder: Path) -> None:
    (folder / "plate.json").rename(folder / "other.json")
    with pytest.raises(ModelError, match="describes 'plate'"):
        card("other")


@pytest.mark.parametrize("name", ["", "unknown", "../plate", "plate.json"])
def test_an_unknown_name_is_refused_and_the_names_are_told(name: str) -> None:
    with pytest.raises(ModelError, match="centerface, dlibface, faceres"):
        card(name)


def test_a_figure_is_added_by_editing_the_json_alone(folder: Path) -> None:
    text = (folder / "plate.json").read_text()
    figure = '{"what": "recall", "value": 0.97, "data": "30 photos", "command": "make bench"}'
    (folder / "plate.json").write_text(text[: text.rindex('"measured"')] + f'"measured": [{figure}]}}')
    assert card("plate").measured == (
        Measurement(what="recall", value=0.97, data="30 photos", command="make bench"),
    )


def test_a_card_refuses_fields_that_it_does_not_know() -> None:
    values = card("plate").model_dump()
    with pytest.raises(ValidationError):
        ModelCard.model_validate(values | {"extra": 1})
    with pytest.raises(ValidationError):
        ModelCard.model_validate(values | {"sha256": "0"})


def test_prepare_orders_channels_and_scales_each_alone() -> None:
    convention = InputConvention(layout="nchw", channels="rgb", mean=(1, 2, 3), scale=(2, 4, 8))
    picture = np.array([[[[30, 20, 10]]]], np.uint8)
    assert convention.prepare(picture).tolist() == [[[[4.5]], [[4.5]], [[27 / 8]]]]
    assert convention.prepare(picture).dtype == np.float32
    plain = InputConvention(layout="nhwc", channels="bgr", mean=(0, 0, 0), scale=(1, 1, 1))
    assert plain.prepare(picture).tolist() == [[[[30, 20, 10]]]]
