"""The GPUs of a machine."""

import os


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, those of CUDA_VISIBLE_DEVICES."""
    import torch  # a second of import that most commands do without

    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    return [name.strip() for name in named.split(",")][:count]
