# SPDX-License-Identifier: MIT
"""python render.py OUT: draws OUT/*.vl.json as PNG and SVG, and writes the libraries that draw them in a browser
to OUT/vega.bundle.js. Needs vl-convert-python; nothing is loaded from the network."""
import concurrent.futures
import pathlib
import re
import sys

import vl_convert

VERSION = "5.21"


def with_own_numbers(svg: str) -> str:
    """A drawing's clips are numbered through all that a process has drawn: here from 0 on."""
    own: dict[str, str] = {}
    return re.sub(r"\bclip\d+", lambda name: own.setdefault(name[0], f"clip{len(own)}"), svg)


def draw(path: pathlib.Path) -> None:
    stem = path.with_name(path.name.removesuffix(".vl.json"))
    svg = vl_convert.vegalite_to_svg(path.read_text(encoding="utf-8"), vl_version=VERSION)
    stem.with_suffix(".svg").write_text(with_own_numbers(svg), encoding="utf-8")
    stem.with_suffix(".png").write_bytes(vl_convert.svg_to_png(svg, scale=2))


def main(out: pathlib.Path) -> None:
    with concurrent.futures.ProcessPoolExecutor() as processes:
        drawn = processes.map(draw, sorted(out.glob("*.vl.json")))
        bundle = vl_convert.javascript_bundle(vl_version=VERSION)
        (out / "vega.bundle.js").write_text(bundle, encoding="utf-8")
        list(drawn)  # throws what a picture threw


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
