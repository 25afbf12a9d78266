# SPDX-License-Identifier: MIT
"""includes.py ROOT: which folder may include which; prints each wrong #include and exits with 1.

The arrows of CONTRIBUTING.md: lavo <- baselines; reports/records <- reports; both <- experiments.
"""
import re
import sys
from pathlib import Path

# The longest folder that holds a file decides.
ALLOWED = {
    "lavo/core": ["lavo/core"],
    "lavo/kernels": ["lavo/kernels"],
    "lavo": ["lavo"],
    "baselines": ["lavo", "baselines"],
    "reports/records": ["lavo/core", "reports/records"],
    "reports": ["lavo/core", "reports"],
    "experiments/harness/measure": ["lavo", "reports/records", "experiments/harness/measure"],
    "experiments": ["lavo", "baselines", "reports", "experiments"],
    "tests": ["lavo", "baselines", "reports", "experiments", "tests"],
}
SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]((?:lavo|baselines|reports|experiments|tests)/[^">]+)[">]', re.M)


def is_in(path, folder):
    return path.startswith(folder + "/")


def faults(path, text):
    """The wrong includes of one source."""
    folders = [folder for folder in ALLOWED if is_in(path, folder)]
    allowed = ALLOWED[max(folders, key=len)]
    for included in INCLUDE.findall(text):
        if not any(is_in(included, folder) for folder in allowed):
            yield f"{path}: includes {included}; it may include {', '.join(allowed)}"


def main():
    for folder in ALLOWED:  # each rule can fail
        assert list(faults(f"{folder}/x.h", '#include "tests/y.h"\n')) or folder == "tests"
        assert not list(faults(f"{folder}/x.h", f'#include "{folder}/y.h"\n#include <vector>\n'))
    root = Path(sys.argv[1])
    sources = [path for top in sorted({folder.split("/")[0] for folder in ALLOWED})
               for path in sorted((root / top).rglob("*")) if path.suffix in SUFFIXES]
    wrong = [fault for path in sources
             for fault in faults(path.relative_to(root).as_posix(), path.read_text())]
    print(*wrong, f"{len(sources)} files, {len(wrong)} wrong includes", sep="\n")
    sys.exit(1 if wrong or len(sources) < 100 else 0)


if __name__ == "__main__":
    main()
