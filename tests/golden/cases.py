"""What has golden values: every option of the groups of networks and objectives."""

from omegaconf import DictConfig

from gan.settings.composing import compose
from gan.settings.overrides import hydra_form
from tests.commands.test_train import EARLY, LARGE, SMALL, TAUGHT, WIDTHS
from tests.configs import options

SIDE = 32  # pixels, at which attention, all stages and all norms act
TINY = ["model=dcgan", *WIDTHS, "critic_norm=none", "data.resolution=16"]
TOP_K = [f"regularizers.top_k.{k}" for k in ("gamma=0.9", "epoch_images=1000")]  # 2 of 4
TAUGHT_BY = ["model=acgan", *WIDTHS, "data.resolution=16"]
OTHER = {  # what an option needs besides, or instead of TINY
    "conditioning=class_norm": ["model=sngan", *WIDTHS, "data.resolution=16"],
    "conditioning=multi_hinge": [*TINY, "loss=multi_hinge"],
    "loss=multi_hinge": [*TINY, "conditioning=multi_hinge"],
    "loss=none": ["model=srgan", *SMALL["srgan"], "model.perceptual=null", "data.resolution=16"],
    "augment=ada": [*TINY, "augment.p=0.7", "augment.interval=1", "augment.images=100"],
    "augment=apa": [*TINY, "augment.p=0.7", "augment.interval=1", "augment.images=100"],
    "prior=codes": [*TINY, "prior.dim=20"],
    **{f"conditioning={name}": TAUGHT_BY for name in TAUGHT},
    **{f"critic_norm={name}": [*TINY[:-2], TINY[-1]] for name in options("critic_norm")},
}
GROUPS = ["loss", "regularizers", "augment", "conditioning", "critic_norm", "minibatch"]
GROUPS += ["prior", "optimizer", "averaging", "schedule", "likelihood", "model", "experiment"]
WHEN = {"stylegan": 0.084, "r3gan": 0.04, "r3gan_cifar10": 0.04, "r3gan_stackedmnist": 0.1}
WHEN |= {"srgan": 0.5}  # part of the run that is over, where a schedule or a fade-in is under way
LATER = 0.75
# augmented in 32 bits
IN_32_BITS = {
    "augment/ada",
    "augment/ada_rising",
    "experiment/r3gan_cifar10",
    "experiment/stylegan2_cifar10",
}
MODEL = {
    "srgan": ["model.perceptual=null"],
    "cut": ["model.patches=64"],
    "fastcut": ["model.patches=64"],
}


def names() -> list[str]:
    """Return the cases: "model/dcgan"."""
    return [f"{group}/{option}" for group in GROUPS for option in options(group)]


def overrides(name: str) -> list[str]:
    """Return the overrides of a case, small networks with every part."""
    group, _, option = name.partition("/")
    if group == "model":
        small = [*SMALL.get(option, WIDTHS), *MODEL.get(option, [])]
        return [f"model={option}", f"data.resolution={SIDE}", *small]
    if group == "experiment":
        return [f"experiment={option}", "size=tiny", *LARGE.get(option, [])]
    if group == "likelihood":
        return ["model=vae", *SMALL["vae"], "data.resolution=16", f"likelihood={option}"]
    if option == "top_k":
        return [*TINY, "regularizers=[top_k]", *TOP_K]
    if group == "regularizers":
        return [*TINY, f"regularizers=[{option}]", *EARLY.get(option, [])]
    return [*OTHER.get(f"{group}={option}", TINY), f"{group}={option}"]


def config(name: str, *others: str) -> DictConfig:
    """Return the config of a case, perhaps with other choices. Its data are not read."""
    data = [] if name.startswith("experiment/") else ["data=cifar10"]
    common = ["batch_size=4", "accelerator=cpu", "metrics=[]", "run_dir=.", "cache_dir=."]
    return compose([hydra_form(o) for o in (*data, *common, *overrides(name), *others)])


def progress(name: str) -> float:
    """Return the part of the run after which the steps of a case are taken."""
    return WHEN.get(name.rpartition("/")[2], LATER)
