# SPDX-License-Identifier: MIT
"""extract.py PAGE DIR: the page's examples as files.

A block of code behind a line that begins with a path in back quotes is that file, whole; further
words on the line ("in the table") make it a part of one: it becomes PATH.part. Prints a path a line.
"""
import re
import sys
from pathlib import Path

EXAMPLE = re.compile(r"^`([\w./]+)`([^\n]*)\n```\w+\n(.*?)^```$", re.M | re.S)


def main():
    page, folder = Path(sys.argv[1]), Path(sys.argv[2])
    for path, more, code in EXAMPLE.findall(page.read_text()):
        file = folder / (path + (".part" if more.strip() else ""))
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text() != code:  # unchanged ones are not compiled again
            file.write_text(code)
        print(file)


if __name__ == "__main__":
    main()
