"""The page: what it says, what it must not hold, and that it needs nothing but itself."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from eyelid.attack.base import Knowledge
from eyelid.audit.model import Audit, Standing, VisibleSpan
from eyelid.audit.plots import plots
from eyelid.audit.report import SPANS_LISTED, render
from eyelid.audit.save import save
from eyelid.audit.words import STANDINGS, reading
from eyelid.errors import OutputError
from eyelid.types import Target
from tests.audit.samples import audited

if TYPE_CHECKING:
    from eyelid.audit.run import Audited
    from eyelid.types import Bgr

NAME = "street.audit.html"
SOURCE = Path(render.__code__.co_filename).parent
VOID = {"meta", "br", "img", "rect", "line", "circle", "path", "use"}
PAIRS = [
    *((text, ground) for text in ("ink", "muted") for ground in ("ground", "panel")),
    *((tone, "ground") for tone in ("bad", "mind", "doubt", "good")),
    *((tone, "panel") for tone in ("bad", "mind", "doubt", "good")),
    *((tone, f"{tone}-ground") for tone in ("bad", "mind", "doubt", "good")),
    *(("ink", f"{tone}-ground") for tone in ("bad", "mind", "doubt", "good")),
    *((f"series-{number}", "ground") for number in (1, 2, 3, 4)),
]
"""Text and the ground that it stands on."""


class Page(HTMLParser):
    """Takes a page apart, and finds what a checker of HTML and of accessibility would complain about."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[int] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in {"style", "script"}:
            self.text += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def changed(made: Audited, **parts: object) -> Audited:
    """Return an audit with other parts."""
    return replace(made, audit=Audit.model_validate(made.audit.model_dump(by_alias=True) | parts))


@cache
def drawn(standing: Standing, *, still: bool = False) -> str:
    """Return a page that several tests look at."""
    return render(audited(standing, still=still), NAME)


def pictures(page: str) -> list[Bgr]:
    """Return the pictures in a page."""
    found = []
    for code in re.findall(r"data:image/png;base64,([\w+/=]+)", page):
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(code), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        found.append(np.asarray(decoded, np.uint8))
    return found


@pytest.mark.parametrize("standing", Standing)
def test_every_standing_is_said_in_words_and_not_in_colour_alone(standing: Standing) -> None:
    page = drawn(standing)
    said = STANDINGS[standing]
    assert f'class="verdict {said.tone}"' in page
    text = Page(page).text
    assert said.title in text
    assert said.symbol in text
    assert audited(standing).audit.verdict.sentence in text
    assert re.search(r"\bsafe\b", text, re.IGNORECASE) is None


def test_red_is_for_exposed_alone() -> None:
    tones = {standing: said.tone.value for standing, said in STANDINGS.items()}
    assert [standing for standing, tone in tones.items() if tone == "bad"] == [Standing.EXPOSED]
    assert {tones[Standing.AT_CHANCE], tones[Standing.BOUNDED]} == {"good"}
    assert len({(said.title, said.symbol) for said in STANDINGS.values()}) == len(Standing)


def test_what_was_measured_is_in_the_page() -> None:
    made = audited(Standing.BOUNDED)
    text = re.sub(r"\s+", " ", Page(drawn(Standing.BOUNDED)).text)
    audit = made.audit
    for result in audit.attacks:
        assert result.attack[1:] in text
        assert result.threat.goal in text
        assert result.threat.capability in text
        assert reading(result).words in text
    for expected in (
        audit.output.sha256,
        audit.original.sha256,
        audit.evidence,
        "dp-pixelate: epsilon 0.5, pixels 16",
        "6 %",
        "1 to 11 %",
        "4.17 %",
        "the output has no sound",
        audit.warnings[0],
        "For a whole region8",
        audit.guarantee and audit.guarantee.assumption,
        *(audit.guarantee.not_covered if audit.guarantee else ()),
        "296 in the output, 310 in the original",
        "1 min 11 s",
        "3.11.7",
        "street.audit.json",
    ):
        assert expected
        assert expected in text
    for level in Knowledge:
        assert level in text


def test_no_original_is_in_the_page_unless_asked_for() -> None:
    made = audited(Standing.EXPOSED)  # leaves the first person as they are
    kept = pictures(drawn(Standing.EXPOSED))
    for portrait in made.portraits:
        assert not any(np.array_equal(picture, portrait.original) for picture in kept)
    assert len(kept) == sum(1 + (p.restored is not None) for p in made.portraits) - 1
    assert "withheld" in Page(drawn(Standing.EXPOSED)).text

    asked = render(made, NAME, show_original=True)
    shown = pictures(asked)
    for portrait in made.portraits:
        assert any(np.array_equal(picture, portrait.original) for picture in shown)
    text = Page(asked).text
    assert "This page holds originals" in text
    assert text.count("ORIGINAL") >= len(made.portraits)
    assert "withheld" not in text


def test_an_original_that_was_coded_once_more_is_withheld_too() -> None:
    made = audited(Standing.EXPOSED)
    first = made.portraits[1]
    smooth = np.asarray(cv2.GaussianBlur(first.original, (0, 0), 3), np.uint8)
    coded = cv2.imdecode(cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 85])[1], cv2.IMREAD_COLOR)
    assert coded is not None
    again = np.asarray(coded, np.uint8)
    grey = np.asarray(cv2.cvtColor(cv2.cvtColor(again, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)
    page = render(
        replace(made, portraits=(replace(first, anonymised=again, restored=grey, original=smooth),)), NAME
    )
    assert pictures(page) == []


def test_the_page_needs_nothing_but_itself() -> None:
    page = drawn(Standing.BOUNDED)
    parsed = Page(page)
    policy = next(m["content"] for m in parsed.named("meta") if m.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert parsed.tags[3][1].get("http-equiv"), "the policy comes before all that it rules"
    assert "://" not in page
    assert parsed.named("script") == parsed.named("link") == []
    for _, attributes in parsed.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href"}:
                assert str(value).startswith(("data:image/png;base64,", "#"))
    assert set(re.findall(r"url\((.)", page)) == {"#"}
    assert "@import" not in page


def test_the_page_can_be_read_by_those_who_do_not_see_it() -> None:
    for standing in Standing:
        parsed = Page(drawn(standing))
        assert parsed.open == []
        assert parsed.named("html") == [{"lang": "en"}]
        assert parsed.headings[0] == 1
        assert parsed.headings.count(1) == 1
        pairs = zip(parsed.headings, parsed.headings[1:], strict=False)
        assert all(after - before <= 1 for before, after in pairs)
        assert all(attributes.get("scope") in {"col", "row"} for attributes in parsed.named("th"))
        assert all(attributes.get("alt") for attributes in parsed.named("img"))
        drawings = parsed.named("svg")
        assert all(d.get("aria-hidden") or (d.get("role") == "img" and d.get("aria-label")) for d in drawings)
        identifiers = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
        assert len(identifiers) == len(set(identifiers))
        assert len(parsed.named("caption")) == len(parsed.named("table"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(theme: str) -> None:
    css = (SOURCE / "report.css").read_text()
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w{6});", part)) for part in _themes(css))
    assert light.keys() == dark.keys()
    colours = light if theme == "light" else dark
    poor = {pair: ratio for pair in PAIRS if (ratio := contrast(*(colours[name] for name in pair))) < 4.5}
    assert poor == {}


def _themes(css: str) -> tuple[str, str]:
    light, dark = css.split("@media screen and (prefers-color-scheme: dark)")
    return light, dark[: dark.index("* { box-sizing")]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_counted_as_the_standard_counts_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)


def test_names_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>&\"'$x^2$"
    made = audited()
    curves = [curve.model_dump() | {"name": evil} for curve in made.audit.curves]
    page = render(
        changed(
            audited(name=evil.replace("/", ".")),
            curves=curves,
            warnings=[evil],
            skipped=[{"attack": evil, "reason": evil}],
        ),
        NAME,
    )
    parsed = Page(page)
    assert parsed.named("script") == []
    assert parsed.open == []
    assert parsed.text.count("$x^2$") >= 5


def test_the_same_audit_gives_the_same_bytes() -> None:
    assert drawn(Standing.BOUNDED) == render(audited(Standing.BOUNDED), NAME)


def test_each_figure_is_said_in_words() -> None:
    found = {plot.title: plot for plot in plots(audited(Standing.BOUNDED).audit)}
    assert list(found) == [
        "Rank curve",
        "ROC: same person or not",
        "What epsilon allows",
        "Privacy and utility",
    ]
    for plot in found.values():
        assert plot.words in plot.svg.replace("&#x27;", "'")
        assert "#0102" not in plot.svg, "a stand-in for a colour of the page stayed"
    assert "the first guess is right in 6 %" in found["Rank curve"].words
    assert "at epsilon 8 at most 99.2 %" in found["What epsilon allows"].words
    assert "The strongest attack names 6 % (chance 4.17 %)" in found["Privacy and utility"].words
    assert "What epsilon allows" not in {plot.title for plot in plots(audited().audit)}


def test_the_timeline_has_every_stretch_in_its_place() -> None:
    page = drawn(Standing.EXPOSED)
    places = re.findall(r'class="stretch" x="([\d.]+)%" y="5.5" width="([\d.]+)%"', page)
    assert len(places) == len(audited().audit.visible)
    assert float(places[0][0]) == pytest.approx(100 * 312 / 25 / 61.4, abs=0.01)
    assert float(places[0][1]) == pytest.approx(100 * (420 - 312) / 25 / 61.4, abs=0.01)
    assert all(float(width) > 0 for _, width in places), "a single glance shows too"


def test_a_still_has_pages_and_no_time() -> None:
    page = drawn(Standing.EXPOSED, still=True)
    assert 'class="stretch"' not in page
    assert "page 1" in Page(page).text
    assert "x 600 to 640, y 80 to 132 px" in Page(page).text


def test_a_stretch_names_the_frame_of_its_place() -> None:
    assert "x 600 to 640, y 80 to 132 px in frame 312" in Page(drawn(Standing.EXPOSED)).text


def test_many_stretches_are_counted_where_they_are_not_listed() -> None:
    spans = [
        VisibleSpan(
            target=Target.FACE, first=i * 10, last=i * 10, start=i / 4, end=i / 4, frames=1, score=0.5
        )
        for i in range(SPANS_LISTED + 7)
    ]
    made = changed(audited(), visible=spans, curves=())
    assert "And 7 more" in Page(render(made, NAME)).text


def test_an_audit_that_could_attack_nothing_has_a_page_too() -> None:
    made = changed(
        audited(Standing.IN_DOUBT),
        attacks=(),
        curves=(),
        method=None,
        evidence=None,
        guarantee=None,
        privacy=None,
        timings=(),
        tracks=0,
        warnings=(),
    )
    text = Page(render(replace(made, portraits=()), NAME)).text
    assert "No attack could be run." in text
    assert "Nothing: there is no evidence of this output" in text
    assert "not measured" in text


def test_an_existing_report_stays(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("kept")
    with pytest.raises(OutputError, match="--force"):
        save(audited(), tmp_path / "a.audit.json", path)
    assert path.read_text() == "kept"
    assert not (tmp_path / "a.audit.json").exists()
    save(audited(), tmp_path / "a.audit.json", path, force=True)
    assert "<!DOCTYPE html>" in path.read_text()
