"""Composing configs of ``conf/`` outside of Hydra's own command line."""

from collections.abc import Sequence
from pathlib import Path

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from gan.settings import resolvers, schema
from gan.settings.groups import CONF


def compose(
    arguments: Sequence[str],
    name: str = "train",
    folders: Sequence[str] = (),
    with_hydra: bool = False,
) -> DictConfig:
    """Return the config that overrides make.

    Args:
        arguments: the overrides.
        name: of the primary config, in ``conf/`` or one of the folders.
        folders: further ones that hold configs, absolute.
        with_hydra: keep the node ``hydra``.

    Raises:
        Exception: what Hydra raises where they do not compose.
    """
    resolvers.register()
    schema.register()
    own = [folder for folder in folders if (Path(folder) / f"{name}.yaml").is_file()]
    ordered = [*own[:1], str(CONF), *(f for f in folders if f not in own[:1])]
    places = ",".join(f"'file://{folder}'" for folder in ordered[1:])
    search = [f"hydra.searchpath=[{places}]"] if ordered[1:] else []
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()  # this may be called by what Hydra runs
    try:
        with initialize_config_dir(ordered[0], version_base="1.3"):
            return hydra_compose(name, [*search, *arguments], return_hydra_config=with_hydra)
    finally:
        GlobalHydra.instance().hydra = before  # of the instance of now, which is another
