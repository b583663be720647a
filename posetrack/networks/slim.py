"""Networks whose channels were cut: the same modules, as narrow as the weights say."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def narrow(model: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """Give each convolution and batch norm of `model` the channels its weights have in `state`.

    Works in place and returns the model. The weights themselves are not copied.
    """
    for name, module in model.named_modules():
        weight = state.get(f"{name}.weight")
        if weight is None:
            continue
        if isinstance(module, nn.BatchNorm2d):
            _norm(module, weight)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            _convolution(module, weight)
    return model


def _norm(module: nn.BatchNorm2d, weight: Tensor) -> None:
    if module.num_features == len(weight):
        return
    fresh = nn.BatchNorm2d(len(weight), module.eps, module.momentum)
    module.num_features = fresh.num_features
    module.weight, module.bias = fresh.weight, fresh.bias
    module.running_mean, module.running_var = fresh.running_mean, fresh.running_var


def _convolution(module: nn.Conv2d | nn.ConvTranspose2d, weight: Tensor) -> None:
    if module.weight.shape == weight.shape:
        return
    module.weight = nn.Parameter(weight.new_empty(weight.shape))
    if isinstance(module, nn.ConvTranspose2d):
        module.in_channels = len(weight)
        return
    nn.init.kaiming_uniform_(module.weight)
    module.out_channels = len(weight)
    if module.groups > 1:
        module.groups = module.in_channels = len(weight)
    else:
        module.in_channels = weight.shape[1]
    if module.bias is not None:
        module.bias = nn.Parameter(weight.new_zeros(len(weight)))
