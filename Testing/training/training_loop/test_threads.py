"""Without a word about threads, a training takes the processors that nobody else uses."""

import pytest

from SegTraining.training import threads


@pytest.fixture
def computer(monkeypatch, tmp_path):
    """A computer of 8 processors, of which this process may use 6; what it says of itself is chosen."""

    def says(*ticks: tuple[int, int]) -> None:
        lines = iter(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3" for busy, idle in ticks)
        statistics = tmp_path / "stat"
        monkeypatch.setattr(threads, "_STATISTICS", statistics)
        statistics.write_text(next(lines), "ascii")
        monkeypatch.setattr(threads.time, "sleep", lambda seconds: statistics.write_text(next(lines), "ascii"))

    monkeypatch.setattr(threads.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(threads, "available_processors", lambda: 6)
    return says


@pytest.mark.parametrize(
    ("busy", "idle", "expected"), [(0, 200, 6), (100, 100, 4), (180, 20, 1), (200, 0, 1), (0, 0, 6)]
)
def test_idle_processors_are_taken(computer, busy, idle, expected):
    computer((1000, 5000), (1000 + busy, 5000 + idle))
    assert threads.threads_for(None, deterministic=False) == expected


def test_a_wish_counts_and_repeatable_sums_have_one_thread(computer):
    computer((0, 0), (0, 200))
    assert threads.threads_for(5, deterministic=True) == 5
    assert threads.threads_for(None, deterministic=True) == 1


def test_elsewhere_the_load_tells(monkeypatch, tmp_path):
    monkeypatch.setattr(threads, "_STATISTICS", tmp_path / "none")
    monkeypatch.setattr(threads.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(threads.os, "getloadavg", lambda: (5.2, 0, 0), raising=False)
    monkeypatch.setattr(threads, "available_processors", lambda: 8)
    assert threads.threads_for(None, deterministic=False) == 3
