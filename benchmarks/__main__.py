"""``python -m benchmarks [NAME ...] [--rounds N] [--scale X] [--json FILE]``"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.catalogue import cases
from benchmarks.rounds import sample

ROUNDS = 21


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the named cases, or all, and print each as soon as it is known."""
    options = _options(arguments)
    chosen = cases(options.scale)
    results: list[dict[str, object]] = []
    judged: list[report.Verdict] = []
    for name in options.names or chosen:
        samples = sample(chosen[name], options.rounds)
        print(report.text(chosen[name], samples), end="\n\n", flush=True)
        results.append(report.as_json(chosen[name], samples))
        judged += report.verdicts(chosen[name], samples)
    print(report.summary(judged))
    if options.json is not None:
        record = {"environment": report.environment(), "cases": results}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    names = list(cases())
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for the counts")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples here")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(names)})")
    if options.rounds < 1 or options.scale <= 0:
        parser.error("--rounds and --scale must be positive")
    return options


if __name__ == "__main__":
    main()
