"""Draws docs/pictures/ from the demo: the terminal as SVG, the HTML digest as PNG by a Chromium that is on the machine.

python docs/pictures.py [--chromium chromium]
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent / "pictures"
ROOT = HERE.parent.parent
COLUMNS, LINES = 80, 46
SHOTS = {"digest-light.png": (1280, 1000, False), "digest-dark.png": (1280, 1000, True), "digest-phone.png": (500, 1000, False)}
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>The digest in a terminal</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#17181a" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})"><g class="{unique_id}-matrix">{backgrounds}{matrix}</g></g>
</svg>
"""


def demo(*arguments: str, **environment: str) -> str:
    """What `aggregator demo` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "aggregator", "-q", "demo", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def terminal_lines() -> list[str]:
    """The first lines of the demo's digest as a terminal with colour gets them."""
    from aggregator.cli.demo import _demo_app
    from aggregator.demo.server import bundled_feeds, serve
    from aggregator.digest.period import span_period
    from aggregator.digest.render import render
    from aggregator.digest.terminal import Look

    with tempfile.TemporaryDirectory() as folder, serve(bundled_feeds()) as urls:
        app = _demo_app(Path(folder), urls)
        try:
            app.fetch()
            made = app.digest(span_period("24h", None, app.zone, app.clock()))
        finally:
            app.close()
    return render(made, "terminal", look=Look(width=COLUMNS, colour=True, links=True)).splitlines()[:LINES]


def draw_terminal() -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="standard", force_terminal=True, _environ={})
    console.print(Text.from_ansi("\n".join(terminal_lines())))
    console.save_svg(str(HERE / "terminal.svg"), title="aggregator digest", code_format=SVG, unique_id="digest")


def draw_pages(chromium: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "digest.html"
        page.write_text(demo("--format", "html"), encoding="utf-8")
        for name, (width, height, dark) in SHOTS.items():
            options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"]
            options += ["--blink-settings=preferredColorScheme=0"] if dark else []
            subprocess.run([chromium, *options, f"--screenshot={HERE / name}", page.as_uri()], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="chromium")
    chromium = parser.parse_args().chromium
    HERE.mkdir(exist_ok=True)
    draw_terminal()
    if shutil.which(chromium):
        draw_pages(chromium)
    else:
        print(f"There is no {chromium} here: only the terminal was drawn.")


if __name__ == "__main__":
    main()
