"""The people of the spine phantom: what healthy and ill spines are like, and in which tissues they are painted."""

import numpy as np
import pytest

from SegTraining.synthetic.spine.anatomy import Spine, build_spine
from SegTraining.synthetic.spine.contrasts import CONTRASTS, draw_tissues
from SegTraining.synthetic.spine.dataset import draw_recipe


def people(disease: float, count: int = 40) -> list[Spine]:
    return [build_spine(np.random.default_rng(seed), "lumbar", disease) for seed in range(count)]


def test_a_spine_is_whole_and_runs_upwards():
    for spine in people(0.5, 5):
        names = [body.name for body in spine.bodies]
        assert (names[0], names[-1], len(names)) == ("C2", "S5", 28)
        heights = [spine.atlas.centre[2], *(body.centre[2] for body in spine.bodies)]
        assert heights == sorted(heights, reverse=True)
        assert len(spine.discs) == len(names) - 1
        # From C2 to L5 an adult's spine is about half a metre.
        assert 380 < spine.height("C2") - spine.height("L5") < 620


def lowest_bodies(spines: list[Spine]) -> float:
    """The lowest front of a body, as a fraction of the heights of its neighbours."""

    def front(body) -> float:
        return body.height + body.depth * np.tan(np.deg2rad(body.wedge))

    ratios = []
    for spine in spines:
        fronts = [front(body) for body in spine.bodies if body.name[0] in "TL"]
        ratios += [2 * b / (a + c) for a, b, c in zip(fronts, fronts[1:], fronts[2:], strict=False)]
    return min(ratios)


def test_only_the_ill_have_fractures_and_screws():
    healthy, ill = people(0.0), people(1.0)
    assert lowest_bodies(ill) < 0.6 < lowest_bodies(healthy)

    def count(spines: list[Spine], what) -> int:
        return sum(bool(what(part)) for spine in spines for part in (*spine.bodies, *spine.discs))

    for what in (lambda part: getattr(part, "nodes", ()), lambda part: getattr(part, "lesions", ())):
        assert count(ill, what) > 2 * count(healthy, what)
    assert not count(healthy, lambda part: getattr(part, "bone", False))
    assert count(ill, lambda part: getattr(part, "bone", False))
    assert not any(spine.screwed for spine in healthy)
    assert any(spine.screwed for spine in ill)


def mean_signal(contrast: str, name: str) -> float:
    return float(np.mean([draw_tissues(np.random.default_rng(seed), contrast)[name].signal for seed in range(30)]))


@pytest.mark.parametrize(
    ("contrast", "brighter", "darker"),
    [
        ("T1", "fat", "marrow"),
        ("T1", "marrow", "nucleus"),
        ("T1", "marrow", "tumour"),
        ("T1", "muscle", "fluid"),
        ("T2", "fluid", "marrow"),
        ("T2", "marrow", "annulus"),
        ("T2", "fat", "muscle"),
        ("STIR", "fluid", "oedema"),
        ("STIR", "oedema", "marrow"),
        ("STIR", "muscle", "fat"),
        ("T2 fat-suppressed", "fluid", "fat"),
        ("fat", "marrow", "fluid"),
        ("water", "fluid", "marrow"),
        ("CT", "cortex", "marrow"),
        ("CT", "muscle", "fat"),
    ],
)
def test_tissues_look_as_radiologists_know_them(contrast: str, brighter: str, darker: str):
    assert mean_signal(contrast, brighter) > 1.15 * mean_signal(contrast, darker)


def test_invented_contrasts_put_tissues_in_any_order():
    pairs = [draw_tissues(np.random.default_rng(seed), "invented") for seed in range(60)]
    brighter = np.mean([tissues["marrow"].signal > tissues["annulus"].signal for tissues in pairs])
    assert 0.25 < brighter < 0.75


def test_recipes_cover_regions_contrasts_and_voxels():
    recipes = [draw_recipe(seed) for seed in range(300)]
    assert {recipe["contrast"] for recipe in recipes} == set(CONTRASTS)
    assert len({recipe["region"] for recipe in recipes}) == 6
    spacings = np.array([recipe["spacing"] for recipe in recipes])
    assert 0.5 <= spacings.min() < 0.7
    assert 4.0 < spacings.max() <= 5.0
    assert np.mean(spacings[:, 2] >= 3) > 0.6  # most are thick sagittal slices
