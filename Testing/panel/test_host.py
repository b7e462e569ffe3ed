"""The host itself: that it does what Slicer does and refuses what Slicer refuses."""

import time


def test_a_blocked_event_loop_is_noticed(host):
    import qt

    with host.probe() as probe:
        for _ in range(20):
            host.process()
            time.sleep(0.002)
    assert probe.largestGap < 0.1
    with host.probe() as probe:
        host.process()
        qt.QTimer.singleShot(0, lambda: time.sleep(0.2))
        host.process()
    assert 0.2 <= probe.largestGap < 0.4
