"""archbench: how the ideas of *Network In Network* live on in later CNNs, in numbers that can be cited.

`archbench.run`, `train`, `profile`, `load`, `compare` and the rest of `__all__` are what a notebook calls. They are read at first use, so
that importing the package is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archbench.api import (
        answers,
        compare,
        count,
        describe,
        doctor,
        dry_run,
        evaluate,
        explain,
        export,
        import_benchmarks,
        list_models,
        load,
        profile,
        run,
        score,
        train,
        tune,
    )
    from archbench.errors import ArchbenchError
    from archbench.evidence import bundle, cite, import_bundle, verify
    from archbench.illustrating import figures
    from archbench.reporting import report

__version__ = "0.1.0"
__all__ = [
    "ArchbenchError",
    "__version__",
    "answers",
    "bundle",
    "cite",
    "compare",
    "count",
    "describe",
    "doctor",
    "dry_run",
    "evaluate",
    "explain",
    "export",
    "figures",
    "import_benchmarks",
    "import_bundle",
    "list_models",
    "load",
    "profile",
    "report",
    "run",
    "score",
    "train",
    "tune",
    "verify",
]
_WITHOUT_TORCH = {
    **dict.fromkeys(("bundle", "cite", "import_bundle", "verify"), "evidence"),
    "figures": "illustrating",
    "report": "reporting",
    "ArchbenchError": "errors",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(f"archbench.{_WITHOUT_TORCH.get(name, 'api')}"), name)
    raise AttributeError(f"module 'archbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
