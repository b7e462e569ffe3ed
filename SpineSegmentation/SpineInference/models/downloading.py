"""Downloads one file whose size and SHA-256 are known beforehand, with a clear sentence for whatever goes wrong."""

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from ..errors import SpineError
from ..monitor import Monitor

TIMEOUT_SECONDS = 30
IMPORT = "import the model from a file"
_CHUNK = 2**18


def download_file(
    url: str, target: Path, sha256: str, size: int, monitor: Monitor | None = None, instead: str = IMPORT
) -> None:
    """Write what is at `url` (http or https) to `target`, which is only complete when this returns.

    `instead` ends the sentence of an error: what a person can do without the internet.
    Proxies are taken from the environment (HTTPS_PROXY) or the system. Progress is in bytes, stage "download".
    Raises SpineError for an address that cannot be reached or gives another file, and Cancelled.
    """
    monitor = monitor or Monitor()
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise SpineError(f"{url} is not a web address (https://...): correct the catalog.")
    digest, done = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, target.open("wb") as file:
            while chunk := response.read1(_CHUNK):  # what is there: progress and Cancel wait for no more
                done += len(chunk)
                if done > size:
                    break
                file.write(chunk)
                digest.update(chunk)
                monitor.progress("download", done, size)
    except urllib.error.HTTPError as error:
        raise SpineError(_refusal(url, error, instead)) from None
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise SpineError(
            f"{url} cannot be downloaded ({getattr(error, 'reason', None) or error}): check the internet connection "
            f"and the proxy (HTTPS_PROXY), or {instead}."
        ) from None
    except OSError as error:
        raise SpineError(f"{target.parent} cannot be written ({error.strerror or error}): make room there.") from None
    if done != size or digest.hexdigest() != sha256.lower():
        raise SpineError(
            f"{url} is not the file that the catalog lists (size or SHA-256 differs), so it was not used: "
            f"try again, or {instead}."
        )


def _refusal(url: str, error: urllib.error.HTTPError, instead: str) -> str:
    if error.code == 407:
        return f"The proxy asks for a name and password for {url}: set HTTPS_PROXY to http://name:password@proxy:port."
    if error.code in (404, 410):
        return f"{url} does not exist any more ({error.code}): update SpineSegmentation, or {instead}."
    return f"The server refuses {url} ({error.code} {error.reason}): try again later, or {instead}."
