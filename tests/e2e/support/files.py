"""Real files of many kinds: found on the machine, and made where a machine may lack them."""

import bz2
import csv
import gzip
import io
import json
import lzma
import pickle
import plistlib
import sqlite3
import struct
import tarfile
import wave
import zipfile
import zlib
from email.message import EmailMessage
from pathlib import Path

import numpy as np

from .paths import ROOT

# Where a Debian machine keeps files, and which suffixes to take how many of.
PLACES = ["/usr/share", "/usr/lib", "/usr/include", "/etc", "/usr/bin"]
WANTED = {
    ".h": 2, ".py": 3, ".pyc": 2, ".so": 2, ".a": 1, ".o": 2, ".gz": 1, ".png": 2, ".svg": 1,
    ".html": 2, ".css": 1, ".js": 1, ".xml": 2, ".json": 2, ".txt": 2, ".pl": 2, ".pm": 2,
    ".cmake": 2, ".mo": 1, ".ttf": 1, ".pdf": 1, ".sh": 1, ".conf": 1, ".pem": 1, ".crt": 1,
    ".hpp": 1, ".cc": 1, ".lua": 1, ".el": 1, ".awk": 1, ".m4": 1, ".yaml": 1, ".service": 1,
    ".zip": 1, ".jar": 1, ".gif": 1, ".jpg": 1, ".ps": 1, ".tcl": 1, ".rb": 1, ".tex": 1,
}  # fmt: skip


def found_on_machine():
    """The first few of each wanted suffix, in sorted order of a bounded walk."""
    left, found = dict(WANTED), []
    for place in PLACES:
        for path in walk(Path(place), limit=40_000):
            suffix = path.suffix
            if left.get(suffix, 0) > 0 and path.is_file() and not path.is_symlink():
                left[suffix] -= 1
                found.append(path)
    return found + [p for p in map(Path, ["/bin/ls", "/bin/sh"]) if p.exists()]


def walk(folder, limit):
    try:
        for count, path in enumerate(folder.rglob("*")):
            if count >= limit:
                return
            yield path
    except OSError:
        return


def of_repository():
    names = ["README.md", "LICENSE", "CMakeLists.txt", "CMakePresets.json", "check", ".gitignore"]
    names += ["common/sl_text.c", "common/sl_text.h", "scripts/layers.py", "scripts/ruff.toml"]
    names += ["proto/inference/inference.proto", "docker/Dockerfile.gateway", "docker/compose.yaml"]
    names += ["tests/e2e/pytest.ini", ".clang-format", ".git/index", "cmake/Sluice.cmake"]
    return [ROOT / name for name in names if (ROOT / name).exists()]


def png(width=64, height=64):
    rows = b"".join(b"\0" + bytes((x * y) & 255 for x in range(width)) for y in range(height))

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + (chunk(b"IEND", b""))
    )


def bmp(width=32, height=32):
    pixels = bytes((x * 5 + y) & 255 for y in range(height) for x in range(width * 3))
    size = 54 + len(pixels)
    return (
        struct.pack("<2sIHHI", b"BM", size, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
        + pixels
    )


def gif():
    head = b"GIF89a" + struct.pack("<HHBBB", 2, 2, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + b"\x2c" + struct.pack("<HHHHB", 0, 0, 2, 2, 0) + b"\x02\x03\x44\x02\x05\x00\x3b"


def wav():
    out = io.BytesIO()
    with wave.open(out, "wb") as w:
        w.setparams((1, 2, 8000, 0, "NONE", ""))
        w.writeframes(b"".join(struct.pack("<h", (i * 97) % 20000 - 10000) for i in range(8000)))
    return out.getvalue()


def pdf():
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>",
        b"<< /Length 36 >>\nstream\nBT /F1 12 Tf 20 100 Td (hello) Tj ET\nendstream",
    ]
    out, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (
        b"xref\n0 5\n0000000000 65535 f \n%strailer\n<< /Size 5 /Root 1 0 R >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (table, len(out))
    )


def zipped(names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in names.items():
            z.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), text)
    return out.getvalue()


def tarred(text):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo("docs/readme.txt")
        info.size = len(text)
        t.addfile(info, io.BytesIO(text))
    return out.getvalue()


def table():
    out = io.StringIO()
    rows = [["name", "size", "seen"]] + [
        [f"item{i}", i * 3, f"2026-01-{i + 1:02}"] for i in range(25)
    ]
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def mail():
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.org", "b@example.org", "Hello"
    message["Date"] = "Thu, 01 Jan 2026 00:00:00 +0000"
    message["Message-ID"] = "<1@example.org>"
    message.set_content("A short letter.\nWith two lines.\n")
    return message.as_bytes()


def database(path):
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(i, f"row {i}") for i in range(200)])
    db.close()


def made(folder):
    """Writes the files that a machine may lack into folder; returns their paths."""
    prose = (ROOT / "LICENSE").read_bytes()
    source = (ROOT / "common/sl_text.c").read_bytes()
    random = np.random.default_rng(11)
    contents = {
        "empty": b"",
        "one_byte": b"a",
        "one_zero": b"\0",
        "short_7": b"hello w",
        "short_8": b"hello wo",
        "blank": b" \n\t  \n",
        "short.txt": b"Just one line of English text.\n",
        "large_noise": random.bytes(3 * 2**20),
        "large.txt": prose * 120,
        "large.c": source * 200,
        "noise": random.bytes(5000),
        "zeros": bytes(5000),
        "a.png": png(),
        "a.bmp": bmp(),
        "a.gif": gif(),
        "a.wav": wav(),
        "a.pdf": pdf(),
        "a.zip": zipped({"a.txt": prose[:3000], "b/c.txt": source[:3000]}),
        "a.jar": zipped(
            {"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", "A.class": b"\xca\xfe\xba\xbe" * 99}
        ),
        "a.tar": tarred(prose),
        "a.gz": gzip.compress(prose, mtime=0),
        "a.bz2": bz2.compress(prose),
        "a.xz": lzma.compress(prose),
        "a.zlib": zlib.compress(prose),
        "a.json": json.dumps({f"key{i}": [i, str(i), None] for i in range(50)}, indent=1).encode(),
        "a.jsonl": b"".join(b'{"n": %d, "name": "line %d"}\n' % (i, i) for i in range(50)),
        "a.csv": table(),
        "a.tsv": table().replace(b",", b"\t"),
        "a.xml": b'<?xml version="1.0"?>\n<list>\n'
        + b"<item n='1'>text</item>\n" * 30
        + b"</list>",
        "a.html": b"<!DOCTYPE html>\n<html><head><title>T</title></head><body>"
        + b"<p>Some words in a paragraph.</p>\n" * 20
        + b"</body></html>\n",
        "a.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        + b'<rect x="1" y="1" width="5" height="5" fill="red"/>\n' * 10
        + b"</svg>\n",
        "a.css": b"body { margin: 0; color: #333; }\n.box > p:hover { padding: 2px 4px; }\n" * 12,
        "a.js": b"function add(a, b) {\n  const sum = a + b;\n  return sum;\n}\n"
        b"module.exports = { add };\ndocument.querySelector('#x').onclick = () => add(1, 2);\n" * 6,
        "a.ini": b"[server]\nhost = localhost\nport = 80\n\n[client]\nretries = 3\n" * 4,
        "a.toml": b'[package]\nname = "x"\nversion = "0.1.0"\n\n[dependencies]\nserde = "1.0"\n'
        * 2,
        "a.yaml": b"jobs:\n  build:\n    steps:\n      - run: make\n      - run: make test\n" * 4,
        "a.sql": b"CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(20) NOT NULL);\n"
        b"INSERT INTO t (id, name) VALUES (1, 'one');\nSELECT * FROM t WHERE id > 3;\n" * 8,
        "a.java": b"package x;\nimport java.util.List;\npublic class A {\n"
        b"  public static void main(String[] args) {\n    System.out.println(1);\n  }\n}\n" * 4,
        "a.go": b'package main\n\nimport "fmt"\n\nfunc main() {\n\tx := 3\n\tfmt.Println(x)\n}\n'
        * 4,
        "a.rs": b"use std::io;\nfn main() {\n    let mut x: Vec<u32> = Vec::new();\n"
        b'    x.push(1);\n    println!("{:?}", x);\n}\n' * 5,
        "a.rb": b"require 'json'\nclass A\n  def initialize(x)\n    @x = x\n  end\nend\nputs 1\n"
        * 5,
        "a.php": b"<?php\nfunction f($a) {\n  return $a['x'] . 'y';\n}\necho f(['x' => 1]);\n" * 5,
        "a.bat": b"@echo off\r\nset X=1\r\nif %X%==1 goto end\r\necho no\r\n:end\r\npause\r\n" * 4,
        "a.diff": b"--- a/x.c\n+++ b/x.c\n@@ -1,3 +1,3 @@\n int a;\n-int b;\n+long b;\n int c;\n"
        * 4,
        "a.tex": b"\\documentclass{article}\n\\begin{document}\n\\section{One}\nText $x^2$.\n"
        b"\\end{document}\n" * 3,
        "a.rtf": b"{\\rtf1\\ansi\\deff0{\\fonttbl{\\f0 Times;}}\\f0\\fs24 Hello there.\\par}" * 3,
        "a.eml": mail(),
        "a.npy": npy(random),
        "a.npz": npz(random),
        "a.pickle": pickle.dumps({"list": list(range(500)), "text": "x" * 100}),
        "a.plist": plistlib.dumps({f"k{i}": i for i in range(40)}),
        "a.bplist": plistlib.dumps({f"k{i}": i for i in range(40)}, fmt=plistlib.FMT_BINARY),
        "a.wasm": b"\0asm\x01\0\0\0" + b"\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f" * 20,
        "a.ics": b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Meet\r\n"
        b"DTSTART:20260101T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        "a.srt": b"".join(
            b"%d\n00:00:%02d,000 --> 00:00:%02d,500\nSome words.\n\n" % (i, i, i)
            for i in range(1, 30)
        ),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    database(folder / "a.sqlite")
    return sorted(folder.iterdir())


def npy(random):
    out = io.BytesIO()
    np.save(out, random.random((10, 10)))
    return out.getvalue()


def npz(random):
    out = io.BytesIO()
    np.savez(out, a=random.random(50), b=np.arange(9))
    return out.getvalue()
