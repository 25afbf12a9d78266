# SPDX-License-Identifier: MIT
"""python render.py OUT: draws OUT/*.vl.json as PNG and SVG, and writes the libraries that draw them in a browser
to OUT/vega.bundle.js. Needs vl-convert-python; nothing is loaded from the network."""
import pathlib
import sys

import vl_convert


def main(out: pathlib.Path) -> None:
    for path in sorted(out.glob("*.vl.json")):
        spec = path.read_text(encoding="utf-8")
        stem = path.name.removesuffix(".vl.json")
        svg = vl_convert.vegalite_to_svg(spec, vl_version="5.21")
        (out / f"{stem}.svg").write_text(svg, encoding="utf-8")
        (out / f"{stem}.png").write_bytes(vl_convert.svg_to_png(svg, scale=2))
    bundle = vl_convert.javascript_bundle(vl_version="5.21")
    (out / "vega.bundle.js").write_text(bundle, encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
