"""Run by CTest inside Slicer: the runtime works with the packages that Slicer brings, and with nothing else."""

import importlib
import pkgutil
import subprocess
import sys
import unittest

import SpineInference


class SlicerPythonTest(unittest.TestCase):
    def test_every_module_of_the_runtime_imports(self):
        # The networks themselves need torch and are for a GPU.
        for module in pkgutil.iter_modules(SpineInference.__path__, "SpineInference."):
            with self.subTest(module.name):
                importlib.import_module(module.name)

    def test_the_worker_starts_and_ends_with_its_standard_input(self):
        done = subprocess.run(
            [sys.executable, "-m", "SpineInference.app.worker"],
            cwd=SpineInference.__path__[0] + "/..",
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0)
