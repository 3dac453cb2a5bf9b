"""Pages as a browser shows them, where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# In a frame, as a window has a least width that is more than a phone's.
_FRAME = """<!doctype html><body style="margin:0"><iframe style="border:0;width:%dpx;height:2400px"></iframe><script>
const frame=document.querySelector("iframe");frame.srcdoc=%s;
setInterval(()=>{const inner=frame.contentDocument;document.body.dataset.ready=inner.body.dataset.ready||"";
document.body.dataset.wide=inner.documentElement.scrollWidth},50)</script>"""


def looked_at(page: Path, folder: Path, width: int, *, dark: bool) -> dict[str, object]:
    """Show a page, take a picture of it (``shot.png`` in `folder`), and tell what became of it.

    Returns
    -------
    dict
        ``ready``: what its script says of itself; ``wide``: how wide it is, which is more than `width` where a reader
        would have to move it sideways.
    """
    assert CHROMIUM is not None
    content = json.dumps(page.read_text("utf-8")).replace("</", "<\\/")
    (folder / "frame.html").write_text(_FRAME % (width, content), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
               "--disable-sync", "--hide-scrollbars", f"--user-data-dir={folder / 'profile'}",
               f"--window-size={max(500, width)},2400",
               f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--virtual-time-budget=4000",
               f"--screenshot={folder / 'shot.png'}", "--dump-dom"]  # fmt: skip
    url = (folder / "frame.html").as_uri()
    done = subprocess.run([CHROMIUM, *options, url], capture_output=True, text=True, check=False, timeout=120)
    body = re.search(r"<body[^>]*>", done.stdout)
    assert body is not None, done.stderr[-2000:]
    found = dict(re.findall(r'data-(\w+)="([^"]*)"', body[0]))
    return {"ready": found["ready"], "wide": int(found["wide"])}
