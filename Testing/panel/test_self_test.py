"""The self-test that Slicer runs (Reload and Test, CTest) runs in the host too, with the bundled models."""

import sys
import unittest

import pytest


@pytest.mark.slow
def test_self_test_passes_in_the_host(host):
    host.loadModule("SpineSegmentation")
    host.testing = True
    suite = unittest.TestLoader().loadTestsFromName("SpineSegmentation")
    assert suite.countTestCases() >= 7
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    assert result.wasSuccessful(), [text for _test, text in result.errors + result.failures]
    assert not result.skipped


def test_reloaded_self_test_uses_the_new_logic(host):
    host.openModule("SpineSegmentation")
    old = sys.modules["SpineSegmentation"].SpineSegmentationTest
    host.reload()
    module = sys.modules["SpineSegmentation"]
    assert module.SpineSegmentationTest is not old
    assert module.SpineSegmentationTest.logicClass is module.SpineSegmentationLogic
