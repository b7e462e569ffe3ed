"""When a batch does not fit into the memory: how large one may be."""

from collections.abc import Callable

import torch

from SpineInference.errors import SpineError

from ..config.config import Config
from .module import training_loss


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the memory of the device, or of the computer, is used up."""
    words = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(part in str(error) for part in words)


def out_of_memory_error(network: torch.nn.Module, config: Config, device: torch.device) -> SpineError:
    """The sentence for a batch that did not fit, with the size that does, tried out with `network` on `device`."""
    size = config.training.batch_size // config.training.devices
    fitting = _largest_fitting(lambda samples: _try_step(network, config, device, samples), size)
    if fitting is None:
        advice = "not even a single sample does: make training.crop smaller, or choose a smaller network"
    else:
        whole = fitting * config.training.devices
        steps = -(-config.training.batch_size // whole) * config.training.accumulate
        advice = (
            f"set training.batch_size to {whole} (with training.accumulate {steps} each update sees as many samples)"
        )
    return SpineError(f"A batch of {config.training.batch_size} does not fit into the memory of {device}: {advice}.")


def _largest_fitting(step: Callable[[int], None], size: int) -> int | None:
    """The first of `size` / 2, `size` / 4, ... with which `step` does not run out of memory."""
    while size > 1:
        size //= 2
        try:
            step(size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        else:
            return size
    return None


def _try_step(network: torch.nn.Module, config: Config, device: torch.device, samples: int) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
    rows, columns = config.training.crop
    network.to(device).train()
    image = torch.zeros(samples, config.input.channels, rows, columns, device=device)
    target = torch.zeros(samples, rows, columns, dtype=torch.uint8, device=device)
    half = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(config.training.precision)
    with torch.autocast(device.type, half, enabled=half is not None):
        loss = training_loss(network, image, target, config.loss, config.activation == "sigmoid")
    loss.backward()
    network.zero_grad(set_to_none=True)
