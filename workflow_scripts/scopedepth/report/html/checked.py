"""What a look at a dataset found, as one page: pictures, depths beside the ranges of protocols, what would be lost."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from scopedepth.report.html.page import environment, source_hash, static, style
from scopedepth.report.html.parts.svg import Drawing, Scale
from scopedepth.report.html.parts.table import Cell, Column, Table, value_cell
from scopedepth.report.html.sections.datasets import legend, share, shown, spec_facts
from scopedepth.report.words import count, significant
from scopedepth.version import own_version

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

WIDTH, BARS, LANE = 460.0, 90.0, 22.0
LEFT, RIGHT = 8.0, 8.0
# Depth is drawn up to this percentile, so that one far pixel does not squeeze all others.
SHOWN_TO = "99"


def write_checked(
    spec: specs.Dataset,
    root: Path,
    said: Sequence[str],
    sequences: Sequence[Mapping[str, Any]],
    protocols: Mapping[str, specs.Protocol],
    shown_of: Mapping[str, Sequence[int]],
    out: Path,
) -> None:
    """Write the page of a dataset to `out`: one HTML file that needs no network.

    said: what was found of the dataset on the whole, a sentence each. sequences: facts by name, as `check_sequence`
    returns them, with `pictures` and with `kept`, what each protocol keeps (`evaluation.lost.Kept` as a mapping).
    protocols: the specs of those by name. shown_of: the flags' colours, RGB by name.
    """
    script, early = static("page.js"), static("early.js")
    html = (
        environment()
        .get_template("checked.html.j2")
        .render(
            title=spec.get("title") or spec["name"],
            name=spec["name"],
            root=str(root),
            version=own_version(),
            frames=count(sum(one["frames"] for one in sequences)),
            sequence_count=count(len(sequences)),
            said=said,
            facts=spec_facts(spec),
            problems=[
                (one["name"], text) for one in sequences for text in [*one["problems"], *one["doubts"]]
            ],
            notes=[(one["name"], text) for one in sequences for text in [*one["findings"], *one["notes"]]],
            table=sequences_table(sequences),
            charts=[chart for one in sequences if (chart := depths(one)) is not None],
            kept=kept_table(sequences, protocols),
            pictures=[shown(one, given) for one in sequences for given in one["pictures"]],
            legend=legend({"legend": {name: list(colour) for name, colour in shown_of.items()}}),
            style=Markup(style()),
            script=Markup(script),
            early=Markup(early),
            script_hashes=Markup(" ".join(f"'sha256-{source_hash(text)}'" for text in (early, script))),
        )
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(out.name + ".partial")
    beside.write_text(html, encoding="utf-8")
    os.replace(beside, out)


def sequences_table(sequences: Sequence[Mapping[str, Any]]) -> Table:
    """Return one row a sequence: frames, depth, and the shares of its pixels that are lost to something."""
    columns = [
        Column("Sequence"),
        Column("Frames", number=True),
        Column("Published", number=True, tip="frames as the configuration's `published` has them"),
        Column("Size", number=True, tip="width x height, pixels"),
        Column("Median depth", number=True),
        Column("Pixels with depth", number=True),
        Column("Border", number=True, tip="dark in all frames and at the rim"),
        Column("Specular", number=True, tip="pixels flagged as highlights"),
        Column(
            "Over-exposed", number=True, tip="of the picture: a channel is clipped, and it is no highlight"
        ),
        Column("Under-exposed", number=True, tip="of the picture: as dark as a border"),
    ]
    rows = []
    for one in sequences:
        depth, flags = one.get("depth") or {}, one.get("flag_shares") or {}
        middle = (depth.get("percentiles") or {}).get("50")
        unit = " mm" if one["units"] == "mm" else ""
        published = one.get("published")
        size = f"{one['width']} × {one['height']}" if "width" in one else "–"
        rows.append([
            Cell(one["name"], one["name"], one["name"]),
            value_cell(count(one["frames"]), one["frames"]),
            value_cell("–" if published is None else count(published), published),
            Cell(size),
            value_cell("–" if middle is None else significant(middle) + unit, middle),
            *(
                value_cell("–" if value is None else share(value), value)
                for value in (
                    one.get("valid_share"),
                    flags.get("border"),
                    flags.get("specular"),
                    one.get("over_exposed"),
                    one.get("under_exposed"),
                )
            ),
        ])  # fmt: skip
    return Table("Sequences, by the frames looked at", columns, rows)


def depths(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the histogram of a sequence's depths with the ranges of the protocols below it; None without depth."""
    depth = one.get("depth")
    if depth is None:
        return None
    counts, edges = depth["histogram"]["counts"], depth["histogram"]["edges"]
    ranges = ranges_of(one)
    farthest = max([depth["percentiles"][SHOWN_TO], *(low for low, _, _ in ranges)])
    stop = min(edges[-1], farthest * 1.15) or 1.0
    unit = " (mm)" if one["units"] == "mm" else ""
    height = BARS + LANE * len(ranges) + 30
    drawing = Drawing(
        WIDTH,
        height,
        f"{one['name']}: depths from {significant(depth['min'])} to {significant(depth['max'])}{unit}",
    )
    scale = Scale(0.0, stop, LEFT, WIDTH - RIGHT)
    most = max(counts) or 1
    for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True):
        if low < stop:
            x, tall = scale(low), n / most * (BARS - 6)
            drawing.rect(x, BARS - tall, scale(min(high, stop)) - x - 0.5, tall, "fill base", radius=0)
    for lane, (low, high, names) in enumerate(ranges):
        y = BARS + LANE * (lane + 1)
        end = scale(min(high, stop))
        drawing.line(scale(min(low, stop)), y, end, y, "range")
        words = f"{significant(low)} to {'any depth' if high == float('inf') else significant(high)}: {names}"
        drawing.text(scale(min(low, stop)) + 4, y - 5, words, "tick")
    drawing.x_axis(scale, BARS + LANE * len(ranges) + 10, "", 6)
    beyond = sum(n for low, n in zip(edges[:-1], counts, strict=True) if low >= stop) / (sum(counts) or 1)
    note = f"; {share(beyond)} of the depths lie beyond what is drawn" if beyond > 0 else ""
    return {"caption": f"{one['name']}, depth{unit}{note}", "drawing": drawing.render()}


def ranges_of(one: Mapping[str, Any]) -> list[tuple[float, float, str]]:
    """Return the ranges of depth that protocols count on a sequence, each with its protocols' names."""
    by_range: dict[tuple[float, float], list[str]] = {}
    for name, kept in one["kept"].items():
        key = (kept["low"] or 0.0, float("inf") if kept["high"] is None else kept["high"])
        by_range.setdefault(key, []).append(name)
    return [
        (low, high, ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else ""))
        for (low, high), names in sorted(by_range.items())
    ]


def kept_table(
    sequences: Sequence[Mapping[str, Any]], protocols: Mapping[str, specs.Protocol]
) -> Table | None:
    """Return what each protocol would leave out of the frames looked at, all sequences together; None without depth."""
    columns = [
        Column("Protocol"),
        Column("What it leaves out", tip="beside missing depth"),
        Column("Pixels with depth that count", number=True),
        Column("The least of a sequence", number=True),
        Column("Frames without a fit", number=True, tip="of those looked at: too few pixels count"),
    ]
    rows = []
    for name, protocol in protocols.items():
        found = {one["name"]: one["kept"][name] for one in sequences if name in one["kept"]}
        with_depth = sum(kept["with_depth"] for kept in found.values())
        if not with_depth:
            continue
        counting = sum(kept["counting"] for kept in found.values()) / with_depth
        shares = {
            key: kept["counting"] / kept["with_depth"] for key, kept in found.items() if kept["with_depth"]
        }
        least = min(shares, key=lambda key: shares[key])
        too_few = sum(kept["too_few"] for kept in found.values())
        looked_at = sum(kept["frames"] for kept in found.values())
        rows.append([
            Cell(name, name, name, tip=str(protocol.get("title", ""))),
            Cell(left_out(protocol, next(iter(found.values()))), css="words"),
            value_cell(share(counting), counting),
            value_cell(f"{share(shares[least])} ({least})", shares[least]),
            value_cell(f"{count(too_few)} of {count(looked_at)}", too_few),
        ])  # fmt: skip
    return Table("What a study would lose, by protocol", columns, rows) if rows else None


def left_out(protocol: specs.Protocol, kept: Mapping[str, Any]) -> str:
    """Return in words which pixels a protocol does not count."""
    said = []
    if kept["low"] is not None:
        said.append(f"nearer than {significant(kept['low'])} mm")
    if kept["high"] is not None:
        said.append(f"farther than {significant(kept['high'])} mm")
    masks = protocol["masks"]
    said += [str(flag).replace("_", " ") for flag in masks["exclude"]]
    if masks["grey_above"] is not None:
        said.append(f"grey up to {significant(masks['grey_above'])}")
    if masks["rgb_sum_below"] is not None:
        said.append(f"R + G + B from {significant(masks['rgb_sum_below'])} on")
    if masks["erode"] > 1:
        said.append(f"beside missing depth ({masks['erode']} px)")
    return ", ".join(said) or "nothing"
