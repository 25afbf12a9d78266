# SPDX-License-Identifier: MIT
"""The second half of rates.sh: counts false alarms, and plants changes that must be found."""
import json
import pathlib
import subprocess
import sys

TIMES = ("time",)


def rows(path):
    return json.loads(path.read_text())["rows"]


def compare(bench, base, new, out):
    command = [bench, "compare", base, new, "--side-by-side", "--json", out]
    code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
    if code > 1:
        sys.exit(f"rates.py: {' '.join(map(str, command))} ended with {code}")
    return rows(out)


def planted(results, mechanism, change):
    """A copy of a results file in which `change` was applied to the mechanism's ok cells."""
    document = json.loads((results / "results.json").read_text())
    for cell in document["cells"]:
        if cell["status"] == "ok" and cell["axes"].get("mechanism") == mechanism:
            change(cell["metrics"])
    path = results.parent / "planted.json"
    path.write_text(json.dumps(document))
    return path


def slower_by(factor):
    def change(metrics):
        for name in TIMES:
            metric = metrics.get(name)
            if metric:
                metric["value"] *= factor
                metric["samples"] = [sample * factor for sample in metric["samples"]]
                metric["ci95"] = [end * factor for end in metric["ci95"]]

    return change


def one_byte_more(metrics):
    metrics["peak_memory"]["value"] += 1


def main():
    bench, out, runs, mechanism = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    comparisons = sorted(path.parent for path in out.glob("*/a-a.json"))
    false = {metric: 0 for metric in ("time", "any")}
    cells, worst, width = 0, 0, []
    for directory in comparisons:
        timing = [row for row in rows(directory / "a-a.json") if row["kind"] == "timing"]
        bad = [row for row in timing if row["verdict"] == "slower"]
        cells += sum(row["metric"] in TIMES for row in timing)
        false["any"] += len(bad)
        false["time"] += sum(row["metric"] in TIMES for row in bad)
        for row in timing:
            if row["metric"] in TIMES and row["ci95"]:
                width.append((row["ci95"][1] - row["ci95"][0]) / 2)
                worst = max(worst, abs(row["ratio"] - 1))
    width.sort()
    print(f"A/A: {len(comparisons)} comparisons, {cells} times, {false['time']} false slower "
          f"({false['any']} with derived metrics); half interval {100 * width[len(width) // 2]:.1f} % "
          f"(median), largest change {100 * worst:.1f} %")
    for name, change, metric, verdict in (("10 %", slower_by(1.10), "time", "slower"),
                                          ("25 %", slower_by(1.25), "time", "slower"),
                                          ("one byte", one_byte_more, "peak_memory", "worse")):
        found = found_cells = all_cells = false_cells = 0
        for directory in comparisons[:runs]:
            path = planted(directory / "new", mechanism, change)
            result = compare(bench, directory / "base", path, directory / "planted-rows.json")
            result = [row for row in result if row["metric"] == metric]
            ours = [row for row in result if row["axes"].get("mechanism") == mechanism]
            hits = sum(row["verdict"] == verdict for row in ours)
            found += hits > 0
            found_cells += hits
            all_cells += len(ours)
            false_cells += sum(row["verdict"] == verdict for row in result) - hits
        print(f"{name} more of {mechanism}: found in {found} of {len(comparisons[:runs])} runs, "
              f"{found_cells} of {all_cells} cells; {false_cells} of other mechanisms called {verdict}")


if __name__ == "__main__":
    main()
