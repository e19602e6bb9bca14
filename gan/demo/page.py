"""The page of a model in the browser."""

import os
from collections.abc import Sequence
from typing import Any

import gradio as gr
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gan.demo.codes import CodePanel
from gan.demo.model import Model
from gan.demo.panel import CSS, Panel
from gan.demo.samples import PointPanel, SamplePanel
from gan.demo.styles import DirectionPanel, MixingPanel, TruncationPanel
from gan.demo.translation import TranslationPanel
from gan.demo.uploads import ClassifyPanel, EncodingPanel, ProjectionPanel
from gan.errors import InputError

PANELS: tuple[type[Panel], ...] = (
    SamplePanel,
    PointPanel,
    CodePanel,
    MixingPanel,
    TruncationPanel,
    DirectionPanel,
    EncodingPanel,
    ProjectionPanel,
    ClassifyPanel,
    TranslationPanel,
)
HOST = "127.0.0.1"
_LAUNCH: dict[str, Any] = {
    "server_name": HOST,
    "share": False,
    "quiet": True,
    "prevent_thread_lock": True,
    "footer_links": [],
    "enable_monitoring": False,
    "ssr_mode": False,
    "mcp_server": False,
    "pwa": False,
    "max_file_size": "20mb",  # of an upload
}
_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


class OwnSourcesOnly:
    """Tells browsers to load nothing from other hosts.

    Args:
        app: that is served.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, with the policy among the headers of the answer."""

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = _POLICY
            await send(message)

        await self.app(scope, receive, send_with_policy)


def panels_of(model: Model) -> list[Panel]:
    """Return the panels of what a model can do.

    Raises:
        InputError: if there are none.
    """
    found = [kind(model) for kind in PANELS if kind.suits(model)]
    if not found:
        raise InputError(f"run={model.run.path}: its model is no game of this project")
    return found


def build_page(model: Model, panels: Sequence[Panel]) -> gr.Blocks:
    """Return the page, with a tab for each panel."""
    page = gr.Blocks(title=model.title, analytics_enabled=False)
    with page:
        gr.Markdown(f"## {model.title}\n{model.description}")
        with gr.Tabs():
            for panel in panels:
                with gr.Tab(panel.title):
                    panel.build(page)
    return page


def serve(page: gr.Blocks, port: int | None, browser: bool) -> str:
    """Serve a page on this machine alone, in threads of this process, and return its address.

    Args:
        page: to serve.
        port: of the address; ``None`` takes a free one from 7860.
        browser: open it in the browser.

    Raises:
        InputError: if the port is taken.
    """
    _reach_without_proxy()
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    try:
        _, address, _ = page.launch(
            server_port=port,
            inbrowser=browser,
            app_kwargs={"middleware": [hosts, Middleware(OwnSourcesOnly)]},
            theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
            css=CSS,
            **_LAUNCH,
        )
    except OSError as error:
        raise InputError(f"port={port}: it is taken: give another, or leave port out") from error
    return address


def _reach_without_proxy() -> None:
    """Let this process reach its own server, which Gradio asks for at the start."""
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), HOST]))
