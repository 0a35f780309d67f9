"""A picture of a training log."""

from __future__ import annotations

from pathlib import Path

NOT_LOSSES = ("step", "learning_rate", "seconds")


def draw_curves(rows: list[dict[str, str]], path: Path) -> None:
    """Draw every loss of a log over the steps, on a logarithmic axis, as a PNG."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for name in dict.fromkeys(name for row in rows for name in row if name not in NOT_LOSSES):
        points = [(int(row["step"]), float(row[name])) for row in rows if row.get(name)]
        if points:
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1)
    axes.set(xlabel="step", yscale="log")
    if axes.has_data():
        axes.legend()
    axes.grid(True, which="both", alpha=0.2)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
