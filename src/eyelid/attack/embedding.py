"""The shipped face recogniser as an attacker: as it is, or with a classifier trained on what it sees."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eyelid.attack.attacker import Attacker, Rows, Scores, Training
from eyelid.attack.base import Knowledge
from eyelid.attack.linear import DiscriminantAttacker
from eyelid.attack.nearest import best_of_each
from eyelid.detect.identity import FaceEmbedder
from eyelid.types import RawFrame

if TYPE_CHECKING:
    from eyelid.attack.dataset import Picture, Pictures


class EmbeddingAttacker(Attacker):
    """The person with the most similar embedding: what a recogniser off the shelf does."""

    name = "embedding"
    levels = frozenset({Knowledge.NAIVE, Knowledge.METHOD})
    draws = 1

    def __init__(self) -> None:
        self._embedded: dict[bytes, Rows] = {}

    @cached_property
    def _embedder(self) -> FaceEmbedder:
        return FaceEmbedder(threads=2)

    def features(self, pictures: Pictures) -> Rows:
        """Return embeddings (n, 1024); equal pictures are embedded once, so that they tie exactly."""
        keys = [picture.tobytes() for picture in pictures]
        for key, picture in zip(keys, pictures, strict=True):
            if key not in self._embedded:
                self._embedded[key] = self._embed(picture)
        return np.stack([self._embedded[key] for key in keys])

    def _embed(self, picture: Picture) -> Rows:
        height, width = picture.shape
        colours = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        frame = RawFrame(width, height, (), lambda w, h: np.asarray(cv2.resize(colours, (w, h)), np.uint8))
        return np.asarray(
            self._embedder.embed(frame, np.array([[0, 0, width, height]], np.float32))[0], np.float32
        )

    def scores(self, training: Training, probes: Rows) -> Scores:
        """Return the cosine similarity to the most similar picture of each person."""
        gallery = training.features.mean(axis=1, dtype=np.float64)
        return best_of_each((probes.astype(np.float64) @ gallery.T).round(6), training)


class EmbeddingClassifier(EmbeddingAttacker):
    """Discriminant analysis on the embeddings of pictures treated alike."""

    name = "embedding-retrained"
    levels = frozenset({Knowledge.RETRAINED})

    def scores(self, training: Training, probes: Rows) -> Scores:
        """Return the classifier's scores."""
        return DiscriminantAttacker().scores(training, probes)
