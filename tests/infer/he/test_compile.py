from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import InferenceError, InputError
from eyelid.infer.he import layout
from eyelid.infer.he.artefact import Artefact, Target
from eyelid.infer.he.compile import compile as compiled
from eyelid.infer.he.evaluate import Evaluator
from eyelid.infer.he.lowering import lower
from eyelid.infer.he.report import report
from eyelid.infer.network import Convolution, Flatten, Linear, Network, Node, Polynomial, Square, output_shape
from eyelid.infer.onnx_reader import read
from tests.infer.networks import OnnxBuilder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from seal import Ciphertext

    from eyelid.infer.network import Operation
    from tests.infer.conftest import Digits

seal = pytest.importorskip("seal", reason="needs SEAL: pip install 'eyelid[he]'")


class Client:
    """Keys, encryption and decryption for one artefact, as short as a test needs them."""

    def __init__(self, artefact: Artefact) -> None:
        self.manifest = artefact.manifest
        context = self.manifest.scheme.context
        keys = seal.KeyGenerator(context)
        self.relinearisation, self.rotation = keys.create_relin_keys(), seal.GaloisKeys()
        if self.manifest.rotation_steps:
            keys.create_galois_keys(list(self.manifest.rotation_steps), self.rotation)
        self.encryptor = seal.Encryptor(context, keys.secret_key())
        self.decryptor = seal.Decryptor(context, keys.secret_key())
        self.encoder = seal.CKKSEncoder(context)

    def encrypt(self, images: NDArray[np.float32]) -> list[Ciphertext]:
        slots = layout.encode(images, self.manifest)
        return [
            self.encryptor.encrypt_symmetric(self.encoder.encode(values, self.manifest.scale))
            for values in slots
        ]

    def infer(self, evaluator: Evaluator, images: NDArray[np.float32]) -> NDArray[np.float64]:
        answer = evaluator.run(self.encrypt(images), self.relinearisation, self.rotation)
        slots = [self.encoder.decode(self.decryptor.decrypt(item)) for item in answer]
        return layout.decode(slots, self.manifest, len(images))


def chain(shape: tuple[int, int, int], *operations: Operation) -> Network:
    nodes, last, size = [], "input", tuple(shape)
    for number, operation in enumerate(operations):
        size = output_shape(operation, size)
        nodes.append(Node(f"layer{number}", operation, (last,), size))
        last = f"layer{number}"
    return Network(shape, tuple(nodes), "0" * 64)


def conv(
    rng: np.random.Generator, out: int, inner: int, size: int, stride: int = 1, pad: int = 0
) -> Convolution:
    weight = rng.standard_normal((out, inner, size, size)) / (inner * size * size) ** 0.5
    return Convolution(weight, rng.standard_normal(out) * 0.1, (stride, stride), (pad,) * 4)


def linear(rng: np.random.Generator, out: int, inner: int) -> Linear:
    return Linear(rng.standard_normal((out, inner)) / inner**0.5, rng.standard_normal(out) * 0.1)


def test_the_tutorial_network_from_one_raw_image(tutorial_onnx: Path, digits: Digits) -> None:
    network = read(tutorial_onnx)
    artefact = Artefact.load(compiled(network, digits.train_images[:100]).save())
    manifest = artefact.manifest
    assert manifest.input_ciphertexts == manifest.output_ciphertexts == 1
    assert manifest.scheme.degree == 8192
    assert len(manifest.rotation_steps) <= 16
    client, evaluator = Client(artefact), Evaluator(artefact)
    truth = network.run(digits.test_images[:6])
    found = np.concatenate([client.infer(evaluator, digits.test_images[i : i + 1]) for i in range(6)])
    assert np.abs(found - truth).max() < 0.01 * np.abs(truth).max()
    assert found.argmax(1).tolist() == truth.argmax(1).tolist()


def test_the_answer_holds_the_scores_alone(tutorial_onnx: Path, digits: Digits) -> None:
    artefact = compiled(read(tutorial_onnx), digits.train_images[:50])
    client, evaluator = Client(artefact), Evaluator(artefact)
    (answer,) = evaluator.run(client.encrypt(digits.test_images[:1]), client.relinearisation, client.rotation)
    slots = client.encoder.decode(client.decryptor.decrypt(answer)).reshape(-1, 16)
    assert np.abs(slots - slots[0]).max() < 0.5  # the scores over and over
    assert np.abs(slots[:, 10:]).max() < 0.5  # and nothing else


def test_rectifiers_become_fitted_parabolas(relu_onnx: Path, digits: Digits) -> None:
    network = read(relu_onnx)
    artefact = compiled(network, digits.train_images[:200])
    assert all((stage.record.fit_error or 0) > 0 for stage in artefact.stages if stage.record.squares)
    poly = lower(network, digits.train_images[:200].astype(np.float64))[1]
    client, evaluator = Client(artefact), Evaluator(artefact)
    truth = poly.run(digits.test_images[:2])
    found = np.concatenate([client.infer(evaluator, digits.test_images[i : i + 1]) for i in range(2)])
    assert np.abs(found - truth).max() < 0.02 * np.abs(truth).max()
    same = poly.run(digits.test_images).argmax(1) == network.run(digits.test_images).argmax(1)
    assert same.mean() > 0.97


def shapes(rng: np.random.Generator) -> list[tuple[Operation, ...]]:
    return [
        (conv(rng, 3, 2, 3, 1, 1), Square(), conv(rng, 5, 3, 3, 2, 1), Square(), linear(rng, 4, 80)),
        (conv(rng, 4, 2, 2, 2), Square(), linear(rng, 3, 64)),
        (conv(rng, 1, 2, 5), Square(), linear(rng, 9, 16)),
        # 70 planes in two ciphertexts
        (conv(rng, 70, 2, 1), Square(), conv(rng, 2, 70, 1), Square(), linear(rng, 3, 128)),
        (linear(rng, 7, 128), Square(), linear(rng, 20, 7), Square(), linear(rng, 2, 20)),
    ]


@pytest.mark.parametrize("number", range(5))
def test_other_shapes(number: int, rng: np.random.Generator) -> None:
    operations = shapes(rng)[number]
    parts: list[Operation] = []
    for operation in operations:
        if isinstance(operation, Linear) and not any(isinstance(part, Flatten) for part in parts):
            parts.append(Flatten())
        parts.append(operation)
    network = chain((2, 8, 8), *parts)
    images = rng.random((8, 2, 8, 8)).astype(np.float32)
    artefact = compiled(network, images)
    found, truth = Client(artefact).infer(Evaluator(artefact), images[:1]), network.run(images[:1])
    assert np.abs(found - truth).max() < 0.02 * max(1.0, np.abs(truth).max())


def test_batch_norm_pooling_and_residuals(tmp_path: Path, rng: np.random.Generator) -> None:
    build = OnnxBuilder((1, 8, 8))

    def weights(*shape: int) -> NDArray[np.float32]:
        return (rng.standard_normal(shape) / np.prod(shape[1:]) ** 0.5).astype(np.float32)

    build.add("Conv", "first", "image", weights(4, 1, 3, 3), pads=[1, 1, 1, 1])
    norm = [(rng.random(4) + 0.5).astype(np.float32) for _ in range(4)]
    build.add("BatchNormalization", "norm", build.last, *norm)
    build.add("Mul", "square1", build.last, build.last)
    trunk = build.last
    build.add("Conv", "second", trunk, weights(4, 4, 3, 3), pads=[1, 1, 1, 1])
    build.add("Mul", "square2", build.last, build.last)
    build.add("Conv", "third", build.last, weights(4, 4, 3, 3), pads=[1, 1, 1, 1])
    build.add("Add", "join", build.last, trunk)
    build.add("Mul", "square3", build.last, build.last)
    build.add("AveragePool", "pool", build.last, kernel_shape=[2, 2], strides=[2, 2])
    build.add("Flatten", "flat")
    build.add("Gemm", "scores", build.last, weights(3, 64), transB=1)
    network = read(build.save(tmp_path / "residual.onnx"))
    images = rng.random((8, 1, 8, 8)).astype(np.float32)
    artefact = compiled(network, images)
    assert artefact.stages[2].record.sources == (1, 0)  # aligned over two levels
    found, truth = Client(artefact).infer(Evaluator(artefact), images[:1]), network.run(images[:1])
    assert np.abs(found - truth).max() < 0.02 * max(1.0, np.abs(truth).max())


def test_images_in_slots(small_digits: Digits, rng: np.random.Generator) -> None:
    network = chain((1, 8, 8), conv(rng, 2, 1, 3, 2), Square(), *flat_linear(rng, 5, 18))
    images = small_digits.test_images[:100]
    artefact = compiled(network, images, Target.THROUGHPUT)
    assert artefact.manifest.images == 4096
    assert artefact.manifest.rotation_steps == ()
    found = Client(artefact).infer(Evaluator(artefact), images)
    assert np.abs(found - network.run(images)).max() < 1e-3


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_answers_of_any_size(size: float, rng: np.random.Generator) -> None:
    last = linear(rng, 3, 32)
    network = chain(
        (1, 6, 6), conv(rng, 2, 1, 3), Square(), Flatten(), Linear(last.weight * size, last.bias * size)
    )
    images = rng.random((4, 1, 6, 6)).astype(np.float32)
    for target in Target:
        artefact = compiled(network, images, target)
        found, truth = Client(artefact).infer(Evaluator(artefact), images[:1]), network.run(images[:1])
        assert np.abs(found - truth).max() < 0.02 * max(size, 0.01)


def flat_linear(rng: np.random.Generator, out: int, inner: int) -> tuple[Operation, ...]:
    return Flatten(), linear(rng, out, inner)


def test_too_deep_names_the_layer_and_the_levels(rng: np.random.Generator) -> None:
    layers: list[Operation] = []
    for _ in range(20):
        layers += [conv(rng, 1, 1, 1), Polynomial((0.0, 1.0, 0.01))]
    network = chain((1, 4, 4), *layers, *flat_linear(rng, 2, 16))
    with pytest.raises(InferenceError, match=r"^layer\d+ needs \d+ more levels"):
        compiled(network, rng.random((4, 1, 4, 4)))


def test_values_without_bounds_name_the_layer(rng: np.random.Generator) -> None:
    squares: list[Operation] = [Square() for _ in range(12)]
    network = chain((1, 4, 4), conv(rng, 1, 1, 1), *squares, *flat_linear(rng, 2, 16))
    with pytest.raises(InferenceError, match=r"^layer\d+ grows beyond all bounds"):
        compiled(network, np.full((1, 1, 4, 4), 1e3))


def test_too_large_an_image_is_refused(rng: np.random.Generator) -> None:
    network = chain((3, 128, 128), conv(rng, 1, 3, 3, 8), Square(), *flat_linear(rng, 2, 256))
    with pytest.raises(InferenceError, match="make the input smaller"):
        compiled(network, rng.random((1, 3, 128, 128)))


def test_a_damaged_artefact_is_refused(tutorial_onnx: Path, digits: Digits) -> None:
    data = compiled(read(tutorial_onnx), digits.train_images[:4]).save()
    directory = data.rindex(b"PK\x01\x02")
    flags = bytearray(data)
    flags[directory + 8] |= 1  # "encrypted"
    method = bytearray(data)
    method[directory + 10] = 77
    for bad in (b"", b"PK", data[: len(data) // 2], data[:-1], bytes(flags), bytes(method)):
        with pytest.raises(InputError, match="damaged"):
            Artefact.load(bad)


def test_a_request_of_the_wrong_form_is_refused(tutorial_onnx: Path, digits: Digits) -> None:
    artefact = compiled(read(tutorial_onnx), digits.train_images[:4])
    client, evaluator = Client(artefact), Evaluator(artefact)
    (ciphertext,) = client.encrypt(digits.test_images[:1])
    with pytest.raises(InputError, match="instead of 1"):
        evaluator.run([ciphertext, ciphertext], client.relinearisation, client.rotation)
    ciphertext.scale(2.0**20)
    with pytest.raises(InputError, match="not encrypted as the manifest says"):
        evaluator.run([ciphertext], client.relinearisation, client.rotation)
    with pytest.raises(InputError, match="1 to 1 images"):
        client.encrypt(digits.test_images[:2])


@pytest.mark.parametrize("target", list(Target))
def test_the_precision_of_the_report_is_that_of_the_answers(
    small_digits: Digits, target: Target, rng: np.random.Generator
) -> None:
    network = chain(
        (1, 8, 8), conv(rng, 4, 1, 3, 1), Square(), *flat_linear(rng, 32, 144), Square(), linear(rng, 10, 32)
    )
    images = small_digits.test_images[:40]
    artefact = compiled(network, images, target)
    client, evaluator = Client(artefact), Evaluator(artefact)
    parts = [images] if target is Target.THROUGHPUT else [images[n : n + 1] for n in range(len(images))]
    found, truth = np.concatenate([client.infer(evaluator, part) for part in parts]), network.run(images)
    measured = np.log2(np.abs(truth).max() / np.sqrt(np.mean((found - truth) ** 2)))
    assert abs(report(artefact).layers[-1].precision_bits - measured) < 2


def test_the_report_names_every_layer(tutorial_onnx: Path, digits: Digits) -> None:
    artefact = compiled(read(tutorial_onnx), digits.train_images[:50])
    found = report(artefact)
    assert [layer.name for layer in found.layers] == ["conv1", "fc1", "fc2"]
    assert [layer.level for layer in found.layers] == [3, 2, 1]
    assert min(layer.headroom_bits for layer in found.layers) > 0.9
    assert found.rotation_keys == len(artefact.manifest.rotation_steps)
    assert sum(found.modulus_bits) <= 218
    assert found.request_mb < 0.5
    assert found.keys_mb < 60
    assert "fc1" in str(found)
