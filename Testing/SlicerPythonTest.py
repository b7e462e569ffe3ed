"""Run by CTest inside Slicer: the runtime works with the packages that Slicer brings, and with nothing else."""

import importlib
import pkgutil
import subprocess
import sys
import unittest

import SpineInference


class SlicerPythonTest(unittest.TestCase):
    def test_every_module_of_the_runtime_imports(self):
        names = [module.name for module in pkgutil.walk_packages(SpineInference.__path__, "SpineInference.")]
        self.assertGreater(len(names), 20)
        for name in names:
            if not name.startswith("SpineInference.networks."):  # these need torch, for a GPU
                with self.subTest(name):
                    importlib.import_module(name)

    def test_worker_ends_with_its_standard_input(self):
        done = subprocess.run(
            [sys.executable, "-m", "SpineInference.app.worker"],
            cwd=SpineInference.__path__[0] + "/..",
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0)
