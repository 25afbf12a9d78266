# SPDX-License-Identifier: MIT
"""run.py LIBRARY VERSION: tests liblavo_ops.so from Python.

VERSION is that of the LibTorch it was built with. Exits with 77 and the reason where this Python has
no such torch: ctest then calls the test skipped.
"""
import sys
import unittest
from pathlib import Path


def torch_or_skip(version):
    try:
        import torch
    except ImportError as error:
        reason = f"this Python cannot import torch: {error}"
    else:
        if torch.__version__.split("+")[0].startswith(version + "."):
            return torch
        reason = f"torch {torch.__version__}, wanted {version}"
    print(f"skipped: {reason} (-DLAVO_TORCH_PYTHON=... names another)")
    sys.exit(77)


def main():
    library, version = sys.argv[1:]
    torch = torch_or_skip(version)
    torch.ops.load_library(library)
    torch.set_num_threads(2)
    tests = unittest.defaultTestLoader.discover(Path(__file__).parent, pattern="*_test.py")
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
