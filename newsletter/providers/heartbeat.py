"""The health URL: asked for after each run that was in order, so that whoever watches it misses the others."""

from __future__ import annotations

from newsletter.errors import ProviderError

_SECONDS = 10.0


def beat(url: str) -> None:
    """GET *url*, telling it nothing. Raises `ProviderError`; no mail hangs on this."""
    import requests  # 97 ms to import: only who has set a health_url pays

    try:
        answer = requests.get(
            url,
            timeout=_SECONDS,
            allow_redirects=False,
            headers={"User-Agent": "newsletter"},
            auth=lambda request: request,  # else it takes a login from ~/.netrc
        )
    except requests.RequestException as error:
        raise ProviderError(f"the health_url in [alerts] does not answer ({type(error).__name__}); check it.") from None
    if not answer.ok:
        raise ProviderError(f"the health_url in [alerts] answered {answer.status_code}; check it.")
