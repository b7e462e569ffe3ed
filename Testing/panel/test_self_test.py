"""The self-test that Slicer runs (Reload and Test, CTest) runs in the host too, with the bundled models."""

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
