"""Exponential moving average of a network's weights: what is validated and kept."""

import copy

import torch


class MovingAverage(torch.nn.Module):
    """Follows a network. The first steps count more, so that the random start is soon forgotten.

    torch's `AveragedModel`, and Lightning's callbacks that are made of it, take the first step over as it is and
    average counters, too.
    """

    def __init__(self, network: torch.nn.Module, decay: float):
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self._decay = decay

    @torch.no_grad()
    def update(self, network: torch.nn.Module) -> None:
        """Move towards `network`; counters, which have no average, are taken over."""
        done = int(self.updates)
        weight = 1 - min(self._decay, (1 + done) / (10 + done))
        own, new = self.network.state_dict(), network.state_dict()
        floating = [name for name in own if own[name].is_floating_point()]
        torch._foreach_lerp_([own[n] for n in floating], [new[n] for n in floating], weight)
        for name in own.keys() - set(floating):
            own[name].copy_(new[name])
        self.updates += 1

    def train(self, mode: bool = True) -> "MovingAverage":
        """Always stays in evaluation mode."""
        return super().train(False)
