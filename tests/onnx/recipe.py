"""Makes the files of this folder: small Fashion-MNIST networks quantised by other tools, as those tools write them.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.13.0 onnx==1.23.2 onnxruntime==1.31.0 brevitas==0.13.4 onnxoptimizer==0.4.2
    /tmp/venv/bin/python tests/onnx/recipe.py [FILE...]

The tests read the files, not this script; it is here so that anyone can make them again. Images are pixel / 255, [N, 1, 28, 28].
"""

import gzip
import pathlib
import sys
import tempfile

import numpy as np
import torch
from torch import nn

DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")
HERE = pathlib.Path(__file__).parent


def images(part):
    with gzip.open(DATA / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(DATA / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(pixels.astype(np.float32) / 255), torch.from_numpy(labels.astype(np.int64))


def train(network, epochs, rate, seed=1):
    x, y = images("train")
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate)
    steps = epochs * (len(x) // 128)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    network.train()
    for epoch in range(epochs):
        order = torch.randperm(len(x))[: len(x) // 128 * 128].reshape(-1, 128)
        for batch in order:
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1}/{epochs}: {accuracy(network):.4f} on the test images", flush=True)
        network.train()
    return network.eval()


def accuracy(network):
    x, y = images("t10k")
    network.eval()
    with torch.no_grad():
        return (torch.cat([network(part).argmax(1) for part in x.split(500)]) == y).float().mean().item()


def block(channels_in, channels_out, kernel=1, stride=1, groups=1, activation=nn.ReLU6):
    layers = [
        nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


class Residual(nn.Module):
    def __init__(self, channels, kernel, activation):
        super().__init__()
        wide = 2 * channels
        self.inner = nn.Sequential(
            block(channels, wide),
            block(wide, wide, kernel, groups=wide),
            block(wide, channels, activation=None),
        )
        self.activation = activation() if activation else nn.Identity()

    def forward(self, x):
        return self.activation(x + self.inner(x))


def float_network():
    """Every kind of layer that the importer knows: depthwise, grouped, residuals with and without ReLU, two dense layers."""
    return nn.Sequential(
        block(1, 12, 3, 2, activation=nn.ReLU),
        block(12, 12, 5, groups=12),
        block(12, 16, activation=None),
        Residual(16, 3, None),
        block(16, 24, 3, 2, groups=4, activation=nn.ReLU),
        Residual(24, 3, nn.ReLU),
        block(24, 48),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(48, 32),
        nn.ReLU(),
        nn.Linear(32, 10),
    )


def small_network():
    """Three convolutions and a classifier that sees the whole image."""
    return nn.Sequential(
        block(1, 8, 3, 2, activation=nn.ReLU),
        block(8, 8, 3, 2, groups=8),
        block(8, 16),
        nn.Flatten(),
        nn.Linear(16 * 49, 10),
    )


def onnxruntime_small():
    """The small network through ONNX Runtime's static quantiser as it comes."""
    quantise(train(small_network(), epochs=3, rate=0.01), {"ort-small.onnx": PER_CHANNEL})


def onnxruntime_static():
    """The float network through ONNX Runtime's own static quantiser, in two settings."""
    files = {"ort-per-channel.onnx": PER_CHANNEL, "ort-symmetric.onnx": SYMMETRIC}
    quantise(train(float_network(), epochs=6, rate=0.01), files)


# Settings of the quantiser: its defaults with one scale for each channel; and all zero points 0, with one scale for each tensor.
PER_CHANNEL = {"per_channel": True, "activation_type": "QUInt8"}
SYMMETRIC = {"per_channel": False, "activation_type": "QInt8", "extra_options": {"ActivationSymmetric": True}}


def quantise(network, files):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    calibration = images("train")[0][:512].numpy()

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.batches = iter(np.array_split(calibration, 16))

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {"image": batch}

    with tempfile.TemporaryDirectory() as folder:
        plain, prepared = f"{folder}/plain.onnx", f"{folder}/prepared.onnx"
        names = {"input_names": ["image"], "output_names": ["scores"]}
        batch = {"image": {0: "N"}, "scores": {0: "N"}}
        sample = torch.zeros(2, 1, 28, 28)
        torch.onnx.export(network, (sample,), plain, dynamo=False, opset_version=17, dynamic_axes=batch, **names)
        quant_pre_process(plain, prepared)
        for file, settings in files.items():
            quantize_static(
                prepared,
                HERE / file,
                Reader(),
                quant_format=QuantFormat.QDQ,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                **{**settings, "activation_type": QuantType[settings["activation_type"]]},
            )


def brevitas_network():
    """4-bit weights and 8-bit activations, trained with Brevitas and exported as QDQ with Clip."""
    import brevitas.nn as qnn
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Int32Bias, Uint8ActPerTensorFloat
    from brevitas.export import export_onnx_qcdq

    def convolution(channels_in, channels_out, kernel=1, stride=1, groups=1, bits=4):
        return nn.Sequential(
            qnn.QuantConv2d(
                channels_in, channels_out, kernel, stride, kernel // 2, groups=groups,
                weight_quant=Int8WeightPerChannelFloat, weight_bit_width=bits, bias_quant=Int32Bias,
            ),
            qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, return_quant_tensor=True),
        )

    network = nn.Sequential(
        qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, return_quant_tensor=True),
        convolution(1, 12, 3, 2, bits=8),
        convolution(12, 12, 3, groups=12),
        convolution(12, 24, bits=4),
        convolution(24, 24, 3, 2, groups=24, bits=5),
        convolution(24, 32, bits=4),
        nn.Flatten(),
        qnn.QuantLinear(
            32 * 49, 10, bias=True, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=6, bias_quant=Int32Bias,
        ),
    )
    network = train(network, epochs=4, rate=0.003)
    export_onnx_qcdq(network, torch.zeros(1, 1, 28, 28), export_path=str(HERE / "brevitas.onnx"), opset_version=17, dynamo=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for make in (onnxruntime_small, onnxruntime_static, brevitas_network):
        if not sys.argv[1:] or make.__name__ in sys.argv[1:]:
            make()
