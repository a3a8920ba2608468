"""The page as a browser shows it: on a phone, on a desk, in the dark, and on paper."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from eyelid.audit.model import Standing
from eyelid.audit.report import render
from tests.audit.samples import audited

if TYPE_CHECKING:
    from pathlib import Path

CHROMIUM = shutil.which("chromium")
STANDINGS = (Standing.EXPOSED, Standing.BOUNDED)
WIDTHS = (320, 390, 768, 1280)
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
MEASURE = """<!DOCTYPE html><title>waiting</title>{frames}<script>
addEventListener("load", () => {{
  document.title = JSON.stringify([...document.querySelectorAll("iframe")].map((frame) => {{
    const page = frame.contentDocument, root = page.documentElement;
    const tables = [...page.querySelectorAll(".scroll")];
    return {{
      inside: root.clientWidth, needed: root.scrollWidth,
      scrolling: tables.some((box) => box.scrollWidth > box.clientWidth),
      pictures: [...page.images].every((image) => image.naturalWidth === 92),
    }};
  }}));
}});
</script>"""

if CHROMIUM is None and "CI" not in os.environ:
    pytest.skip("there is no chromium here; apt-get install chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Standing, Path]:
    """One red and one green report."""
    folder = tmp_path_factory.mktemp("reports")
    written = {}
    for standing in STANDINGS:
        written[standing] = folder / f"{standing.name.lower()}.audit.html"
        written[standing].write_text(render(audited(standing), written[standing].name), encoding="utf-8")
    return written


def chromium(folder: Path, *options: str) -> str:
    """Run Chromium in a profile of its own and return what it prints."""
    assert CHROMIUM, "there is no chromium, which tools/setup.sh installs"
    done = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_it_fits_every_width_and_only_tables_scroll(pages: dict[Standing, Path], tmp_path: Path) -> None:
    cases = [(standing, width) for standing in STANDINGS for width in WIDTHS]
    frames = "".join(
        f'<iframe src="{pages[standing].as_uri()}" width="{width}" height="900" style="border:0"></iframe>'
        for standing, width in cases
    )
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(MEASURE.format(frames=frames))
    dom = chromium(tmp_path, "--allow-file-access-from-files", "--dump-dom", wrapper.as_uri())
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title
    measured = json.loads(html.unescape(title[1]))
    for (standing, width), found in zip(cases, measured, strict=True):
        assert found["inside"] == width
        assert found["needed"] <= width, f"{standing} is wider than {width} pixels"
        assert found["pictures"]
        assert found["scrolling"] or width >= 768


def test_a_page_that_is_too_wide_would_be_noticed(tmp_path: Path) -> None:
    wide = tmp_path / "wide.html"
    wide.write_text('<meta name="viewport" content="width=device-width"><p style="width:700px">wide')
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(MEASURE.format(frames=f'<iframe src="{wide.as_uri()}" width="390"></iframe>'))
    dom = chromium(tmp_path, "--allow-file-access-from-files", "--dump-dom", wrapper.as_uri())
    assert '"needed":7' in html.unescape(dom)


@pytest.mark.parametrize(
    ("standing", "dark", "ground", "card"),
    [
        (Standing.EXPOSED, False, "#fcfbf9", "#fbeae7"),
        (Standing.EXPOSED, True, "#161513", "#3b1b18"),
        (Standing.BOUNDED, False, "#fcfbf9", "#e5f2e9"),
    ],
)
def test_the_verdict_has_its_colour(
    pages: dict[Standing, Path], tmp_path: Path, standing: Standing, dark: bool, ground: str, card: str
) -> None:
    shot = tmp_path / "shot.png"
    theme = ["--force-dark-mode"] if dark else []
    chromium(tmp_path, *theme, "--window-size=1280,800", f"--screenshot={shot}", pages[standing].as_uri())
    picture = cv2.imread(str(shot))
    assert picture is not None
    assert share(np.asarray(picture, np.uint8), ground) > 0.3
    assert 0.05 < share(np.asarray(picture, np.uint8), card) < 0.5


def share(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], colour: str) -> float:
    """Return the share of pixels that have a colour, within what drawing rounds."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (5, 3, 1)])
    return float((np.abs(picture.astype(np.int64) - wanted).max(axis=2) <= 2).mean())


@pytest.mark.parametrize("standing", STANDINGS)
def test_it_prints_on_a4(pages: dict[Standing, Path], tmp_path: Path, standing: Standing) -> None:
    paper = tmp_path / "paper.pdf"
    chromium(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={paper}", pages[standing].as_uri())
    document = paper.read_bytes()
    assert 2 <= len(re.findall(rb"/Type /Page\b(?!s)", document)) <= 6
    size = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", document)
    assert size
    assert (float(size[1]), float(size[2])) == pytest.approx((595, 842), abs=1.5)
