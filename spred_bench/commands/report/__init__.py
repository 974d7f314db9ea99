"""One HTML file with everything: claims, figures, settings, commands, hardware, versions. It needs no network."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from spred_bench import __version__
from spred_bench.reporting import labels, plots
from spred_bench.reporting.claims import evidence, printing, rules, verdicts
from spred_bench.reporting.claims.evidence import Folder
from spred_bench.running import records

_DPI = 150


def page(results: Path) -> str:
    """The report on everything below `results`. Raises UserError as `evidence.read` does."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    folders = evidence.read(results)
    table = verdicts.judge(rules.load(), folders)
    experiments = {name: part["title"].iloc[0] for name, part in table.groupby("experiment", sort=False)}
    environment = Environment(loader=PackageLoader(__name__, "."), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html.j2").render(
        version=__version__,
        results=results,
        counts={verdict: int((table["verdict"] == verdict).sum()) for verdict in verdicts.VERDICTS},
        verdicts=verdicts.VERDICTS,
        experiments=experiments,
        claims=[
            {**line, **dict(zip(("number", "about"), printing.measured_value(line), strict=True))}
            for _, line in table.iterrows()
        ],
        folders=[_folder(folder) for folder in folders],
        runs=[_run(folder.name, run, manifest) for folder in folders for run, manifest in folder.manifests.items()],
        machines=_machines(folders),
    )


def _folder(folder: Folder) -> dict:
    """What one experiment shows: its figures, and how each of its runs was made."""
    for manifest in folder.manifests.values():
        labels.learn(manifest.get("config", {}))
    return {
        "name": folder.name,
        "figures": [
            {"caption": plots.caption(name), "image": _image(figure)} for name, figure in plots.draw_all(folder.records)
        ],
        "runs": [_run(folder.name, run, manifest) for run, manifest in folder.manifests.items()],
    }


def _image(figure) -> str:
    """A figure as the address of an image that is its own content."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _run(folder: str, run: str, manifest: Mapping) -> dict:
    config, git = manifest.get("config", {}), manifest.get("git") or {}
    return {
        "folder": folder,
        "id": run,
        "status": manifest.get("status", ""),
        "command": manifest.get("command", ""),
        "scale": config.get("scale", ""),
        "device": config.get("device", ""),
        "start": manifest.get("start", "")[:16].replace("T", " "),
        "seconds": _seconds(manifest),
        "cells": ", ".join(f"{count} {fate}" for fate, count in manifest.get("cells", {}).items() if count),
        "code": f"{manifest.get('spred_bench', '')} {git.get('sha', '')[:10]}{' changed' if git.get('dirty') else ''}",
        "settings": json.dumps(records.identity(config), indent=1) if config else "",
        "machine": _machine(manifest.get("environment", {})),
    }


def _seconds(manifest: Mapping) -> float | str:
    if not manifest.get("end") or not manifest.get("start"):
        return ""
    start, end = (datetime.fromisoformat(manifest[key]) for key in ("start", "end"))
    return (end - start).total_seconds()


def _machine(environment: Mapping) -> str:
    """'Intel(R) Xeon(R) Processor, 2 cores, 23.5 GiB, no CUDA'."""
    cuda = environment.get("cuda") or {}
    devices = ", ".join(device["name"] for device in cuda.get("devices", [])) or "no CUDA"
    memory = f"{environment['ram_bytes'] / 2**30:.1f} GiB, " if environment.get("ram_bytes") else ""
    return f"{environment.get('cpu')}, {environment.get('cores_allowed')} cores, {memory}{devices}"


def _machines(folders: Sequence[Folder]) -> list[dict]:
    """Every combination of machine and versions that made rows, and the folders it made them in."""
    found: dict[str, dict] = {}
    for folder in folders:
        for manifest in folder.manifests.values():
            environment = manifest.get("environment", {})
            packages = [f"{name} {version}" for name, version in environment.get("packages", {}).items() if version]
            software = ", ".join([f"Python {environment.get('python', 'unknown')}", *packages])
            told = {"machine": _machine(environment), "platform": environment.get("platform", ""), "software": software}
            entry = found.setdefault(json.dumps(told), {**told, "folders": []})
            if folder.name not in entry["folders"]:
                entry["folders"].append(folder.name)
    return list(found.values())
