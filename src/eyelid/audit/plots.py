"""The curves of an audit as drawings in SVG that take their colours from the page, each said in words too.

The same audit gives the same bytes: no date, no random identifier.
"""

from __future__ import annotations

import html
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from eyelid.audit.model import CurveKind
from eyelid.audit.words import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from eyelid.attack.base import AttackResult
    from eyelid.audit.model import Audit, Curve, Utility

RANKS_SHOWN: Final = 20
_SIZE: Final = (5.0, 3.7)
_INK, _MUTED, _LINE, _MARK = "#010203", "#010204", "#010205", "#010206"
_SERIES: Final = ("#010207", "#010208", "#010209", "#01020a")
_OF_THE_PAGE: Final = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _LINE: "var(--line)",
    _MARK: "var(--bad)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(_SERIES, 1)},
}
"""Stand-ins that no drawing uses otherwise, and the colours of the page that replace them."""
_DASHES: Final = ("-", "--", "-.", ":")
_MARKERS: Final = ("o", "s", "D", "^")
_STYLE: Final = {
    "svg.fonttype": "none",  # words stay words: searchable, and in the font of the page
    "text.parse_math": False,
    "font.size": 10.0,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.8,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "text.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing: inline ``svg``, its ``title``, and what it shows in ``words``."""

    title: str
    svg: str
    words: str


def plots(audit: Audit) -> tuple[Plot, ...]:
    """Draw what there are figures for: rank curve, ROC, epsilon curve, privacy over utility."""
    of = {kind: [curve for curve in audit.curves if curve.kind is kind] for kind in CurveKind}
    drawn = []
    if of[CurveKind.RANK]:
        drawn.append(_rank(of[CurveKind.RANK]))
    if of[CurveKind.ROC]:
        drawn.append(_roc(of[CurveKind.ROC]))
    if of[CurveKind.EPSILON]:
        drawn.append(_epsilon(of[CurveKind.EPSILON], audit))
    if strongest := strongest_naming(audit):
        drawn.append(_trade(strongest, audit.utility))
    return tuple(drawn)


def strongest_naming(audit: Audit) -> AttackResult | None:
    """Return the attack that names most people, of those that go by what was covered."""
    named = [r for r in audit.attacks if r.measure == "rank-1" and not r.attack.startswith("context")]
    return max(named, key=lambda result: result.success - result.chance, default=None)


def utilities(utility: Utility) -> dict[str, float]:
    """Return the shares of one that say what is left to work with, each under its name."""
    found = {"pixels untouched": utility.untouched}
    found |= {
        f"{kept.target}s still found": min(kept.after / kept.before, 1.0)
        for kept in utility.kept
        if kept.before
    }
    return found | ({} if utility.probe is None else {"linear probe": utility.probe})


def _rank(curves: Sequence[Curve]) -> Plot:
    from matplotlib.ticker import MaxNLocator  # an extra

    people = max(len(curve.x) for curve in curves)
    shown = min(people, RANKS_SHOWN)

    def draw(axes: Axes) -> None:
        _lines(axes, curves, marker="o")
        axes.plot([1, people], [1 / people, 1], color=_MUTED, linewidth=1.2, linestyle=":", label="guessing")
        axes.set(xlabel="guesses", ylabel="person is among them", xlim=(0.7, shown + 0.3), ylim=(0, 1.03))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    words = [
        f"{curve.name}: the first guess is right in {percent(curve.y[0])} of the cases, one of the first "
        f"{min(5, len(curve.x))} in {percent(curve.y[min(5, len(curve.y)) - 1])}."
        for curve in curves
    ]
    words.append(f"Guessing among {people} people: {percent(1 / people)}.")
    return _plot("Rank curve", "rank", draw, words)


def _roc(curves: Sequence[Curve]) -> Plot:
    def draw(axes: Axes) -> None:
        _lines(axes, curves)
        axes.plot([0, 1], [0, 1], color=_MUTED, linewidth=1.2, linestyle=":", label="guessing")
        axes.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1.01), ylim=(0, 1.03))

    words = [
        f"{curve.name}: where 10 % of the wrong pairs pass, {percent(_at(curve, 0.1))} of the right ones do."
        for curve in curves
    ]
    return _plot("ROC: same person or not", "roc", draw, [*words, "Guessing: 10 %."])


def _epsilon(curves: Sequence[Curve], audit: Audit) -> Plot:
    spent = audit.privacy.epsilon_whole if audit.privacy else None

    def draw(axes: Axes) -> None:
        _lines(axes, curves)
        reach = max(curve.x[-1] for curve in curves)
        if spent is not None and spent <= reach:
            axes.axvline(spent, color=_MARK, linewidth=1.6, linestyle="--", label="spent, whole region")
        axes.set(xlabel="epsilon", ylabel="an attacker is sure, at most", xlim=(0, reach), ylim=(0, 1.03))

    words = []
    for curve in curves:
        at = curve.x[-1] if spent is None else min(spent, curve.x[-1])
        words.append(
            f"{curve.name}: without the picture an attacker is {percent(curve.y[0])} sure; "
            f"at epsilon {at:.4g} at most {percent(_at(curve, at))}."
        )
    return _plot("What epsilon allows", "epsilon", draw, words)


def _trade(strongest: AttackResult, utility: Utility) -> Plot:
    left = utilities(utility)
    low, high = strongest.interval

    def draw(axes: Axes) -> None:
        for number, (name, share) in enumerate(left.items()):
            axes.errorbar(
                [share],
                [strongest.success],
                yerr=[[max(strongest.success - low, 0)], [max(high - strongest.success, 0)]],
                color=_SERIES[number % len(_SERIES)],
                marker=_MARKERS[number % len(_MARKERS)],
                markersize=8,
                capsize=4,
                linestyle="none",
                label=name,
            )
        axes.axhline(strongest.chance, color=_MUTED, linewidth=1.2, linestyle=":", label="chance")
        axes.set(
            xlabel="utility left (more is better)",
            ylabel="people named (less is better)",
            xlim=(-0.03, 1.03),
            ylim=(0, 1.03),
        )

    listed = ", ".join(f"{name} {percent(share)}" for name, share in left.items())
    words = [
        f"The strongest attack names {percent(strongest.success)} (chance {percent(strongest.chance)}).",
        f"Left to work with: {listed}.",
        "Audits of other methods on the same original can be laid beside it: best is the lower right.",
    ]
    return _plot("Privacy and utility", "trade", draw, words)


def _lines(axes: Axes, curves: Sequence[Curve], marker: str | None = None) -> None:
    for number, curve in enumerate(curves):
        axes.plot(
            curve.x,
            curve.y,
            color=_SERIES[number % len(_SERIES)],
            linestyle=_DASHES[number % len(_DASHES)],
            marker=marker,
            markersize=3.5,
            label=curve.name,
        )


def _at(curve: Curve, x: float) -> float:
    return float(np.interp(x, curve.x, curve.y))


def _plot(title: str, name: str, draw: Callable[[Axes], None], words: Sequence[str]) -> Plot:
    from matplotlib import rc_context, rcdefaults, rcParams  # an extra
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    drawn = io.StringIO()
    style: Any = {**_STYLE, "svg.hashsalt": f"eyelid-{name}"}
    with rc_context():
        rcdefaults()  # whatever the user's own style is
        rcParams.update(style)
        sheet = Figure(figsize=_SIZE, layout="constrained")
        axes = sheet.add_subplot()
        draw(axes)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        if axes.get_xlim()[1] < 1.5:
            axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        sheet.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        sheet.savefig(drawn, format="svg", transparent=True, metadata=nothing)
    said = " ".join(words)
    return Plot(title, _inline(drawn.getvalue(), f"{title}. {said}"), said)


def _inline(svg: str, label: str) -> str:
    """Take from a file of SVG what a page needs, with the colours of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<style\b.*?</style>", "", svg, flags=re.DOTALL)  # would hold for the whole page
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'\sxmlns(?::\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(
        r'^<svg\b[^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{_attribute(label)}">', svg
    )
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    for stand_in, colour in _OF_THE_PAGE.items():
        svg = svg.replace(stand_in, colour)
    return svg.strip()


def _attribute(text: str) -> str:
    return html.escape(text).replace("\\", r"\\")
