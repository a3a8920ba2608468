"""Embed faces with dlib's recogniser; run by reidentification.py in an environment of its own.

    python _dlib_embedder.py CROPS.npy EMBEDDINGS.npy X0 Y0 X1 Y1

CROPS is uint8 (n, height, width, 3) RGB, with a face in the given box; EMBEDDINGS becomes float64 (n, 128).
"""

import sys

import dlib
import face_recognition_models as models
import numpy as np

crops = np.load(sys.argv[1])
landmarks = dlib.shape_predictor(models.pose_predictor_five_point_model_location())
recogniser = dlib.face_recognition_model_v1(models.face_recognition_model_location())
x0, y0, x1, y1 = map(int, sys.argv[3:])
face = dlib.rectangle(x0, y0, x1 - 1, y1 - 1)
embeddings = [recogniser.compute_face_descriptor(crop, landmarks(crop, face)) for crop in crops]
np.save(sys.argv[2], np.array(embeddings))
