"""TenSEAL's side of he.py, run by a Python that has TenSEAL: its tutorial's code on the weights given."""

import json
import sys
import time

import numpy as np
import tenseal as ts

data = np.load(sys.argv[1])
context = ts.context(
    ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[31, 26, 26, 26, 26, 26, 26, 31], n_threads=1
)
context.global_scale = 2**26
context.generate_galois_keys()


def one(number):
    x, windows = ts.im2col_encoding(context, data["x"][number, 0].astype(float).tolist(), 7, 7, 3)
    start = time.process_time()
    channels = [
        x.conv2d_im2col(kernel.tolist(), windows) + float(bias)
        for kernel, bias in zip(data["w0"][:, 0], data["b0"], strict=True)
    ]
    y = ts.CKKSVector.pack_vectors(channels)
    y.square_()
    y = y.mm(data["w1"].T.tolist()) + data["b1"].tolist()
    y.square_()
    y = y.mm(data["w2"].T.tolist()) + data["b2"].tolist()
    return time.process_time() - start, np.array(y.decrypt())


def batch(_):
    """Images in slots: the windows of the 3 x 3 convolution taken by the client, as in the tutorial."""
    windows = np.lib.stride_tricks.sliding_window_view(data["x"][:, 0], (3, 3), (1, 2)).reshape(
        len(data["x"]), 36, 9
    )
    x = ts.ckks_tensor(
        context, ts.plain_tensor(windows.astype(float).ravel().tolist(), list(windows.shape)), batch=True
    )

    def plain(values):
        return ts.plain_tensor(np.ascontiguousarray(values).ravel().tolist(), list(values.shape))

    start = time.process_time()
    y = x.mm(plain(data["w0"].reshape(4, 9).T))
    y = y + plain(np.tile(data["b0"], (36, 1)))
    y = y.reshape([1, 144])
    y.square_()
    # The tensor lies pixel by pixel here, where the network's own order is channel by channel.
    order = data["w1"].reshape(-1, 4, 36).transpose(0, 2, 1).reshape(-1, 144)
    y = y.mm(plain(order.T)) + plain(data["b1"][None])
    y.square_()
    y = y.mm(plain(data["w2"].T)) + plain(data["b2"][None])
    return time.process_time() - start, np.array(y.decrypt().tolist()).reshape(len(data["x"]), -1)


for line in sys.stdin:
    seconds, scores = (batch if sys.argv[2] == "batch" else one)(int(line))
    print("RESULT", json.dumps([seconds, scores.tolist()]), flush=True)
