"""The HTML report: complete, self-contained, and working in a real browser at the width of a phone."""

import base64
import html
import json
import re
import shutil
import subprocess

import pytest

from paths import ROOT
from spred_bench.commands import report
from spred_bench.reporting import plots
from spred_bench.reporting.claims import evidence, rules, verdicts

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
# Sorts the claims by verdict, twice, and tells the page around it what a test wants to know.
PROBE = """<script>
const first = () => document.querySelector("#claims tbody .verdict").textContent.trim();
const button = document.querySelector("#claims th button");
button.click(); const ascending = first();
button.click(); const descending = first();
const overflow = document.documentElement.scrollWidth - window.innerWidth, width = window.innerWidth;
const images = [...document.images].map((image) => image.naturalWidth);
parent.postMessage({ascending, descending, overflow, width, images}, "*");
</script></body>"""
# A headless window is never narrower than 500 pixels; a frame can be.
FRAME = """<body style="margin: 0"><script>
onmessage = (event) => { document.body.dataset.found = JSON.stringify(event.data); };
</script><iframe src="report.html" style="border: 0; width: %dpx; height: 1000px"></iframe></body>"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for name in ("landscape", "fig2_headline"):
        shutil.copytree(ROOT / evidence.REFERENCE / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def page(results):
    return report.page(results)


@pytest.mark.slow
def test_it_holds_every_claim_figure_command_and_version(page, results):
    text = html.unescape(page)
    folders = evidence.read(results)
    for claim in verdicts.judge(rules.load(), folders).to_dict("records"):
        assert claim["says"] in text and f'id="{claim["claim"]}"' in text
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    drawn = [name for folder in folders for name, _ in plots.draw_all(folder.records)]
    assert drawn == ["lasso_scaling", "landscape"] and len(images) == len(drawn)
    assert all(base64.b64decode(image).startswith(b"\x89PNG") for image in images)
    for folder in folders:
        for manifest in folder.manifests.values():
            assert manifest["command"] in text and manifest["git"]["sha"][:10] in text
            assert f"numpy {manifest['environment']['packages']['numpy']}" in text
            assert manifest["environment"]["cpu"] in text
    assert '"lambda_ratios"' in text  # the settings


def test_it_asks_the_network_for_nothing(page):
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "default-src 'none'" in page and "@import" not in page and "url(" not in page


@pytest.mark.slow
def test_what_a_row_says_is_text_and_not_markup(tmp_path):
    shutil.copytree(ROOT / evidence.REFERENCE / "landscape", tmp_path / "landscape")
    (manifest,) = (tmp_path / "landscape" / "manifests").iterdir()
    manifest.write_text(manifest.read_text().replace("spred-bench task", "<script>alert(1)</script> task"))
    assert "<script>alert" not in report.page(tmp_path)


@pytest.mark.slow
def test_the_verb_writes_it_where_asked(cli, results, tmp_path):
    code, out, _ = cli("report", str(results), "--output", "pages/mine.html")
    assert code == 0 and out.strip() == "pages/mine.html"
    assert (tmp_path / "pages" / "mine.html").read_text().startswith("<!doctype html>")
    code, _, err = cli("report", "nowhere")
    assert code == 2 and "nowhere is not a folder" in err


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [1300, 390])
def test_a_browser_shows_and_sorts_it(page, tmp_path, width):
    (tmp_path / "report.html").write_text(page.replace("</body>", PROBE))
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME % width)
    browser = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1300,1000"]
    words = [*browser, "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    found = json.loads(html.unescape(re.search(r'data-found="([^"]*)"', run.stdout)[1]))
    assert (found["ascending"], found["descending"]) == ("holds", "not run here")
    assert found["width"] == width and found["overflow"] <= 0, "wider than the window"
    assert len(found["images"]) == 2 and min(found["images"]) > 300
    subprocess.run([*browser, f"--screenshot={tmp_path / 'page.png'}", frame.as_uri()], capture_output=True, check=True)
    assert (tmp_path / "page.png").stat().st_size > 20_000
