#!/usr/bin/env python3
"""What the magika package itself says of files: run with the Python of scripts/venv.sh magika.

Reads one path per line from standard input; prints a JSON list of {path, label, model_label,
score}.
"""

import json
import sys
from pathlib import Path

from magika import Magika


def main():
    paths = [Path(line.rstrip("\n")) for line in sys.stdin]
    told = []
    for result in Magika().identify_paths(paths):
        prediction = result.prediction
        told.append(
            {
                "path": str(result.path),
                "label": str(prediction.output.label),
                "model_label": str(prediction.dl.label),
                "score": float(prediction.score),
            }
        )
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
