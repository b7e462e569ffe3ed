"""Training against a plain loop with the settings of the thesis, with the same network, in one run.

    python Testing/benchmarks/training.py                                      # small enough for a CPU
    python Testing/benchmarks/training.py --encoder resnet50 --side 512 --steps 40 --workers 8       # for a GPU

The data are noise with blocks. Two ratios are printed:

- slices a second, image and mask, from the cache and from TIFF files read again as the thesis's code did: one value at
  a time, in double precision;
- samples a second of `segtraining train` and of a plain loop: batches of 8 in full precision, files decoded by the
  loader, the same U-Net and size of samples, Adam, Dice. The plain loop does not augment and ours does all that Table
  4.2 of the thesis lists, so the ratio is understated; the share of our steps that goes into making samples is given.

Without CUDA the times are the processor's, so that a busy machine does little harm; then leave --workers at 0.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "SpineSegmentation")]

from SegTraining.config.config import Config  # noqa: E402
from SegTraining.data.cache import CachedCase  # noqa: E402
from SegTraining.data.prepare import prepare  # noqa: E402
from SegTraining.data.sampling import PatchDataset, crop_slices  # noqa: E402
from SegTraining.training.losses import soft_dice_loss  # noqa: E402
from SegTraining.training.module import SegmentationModule  # noqa: E402
from SegTraining.training.train import train  # noqa: E402
from SpineInference.networks import build  # noqa: E402

BATCH = 8
WARM_UP = 2
TABLE_4_2 = {
    "horizontal_flip": {"p": 0.5},
    "blur": {"p": 0.5, "pixels": 3},
    "gaussian_blur": {"p": 0.5, "pixels": 3},
    "motion_blur": {"p": 0.5, "pixels": 3},
    "gaussian_noise": {"p": 0.5, "low": 0.01, "high": 0.01},
    "elastic": {"p": 0.5},
    "rotation": {"p": 0.5, "low": -20, "high": 20},
    "scale": {"p": 0.5, "low": 0.9, "high": 1.1},
    "shift": {"p": 0.5, "low": 0, "high": 32},
}


def main() -> None:
    options = _parse()
    torch.set_num_threads(options.threads)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"Load of the machine before the benchmark: {load:.1f} processes (above 0.5 trust ratios only)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_data(folder / "data", options.slices, options.side)
        config = _config(options)
        (case,) = prepare(config, folder / "data", folder / "cache")["training"]
        files = _write_slices(case, folder / "slices")

        cached = _slices_per_second(lambda i: _from_cache(case, i), len(files))
        read_again = _slices_per_second(lambda i: _as_in_the_thesis(*files[i]), len(files))
        print(f"Slices: {cached:.0f} a second from the cache, {read_again:.1f} from TIFF: {cached / read_again:.0f} x")

        plain = _plain_loop(files, options)
        ours = _our_loop(config, folder)
        making = _seconds_of_samples(case, config)
        print(f"Plain loop: {plain:.2f} samples a second; segtraining train: {ours:.2f}: {ours / plain:.2f} x")
        print(
            f"Making a sample, reading and augmenting: {making * 1000:.1f} ms in one process, "
            f"{100 * making * ours / max(1, options.workers):.1f} % of the time of a step's sample with "
            f"{max(1, options.workers)} of them"
        )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="resnet18", help="of the U-Net (%(default)s; the thesis: resnet50)")
    parser.add_argument("--side", type=int, default=256, help="pixels of a sample (%(default)s; the thesis: 512)")
    parser.add_argument("--slices", type=int, default=40, help="of the volume (%(default)s)")
    parser.add_argument("--steps", type=int, default=6, help="timed steps of each loop (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of both (%(default)s)")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples (%(default)s)")
    return parser.parse_args()


def _config(options: argparse.Namespace) -> Config:
    words = {"title": "", "anatomy": "", "modality": "MR", "licence": "", "data_statement": ""}
    training = {"crop": [options.side] * 2, "batch_size": BATCH, "steps_per_epoch": options.steps + WARM_UP}
    training |= {"max_epochs": 1, "threads": options.threads, "workers": options.workers}
    return Config.model_validate(
        {
            "name": "benchmark",
            "plane": "sagittal",
            "model_info": words,
            "data": {"datasets": [{"name": "blocks"}], "split": {}},
            "input": {"context_slices": 0},
            "network": {"family": "unet", "arguments": {"encoder": options.encoder}},
            "augmentation": TABLE_4_2,
            "loss": {"dice": 1, "cross_entropy": 0},
            "optimiser": {"name": "adam", "learning_rate": 1e-4},
            "training": training,
        }
    )


def _write_data(folder: Path, slices: int, side: int) -> None:
    random = np.random.default_rng(0)
    labels = np.zeros((side, side, slices), np.uint8)
    for top in range(side // 8, side - side // 8, side // 6):
        labels[top : top + side // 8, side // 3 : side // 2, slices // 4 : -slices // 4] = 1
    image = random.normal(100, 20, labels.shape) + 80 * labels
    for part, array, file in (("imagesTr", image.astype(np.int16), "a_0000"), ("labelsTr", labels, "a")):
        (folder / "blocks" / part).mkdir(parents=True)
        volume = sitk.GetImageFromArray(array)
        volume.SetDirection(sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation("LPI"))
        sitk.WriteImage(volume, str(folder / "blocks" / part / f"{file}.nii.gz"))


def _write_slices(case: CachedCase, folder: Path) -> list[tuple[Path, Path]]:
    """The slices of the case as the thesis kept them: one TIFF for each image and each mask."""
    folder.mkdir()
    files = []
    for index, pair in enumerate(zip(*case.stack("sagittal"), strict=True)):
        paths = tuple(folder / f"{kind}_{index}.tif" for kind in ("image", "mask"))
        for path, array in zip(paths, pair, strict=True):
            Image.fromarray(np.asarray(array, np.float32)).save(path)
        files.append(paths)
    return files


def _as_in_the_thesis(*paths: Path) -> tuple[torch.Tensor, ...]:
    """Image and mask float32 [1, rows, cols], value by value through a list."""
    tensors = []
    for path in paths:
        with Image.open(path) as picture:
            values = getattr(picture, "get_flattened_data", picture.getdata)()  # its new name in Pillow 12
            array = np.array(list(values), np.float64).reshape(picture.size[::-1])
        tensors.append(torch.from_numpy(array).float()[None])
    return tuple(tensors)


def _from_cache(case: CachedCase, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Image float32 and target uint8 [1, rows, cols], cut as for a training sample."""
    image, target = case.stack("sagittal")
    window = (0, 0, *image.shape[1:])
    return tuple(torch.from_numpy(crop_slices(array, np.array([index]), window, 0)) for array in (image, target))


def _slices_per_second(load: Callable[[int], object], count: int, seconds: float = 5.0) -> float:
    """In random order, as in training."""
    random = np.random.default_rng(0)
    load(0)
    done, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        load(int(random.integers(count)))
        done += 1
    return done / (time.process_time() - started)


class _Files(torch.utils.data.Dataset):
    def __init__(self, files: list[tuple[Path, Path]], count: int):
        self._files, self._count = files, count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> tuple[torch.Tensor, ...]:
        return _as_in_the_thesis(*self._files[number % len(self._files)])


def _plain_loop(files: list[tuple[Path, Path]], options: argparse.Namespace) -> float:
    """Samples a second."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build("unet", 1, 1, encoder=options.encoder).to(device).train()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    samples = _Files(files, BATCH * (options.steps + WARM_UP))
    stamps = [_now()]
    for image, mask in torch.utils.data.DataLoader(samples, BATCH, shuffle=True, num_workers=options.workers):
        optimiser.zero_grad()
        loss = soft_dice_loss(network(image.to(device)), mask[:, 0].to(device, torch.uint8))
        loss.backward()
        optimiser.step()
        stamps.append(_now())
    return BATCH * options.steps / (stamps[-1] - stamps[WARM_UP])


def _our_loop(config: Config, folder: Path) -> float:
    """Samples a second of `segtraining train`."""
    stamps = []
    original = SegmentationModule.on_train_batch_end

    def stamped(run: SegmentationModule, *arguments) -> None:
        original(run, *arguments)
        stamps.append(_now())

    SegmentationModule.on_train_batch_end = stamped
    try:
        train(config, folder / "data", folder / "cache", folder / "run")
    finally:
        SegmentationModule.on_train_batch_end = original
    return BATCH * (len(stamps) - WARM_UP) / (stamps[-1] - stamps[WARM_UP - 1])


def _seconds_of_samples(case: CachedCase, config: Config, count: int = 3 * BATCH) -> float:
    """Of the processor, for one sample; with CUDA without its augmentation, which is done there."""
    samples = PatchDataset([case], config, raw=torch.cuda.is_available())
    samples[0]
    started = time.process_time()
    for number in range(count):
        samples[number]
    return (time.process_time() - started) / count


def _now() -> float:
    """Seconds: of the processor where it does everything, since other programs take none of those."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


if __name__ == "__main__":
    main()
