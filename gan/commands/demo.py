"""A page in the browser on which a run can be tried."""

import os
import signal
import tempfile
from dataclasses import dataclass, field

from omegaconf import MISSING

from gan.errors import InputError, extra
from gan.runs.folder import check_run


@dataclass
class DemoOptions:
    """Settings of ``ganymede demo``.

    Attributes:
        run: the run folder.
        port: of the page on this machine; by default a free one from 7860.
        browser: also open the page in the browser.
        checkpoint: "best" or "last"; by default the best if there is one.
        device: "cpu", "cuda", ...; by default a GPU if there is one.
        allow_targets: packages whose classes the run's config may name besides this project's.
    """

    run: str = MISSING
    port: int | None = None
    browser: bool = False
    checkpoint: str | None = None
    device: str | None = None
    allow_targets: list[str] = field(default_factory=list)


def demo(options: DemoOptions) -> None:
    """Serve a page for this machine's browser, with what the run's model can do."""
    if options.port is not None and not 1 <= options.port <= 65535:
        raise InputError(f"port={options.port}: give a number from 1 to 65535")
    check_run(options.run, options.checkpoint, options.allow_targets)
    from gan.demo.model import Model
    from gan.devices import find_device
    from gan.runs.folder import open_run

    run = open_run(options.run, options.allow_targets)
    with tempfile.TemporaryDirectory(prefix="ganymede-demo-") as folder:
        _prepare_gradio(folder)
        from gan.demo.page import build_page, panels_of, serve

        model = Model.load(run, options.checkpoint, find_device(options.device))
        page = build_page(model, panels_of(model))
        address = serve(page, options.port, options.browser)
        print(model.title, address, "Ctrl-C ends the page", sep="\n", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does
        page.block_thread()


def _prepare_gradio(folder: str) -> None:
    """Import Gradio without its reports of use, and with its files in a folder.

    Raises:
        InputError: if it is not installed.
    """
    tempfile.tempdir = folder
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = folder
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise InputError(f"the page needs Gradio: {extra('demo')}") from error
