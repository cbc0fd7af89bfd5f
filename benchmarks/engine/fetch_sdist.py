"""Fetches a source archive from the package index that pip uses: `fetch_sdist.py PACKAGE FILE TARGET`.

`pip download --no-binary` would run the package's build to learn its dependencies, which are of no interest here.
"""

import hashlib
import html.parser
import os
import subprocess
import sys
import urllib.parse
import urllib.request


class Links(html.parser.HTMLParser):
    """The links of an index page."""

    def __init__(self):
        super().__init__()
        self.links = []

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.links += [value for name, value in attributes if name == "href"]


def index():
    asked = subprocess.run([sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True)
    return os.environ.get("PIP_INDEX_URL") or asked.stdout.strip() or "https://pypi.org/simple"


def main(package, file, target):
    page = f"{index().rstrip('/')}/{package}/"
    links = Links()
    with urllib.request.urlopen(page) as answer:
        links.feed(answer.read().decode())
    found = next((link for link in links.links if urllib.parse.urlsplit(link).path.endswith("/" + file)), None)
    if found is None:
        sys.exit(f"the package index does not offer {file}")
    with urllib.request.urlopen(urllib.parse.urljoin(page, found)) as answer:
        content = answer.read()
    fragment = urllib.parse.urlsplit(found).fragment
    if fragment.startswith("sha256=") and hashlib.sha256(content).hexdigest() != fragment.removeprefix("sha256="):
        sys.exit(f"{file} is damaged: its SHA-256 is not the index's")
    with open(target, "wb") as out:
        out.write(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
