#!/usr/bin/env python3
"""Makes magika_golden.json: features of made-up files, by the magika package itself.

    python make_magika_golden.py > magika_golden.json       in an environment with magika 1.0

Each file is a list of [text, repetitions], the text in Latin-1. What comes out: "ask" with the
FNV-1a hash of the 2048 little-endian INT32 features, or the label that is given without asking.
"""

import io
import json
import struct
import sys

from magika import Magika
from magika.types import Seekable

FILES = [
    [["a", 1]],
    [["\xff", 1]],
    [["abcdefg", 1]],
    [["abcdefgh", 1]],
    [["\x00", 7]],
    [["\x00", 8]],
    [[" ", 8]],
    [[" ", 5000]],
    [[" ", 20], ["abcdefg", 1], [" ", 20]],
    [["\t\n\v\f\r ", 30], ["abcdefgh", 1]],
    [["\x1c\x1d\x85\xa0", 4], ["abcdefgh", 1]],
    [["abc\n", 200]],
    [["0123456789abcdef", 64]],
    [["0123456789abcdef", 64], ["x", 1]],
    [["0123456789abcde\n", 256]],
    [["0123456789abcdef", 255], ["x", 15]],
    [["0123456789abcdef", 256], ["x", 1]],
    [["head", 1000], ["tail\n", 3000]],
    [[" ", 4090], ["abcdef", 1], ["z", 5000]],
    [[" ", 4089], ["abcdefg", 1], ["z", 5000]],
    [["z", 5000], [" ", 4096]],
    [["z", 5000], [" ", 4000]],
    [[" ", 4095], ["\xc3\xa4", 1], [" ", 3000]],
    [[" ", 4094], ["\xc3\xa4", 1], [" ", 3000]],
    [["\xed\xa0\x80", 1]],
    [["\xf4\x8f\xbf\xbf", 1]],
    [["\xf4\x90\x80\x80", 1]],
    [["\xc0\x80", 1]],
    [["\xe2\x82\xac", 2]],
    [["".join(map(chr, range(256))), 40]],
]


def fnv(data):
    h = 14695981039346656037
    for byte in data:
        h = (h ^ byte) * 1099511628211 % (1 << 64)
    return f"{h:016x}"


def main():
    magika = Magika()
    out = []
    for parts in [[]] + FILES:
        content = b"".join(text.encode("latin-1") * count for text, count in parts)
        result, features = magika._get_result_or_features_from_seekable(
            Seekable(io.BytesIO(content))
        )
        if result is not None:
            answer = str(result.prediction.output.label)
        else:
            answer = "ask " + fnv(struct.pack("<2048i", *features.beg, *features.end))
        out.append({"file": parts, "answer": answer})
    json.dump(out, sys.stdout, indent=0, ensure_ascii=True)
    print()


if __name__ == "__main__":
    main()
