"""Sessions of real parties: the right answer for the named party alone, and none when anything is wrong."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import InferenceError, InputError, UnsupportedError, UsageError
from eyelid.infer import network as net
from eyelid.infer.mpc import certificates, process
from eyelid.infer.onnx_reader import read
from tests.infer.mpc.conftest import chain, every_layer, tiny

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infer.conftest import Digits
    from tests.infer.mpc.conftest import Table

    MakeTable = Callable[[int, net.Network], Table]

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


def test_three_parties_read_digits_as_the_plain_network_does(
    table: MakeTable, digits: Digits, relu_onnx: Path
) -> None:
    network = read(relu_onnx)
    here = table(3, network)
    here.start("model", "helper")
    with here.session("data") as session:
        assert session.protocol == "aby3"
        assert session.input_shape == (1, 28, 28)
        for wrong in (
            np.full((1, 1, 28, 28), np.nan),
            np.full((1, 1, 28, 28), 1.5),
            np.zeros((1, 1, 27, 28)),
        ):
            with pytest.raises(InputError, match="images"):
                session.predict(wrong)
        answers = session.predict(digits.test_images)
    here.wait()
    assert [answer.cost.count for answer in answers] == [256, 104]
    scores = np.concatenate([answer.scores for answer in answers if answer.scores is not None])
    truth = network.run(digits.test_images)
    assert (scores.argmax(1) == truth.argmax(1)).mean() >= 0.995
    assert np.abs(scores - truth).max() < 0.01
    assert all(answer.cost.sent > 0 and answer.cost.received > 0 for answer in answers)
    for other in ("model", "helper"):
        assert [answer.scores for answer in here.answers[other]] == [None, None]
    assert here.errors == {}


def test_two_parties_compute_every_layer_and_say_what_each_costs(table: MakeTable) -> None:
    network = every_layer()
    here = table(2, network)
    here.start("model")
    images = np.random.default_rng(3).random((3, *network.input_shape))
    with here.session("data", profile=True) as session:
        assert session.protocol == "cheetah"
        (answer,) = session.predict(images)
    assert answer.scores is not None
    assert np.abs(answer.scores - network.run(images)).max() < 5e-3
    layers = {layer.name: layer for layer in answer.cost.layers}
    assert list(layers) == [node.name for node in network.nodes]
    assert layers["relu"].rounds > layers["fc"].rounds > 0
    assert layers["conv"].sent > 10_000
    for silent in ("add", "flatten"):
        assert layers[silent].rounds == 0
    assert answer.cost.sent >= sum(layer.sent for layer in layers.values())


def test_three_parties_compute_every_layer_and_the_helper_alone_gets_the_scores(table: MakeTable) -> None:
    network = every_layer()
    here = table(3, network)
    here.peers = here.peers.model_copy(update={"receiver": "helper"})
    here.start("model", "helper")
    images = np.random.default_rng(4).random((2, *network.input_shape)).astype(np.float32)
    with here.session("data") as session:
        (mine,) = session.predict(images[:, ::-1])  # not contiguous
    here.wait()
    (theirs,) = here.answers["helper"]
    assert mine.scores is None
    assert here.answers["model"][0].scores is None
    assert theirs.scores is not None
    assert np.abs(theirs.scores - network.run(images[:, ::-1])).max() < 5e-3


def test_a_killed_party_ends_the_session_and_nobody_has_a_result(table: MakeTable) -> None:
    here = table(3, tiny())
    here.start("model", "helper")
    with here.session("data", silence_s=30.0) as mine:
        assert mine.predict(np.zeros((1, 1, 4, 4)))[0].scores is not None
        os.kill(here.pid("helper"), signal.SIGKILL)
        with pytest.raises(InferenceError, match=r"^helper .* has left .* no result"):
            [mine.predict(np.zeros((1, 1, 4, 4))) for _ in range(1000)]
        with pytest.raises(InferenceError):
            mine.predict(np.zeros((1, 1, 4, 4)))
    here.wait()
    assert "has left" in str(here.errors["model"])
    assert "SIGKILL" in str(here.errors["helper"])


def test_a_party_started_at_real_time_priority_gives_it_back(table: MakeTable) -> None:
    here = table(2, tiny())

    def take_part() -> None:
        with suppress(PermissionError):  # of this thread alone; its children inherit it
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        real_time.append(os.sched_getscheduler(0) == os.SCHED_FIFO)
        here._take_part("model", {})

    real_time: list[bool] = []
    model = threading.Thread(target=take_part)
    model.start()
    with here.session("data") as session:
        assert session.predict(np.zeros((1, 1, 4, 4)))[0].scores is not None
        threads = [int(task.name) for task in Path(f"/proc/{here.pid('model')}/task").iterdir()]
        policies = set()
        for thread in threads:
            with suppress(ProcessLookupError):  # it has ended since it was listed
                policies.add(os.sched_getscheduler(thread))
    model.join()
    if not real_time[0]:
        pytest.skip("only root can take real-time priority")
    assert policies == {os.SCHED_OTHER}


def test_the_end_waits_for_no_party_without_a_limit(table: MakeTable) -> None:
    here = table(3, tiny())
    here.start("model", "helper")
    session = here.session("data").__enter__()
    assert session.predict(np.zeros((1, 1, 4, 4)))[0].scores is not None
    os.kill(here.pid("helper"), signal.SIGSTOP)  # it neither leaves nor answers
    end = threading.Thread(target=session.__exit__, args=(None, None, None), daemon=True)
    end.start()
    end.join(30)
    hangs = end.is_alive()
    os.kill(here.pid("helper"), signal.SIGKILL)
    end.join(30)
    here.wait()
    assert not hangs
    assert "model" not in here.errors, "the model's owner heard of the end"
    assert "SIGKILL" in str(here.errors["helper"])


def test_a_party_with_a_wrong_certificate_is_refused(table: MakeTable, tmp_path: Path) -> None:
    here = table(2, tiny())
    certificates.make("model", tmp_path / "other.pem", tmp_path / "model.key")
    true, _ = here.peers.party
    forged = true.model_copy(update={"certificate": tmp_path / "other.pem"})
    honest = here.peers
    here.peers = honest.model_copy(update={"party": (forged, honest.party[1])})
    here.start("model", key=tmp_path / "model.key", connect_s=12.0)
    here.peers = honest
    with pytest.raises(InferenceError, match=r"model .* another certificate"), here.session("data"):
        pass
    here.wait()
    assert isinstance(here.errors["model"], InferenceError)
    assert here.answers == {}


def test_a_party_cannot_pass_for_another_of_the_same_session(table: MakeTable) -> None:
    """The helper, whose certificate all know, answers at the address of the model's owner."""
    here = table(3, tiny())
    model, data, helper = here.peers.party
    honest = here.peers
    posing = model.model_copy(update={"certificate": helper.certificate})
    here.peers = honest.model_copy(update={"party": (posing, data, helper)})
    here.start("model", key=here.folder / "helper.key", connect_s=12.0)
    here.peers = honest
    here.start("helper", connect_s=12.0)
    with pytest.raises(InferenceError, match=r"model .* another certificate"), here.session("data"):
        pass
    here.wait()
    assert here.answers == {}


def test_a_party_that_is_not_there_is_named(table: MakeTable) -> None:
    here = table(2, tiny())
    with pytest.raises(InferenceError, match=r"model \(127.0.0.1:\d+\) does not answer"):
        here.session("data", connect_s=1.0).__enter__()


def test_a_taken_port_is_named(table: MakeTable) -> None:
    here = table(2, tiny())
    host, _, port = here.peers.party[1].address.rpartition(":")
    with (
        socket.create_server((host, int(port))),
        pytest.raises(UsageError, match=r":\d+ of data is taken"),
    ):
        here.session("data", connect_s=1.0).__enter__()


def test_other_peers_are_noticed(table: MakeTable) -> None:
    here = table(2, tiny())
    here.start("model")
    here.peers = here.peers.model_copy(update={"receiver": "model"})
    with pytest.raises(InferenceError, match="model has another peers"):
        here.session("data").__enter__()
    here.wait()
    assert isinstance(here.errors["model"], InferenceError)


def test_roles_are_kept(table: MakeTable) -> None:
    here = table(2, tiny())
    with pytest.raises(UsageError, match="--model"):
        here.session("model", network=None)
    with pytest.raises(UsageError, match="must not have the model"):
        here.session("data", network=tiny())
    with pytest.raises(UsageError, match="profile"):
        here.session("model", profile=True)
    with pytest.raises(UsageError, match="brings images"):
        here.session("model").predict(np.zeros((1, 1, 4, 4)))
    with pytest.raises(UsageError, match="with"):
        here.session("data").predict(np.zeros((1, 1, 4, 4)))


def test_weights_that_do_not_fit_are_named(table: MakeTable) -> None:
    huge = chain(
        (1, 2, 2), ("flatten", net.Flatten()), ("big", net.Linear(np.full((2, 4), 1e9), np.zeros(2)))
    )
    with pytest.raises(UnsupportedError, match="weights of big"):
        table(2, huge).session("model")


def test_no_thread_of_a_session_stays() -> None:
    assert [thread.name for thread in threading.enumerate() if "_take_part" in thread.name] == []


STUMBLES = """
import ctypes, threading
from party.main import Party
compute = Party._compute
def stumbling(self, count):
    threading.Thread(target=lambda: ctypes.CDLL(None).exit(-1), daemon=True).start()  # as SPU does
    return compute(self, count)
Party._compute = stumbling
main()
"""


def test_a_result_outlasts_what_spu_could_not_confirm_to_one_that_left(
    table: MakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOAD", process.LOAD.removesuffix("main()\n") + STUMBLES)
    here = table(3, tiny())
    here.start("model", "helper")
    with here.session("data") as session:
        (answer,) = session.predict(np.zeros((1, 1, 4, 4)))
    here.wait()
    assert answer.scores is not None
    assert here.errors == {}
