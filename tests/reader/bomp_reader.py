"""A second reader of BOMP blobs, version 1, written from runtime/FORMAT.md alone; no code is shared with the runtime.

`bomp_reader.py FOLDER` runs every FOLDER/NAME.bomp on the images in FOLDER/NAME.inputs (int8, elements in the order height,
width, channel, one image after the other) and writes their logits to FOLDER/NAME.python (int32, little-endian).

Everything that FORMAT.md says a reader refuses is refused here, by a FormatError. The layers run in an arena laid out as the
blob says, in which scratch is overwritten with noise, so that a placement that is not sound shows in the logits.
"""

import struct
import sys
import zlib
from pathlib import Path

import numpy as np

CONVOLUTION, DEPTHWISE, ADD, POOL, CLASSIFIER = range(5)
HEADER, RECORD, CHANNEL, FINE = 36, 20, 6, 2


class FormatError(Exception):
    """The bytes are not a blob of version 1."""


def need(condition, what):
    if not condition:
        raise FormatError(what)


class Tensor:
    def __init__(self, shape, zero_point, offset):
        self.shape, self.zero_point, self.offset = shape, zero_point, offset
        self.size = shape[0] * shape[1] * shape[2]
        need(self.size <= 1 << 28, "a tensor is too large")

    @property
    def end(self):
        return self.offset + self.size


class Layer:
    """One record with its data; `index` counts from 0."""

    def __init__(self, index, record, tensors):
        (kind_bits, kernel, padding, self.stride, zero_point, self.low, self.high, self.shift, source, source_b,
         height, width, channels, offset) = struct.unpack("<BBBBbbbBBBHHHI", record)
        self.index, self.kind, self.wide, self.bits = index, kind_bits & 7, kind_bits >> 3 & 1, kind_bits >> 4
        need(self.kind <= CLASSIFIER and not (self.wide and self.kind in (ADD, POOL)), "kind")
        self.kernel = (kernel & 15, kernel >> 4)
        self.padding = (padding & 15, padding >> 4)
        need(source <= index and source_b <= index, "source")
        self.inputs = [index - source] + ([index - source_b] if self.kind == ADD else [])
        need(self.kind == ADD or source_b == 0, "source_b")
        need(self.low <= self.high, "min")
        need(min(height, width, channels) >= 1, "output shape")
        self.output = Tensor((height, width, channels), zero_point, offset)
        self.input = tensors[self.inputs[0]]
        self.check_geometry(tensors)

    def check_geometry(self, tensors):
        in_h, in_w, in_c = self.input.shape
        out_h, out_w, out_c = self.output.shape
        weighted = self.kind in (CONVOLUTION, DEPTHWISE, CLASSIFIER)
        need(4 <= self.bits <= 8 if weighted else self.bits == 0, "bits")
        need(1 <= self.shift <= ((33 if self.wide else 47) if weighted else 61), "shift")
        if self.kind in (CONVOLUTION, DEPTHWISE):
            need(min(self.kernel) >= 1, "kernel")
            need(1 <= self.stride <= 15, "stride")
            need(self.padding[0] < self.kernel[0] and self.padding[1] < self.kernel[1], "padding")
            need((out_h - 1) * self.stride < in_h + self.padding[0], "output height")
            need((out_w - 1) * self.stride < in_w + self.padding[1], "output width")
        else:
            need(self.kernel == (0, 0) and self.padding == (0, 0) and self.stride == 0, "kernel of another kind")
        area = self.kernel[0] * self.kernel[1]
        self.fan_in = {CONVOLUTION: area * in_c, DEPTHWISE: area, CLASSIFIER: self.input.size}.get(self.kind, 0)
        need(self.fan_in <= 65535, "fan-in")
        if self.kind == DEPTHWISE:
            need(out_c == in_c, "channels")
        if self.kind == ADD:
            need(all(tensors[i].shape == self.output.shape for i in self.inputs), "shape of an add")
        if self.kind == POOL:
            need(self.output.shape == (1, 1, in_c) and in_h * in_w <= 65535, "shape of a pool")
        if self.kind == CLASSIFIER:
            need((out_h, out_w) == (1, 1), "shape of the classifier")
            fields = (self.output.zero_point, self.low, self.high, self.output.offset)
            need(fields == (0, 0, 0, 0), "classifier")

    def take_data(self, data):
        """Reads this layer's data from the start of `data`; returns the rest."""
        if self.kind in (ADD, POOL):
            length = 8 if self.kind == ADD else 4
            need(len(data) >= length, "data end early")
            self.factors = struct.unpack("<%di" % (length // 4), data[:length])
            need(min(self.factors) >= 0, "factor")
            return data[length:]
        channels = self.output.shape[2]
        packed = (channels * self.fan_in * self.bits + 7) // 8
        table, fine = channels * CHANNEL, channels * FINE * self.wide
        need(len(data) >= table + fine + packed, "data end early")
        records = np.frombuffer(data[:table], np.dtype([("bias", "<i4"), ("multiplier", "<u2")]))
        self.bias = records["bias"].astype(np.int64)
        need(np.all(np.abs(self.bias) <= 1 << 30), "bias")
        multiplier = records["multiplier"].astype(np.int64)
        self.mantissa = 4096 + (multiplier & 4095)
        self.shifts = self.shift + (multiplier >> 12)
        if self.wide:
            more = np.frombuffer(data[table:][:fine], "<u2").astype(np.int64)
            need(np.all(more < 8192), "fine")
            self.mantissa = self.mantissa * 8192 + more
            self.shifts = self.shifts + 13
        stream = np.frombuffer(data[table + fine:][:packed], np.uint8)
        digits = np.unpackbits(stream, bitorder="little")[: channels * self.fan_in * self.bits]
        codes = digits.reshape(-1, self.bits).astype(np.int64) @ (1 << np.arange(self.bits))
        self.weights = (codes - (1 << (self.bits - 1))).reshape(channels, self.fan_in)
        return data[table + fine + packed:]

    def in_place(self):
        return self.kind != CLASSIFIER and self.input.offset == self.output.offset

    def may_be_in_place(self):
        smaller = self.output.shape[0] <= self.input.shape[0] and self.output.shape[1] <= self.input.shape[1]
        return self.kind == ADD or (self.kind == DEPTHWISE and smaller)

    def scratch_words(self):
        """Section "Arena", the table of scratch. `up` divides and rounds up."""
        (_, in_w, in_c), (out_h, out_w, out_c), n = self.input.shape, self.output.shape, self.fan_in
        if self.kind == CONVOLUTION:
            q, quads = up(n, 4), up(out_c, 4)
            t = 13 + 8 * q
            if n == in_c > 1 and self.stride == 1 and self.output.shape[:2] == self.input.shape[:2]:
                return t + (q if n % 4 else 0)
            groups = min(max(280 // t, 1), quads)
            pixels = min(max(64 // q, 1), out_w)
            return groups * t + pixels * q
        if self.kind == DEPTHWISE:
            (kernel_h, kernel_w), stride = self.kernel, self.stride
            unit = 1 if stride == 1 else 0
            pairs = up(kernel_w + unit, 2)
            width = (out_w - 1) // 2 * stride + pairs + (0 if unit else up(stride, 2))
            rows = min((out_h - 1) * stride + kernel_h, max(kernel_h + 4, 192 // width))
            words = 14 + kernel_h * pairs * (1 + unit) + rows * width
            return max(words, up(kernel_h * in_w, 4)) if self.in_place() else words
        if self.kind == CLASSIFIER:
            return 4 * up(min(n, 256), 8)
        return 0

    def saturate(self, value):
        return np.clip(self.output.zero_point + value, self.low, self.high)

    def run(self, operands):
        """The output of the operands, int64 [height, width, channel] each; [classes] of the classifier."""
        x = operands[0]
        if self.kind == ADD:
            a, b = (value - tensor.zero_point for value, tensor in zip(operands, self.operands))
            return self.saturate(halves_up(a * self.factors[0] + b * self.factors[1], self.shift))
        if self.kind == POOL:
            total = (x - self.input.zero_point).sum((0, 1), keepdims=True)
            return self.saturate(halves_up(total * self.factors[0], self.shift))
        if self.kind == CLASSIFIER:
            logits = halves_up((self.bias + self.weights @ x.ravel()) * self.mantissa, self.shifts)
            return np.clip(logits, -(1 << 31), (1 << 31) - 1)
        total = np.zeros(self.output.shape, np.int64) + self.bias
        for row in range(self.kernel[0]):
            for column in range(self.kernel[1]):
                taps = self.taps(x, row, column)
                position = row * self.kernel[1] + column
                if self.kind == DEPTHWISE:
                    total += taps * self.weights[:, position]
                else:
                    first = position * x.shape[2]
                    total += taps @ self.weights[:, first:first + x.shape[2]].T
        return self.saturate(halves_up(total * self.mantissa, self.shifts))

    def taps(self, x, row, column):
        """What kernel position (`row`, `column`) sees for each output position; the zero point beside the image."""
        rows = np.arange(self.output.shape[0]) * self.stride + row - self.padding[0]
        columns = np.arange(self.output.shape[1]) * self.stride + column - self.padding[1]
        inside = ((rows >= 0) & (rows < x.shape[0]))[:, None] & ((columns >= 0) & (columns < x.shape[1]))
        seen = x[np.clip(rows, 0, x.shape[0] - 1)][:, np.clip(columns, 0, x.shape[1] - 1)]
        return np.where(inside[..., None], seen, self.input.zero_point)


def up(a, b):
    return -(-a // b)


def halves_up(value, shift):
    """floor(value / 2^shift + 1/2)."""
    return (value + (np.int64(1) << (shift - 1))) >> shift


class Blob:
    """A checked blob."""

    def __init__(self, data):
        need(len(data) >= HEADER + 4, "too short")
        (magic, version, count, total, self.arena_size, input_offset, height, width, channels, zero_point, reserved,
         _, _) = struct.unpack("<4sHHIIIHHHbBff", data[:HEADER])
        need(magic == b"BOMP", "magic")
        need(version == 1, "version")
        need(total == len(data) <= 1 << 28, "length")
        need(zlib.crc32(data[:-4]) == struct.unpack("<I", data[-4:])[0], "checksum")
        need(1 <= count <= 1024 and reserved == 0, "header")
        need(min(height, width, channels) >= 1, "input shape")
        self.tensors = [Tensor((height, width, channels), zero_point, input_offset)]
        self.layers = []
        rest = data[HEADER:-4]
        need(len(rest) >= count * RECORD, "layer table")
        records, rest = rest[: count * RECORD], rest[count * RECORD:]
        for index in range(count):
            layer = Layer(index, records[index * RECORD:][:RECORD], self.tensors)
            layer.operands = [self.tensors[i] for i in layer.inputs]
            need((layer.kind == CLASSIFIER) == (index == count - 1), "the last layer is the only classifier")
            rest = layer.take_data(rest)
            self.layers.append(layer)
            self.tensors.append(layer.output)
        need(not rest, "trailing data")
        self.check_arena()

    def check_arena(self):
        last = {i: layer.index for layer in self.layers for i in layer.inputs}
        for i, tensor in enumerate(self.tensors[:-1]):
            need(i in last, "tensor %d is never read" % i)
            need(tensor.end <= self.arena_size, "tensor %d lies outside the arena" % i)
        for layer in self.layers:
            first = range(layer.index + 1)
            live = [self.tensors[i] for i in first if i in last and last[i] >= layer.index]
            dying = [self.tensors[i] for i in layer.inputs if last[i] == layer.index]
            if layer.kind != CLASSIFIER:
                output = layer.output
                for tensor in live:
                    apart = tensor.end <= output.offset or output.end <= tensor.offset
                    over = layer.may_be_in_place() and tensor in dying and tensor.offset == output.offset
                    need(apart or over, "layer %d overwrites a live tensor" % layer.index)
                live.append(output)
            size = 4 * layer.scratch_words()
            layer.scratch = (0, 0)
            if size:
                starts = sorted({0} | {(tensor.end + 3) // 4 * 4 for tensor in live})
                free = (s for s in starts if all(s + size <= t.offset or t.end <= s for t in live))
                start = next(free)
                need(start + size <= self.arena_size, "scratch of layer %d" % layer.index)
                layer.scratch = (start, start + size)

    def arena_needed(self):
        """The largest end of a tensor or of scratch."""
        return max([tensor.end for tensor in self.tensors[:-1]] + [layer.scratch[1] for layer in self.layers])

    def run(self, image, noise):
        """The logits of an image, int8 in the order of tensor 0."""
        arena = noise.integers(-128, 128, self.arena_size, np.int8)
        arena[self.tensors[0].offset:self.tensors[0].end] = image
        for layer in self.layers:
            operands = [arena[t.offset:t.end].reshape(t.shape).astype(np.int64) for t in layer.operands]
            start, end = layer.scratch
            arena[start:end] = noise.integers(-128, 128, end - start, np.int8)
            result = layer.run(operands)
            if layer.kind == CLASSIFIER:
                return result.astype("<i4")
            arena[layer.output.offset:layer.output.end] = result.astype(np.int8).ravel()


def main(folder):
    noise = np.random.default_rng(1)
    paths = sorted(Path(folder).glob("*.bomp"))
    for path in paths:
        try:
            blob = Blob(path.read_bytes())
            need(blob.arena_needed() == blob.arena_size, "the arena is larger than what lies in it")
        except FormatError as error:
            sys.exit("%s: %s" % (path, error))
        images = np.frombuffer(path.with_suffix(".inputs").read_bytes(), np.int8)
        logits = [blob.run(image, noise) for image in images.reshape(-1, blob.tensors[0].size)]
        path.with_suffix(".python").write_bytes(b"".join(row.tobytes() for row in logits))
    print("%d models" % len(paths))


if __name__ == "__main__":
    main(sys.argv[1])
