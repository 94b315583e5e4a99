#!/usr/bin/env python3
"""Checks the documentation: links lead somewhere, and generated pages are up to date.

A relative link must name a file of the repository, and its #anchor a heading there. docs/CONFIG.md
must be what scripts/gen_config_doc prints.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.M | re.S)


def pages():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def anchors(page):
    """The names that GitHub gives to a page's headings."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+\s+(.*?)\s*#*$", text, re.M)
    plain = [re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", h) for h in headings]
    return {re.sub(r"[^\w\- ]", "", h).strip().lower().replace(" ", "-") for h in plain}


def bad_links(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: link to {link}: there is no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{page.relative_to(ROOT)}: link to {link}: there is no such heading"


def stale_config():
    generator, page = ROOT / "scripts/gen_config_doc", ROOT / "docs/CONFIG.md"
    if not generator.exists():
        return
    made = subprocess.run([generator], cwd=ROOT, capture_output=True, text=True)
    if made.returncode != 0:
        yield f"scripts/gen_config_doc failed: {made.stderr.strip()}"
    elif not page.exists() or made.stdout != page.read_text(encoding="utf-8"):
        yield "docs/CONFIG.md is stale: run scripts/gen_config_doc > docs/CONFIG.md"


def main():
    listed = pages()
    bad = [line for page in listed for line in bad_links(page)] + list(stale_config())
    for line in bad:
        print(line)
    print(f"docs: {len(listed)} pages, {len(bad)} faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
