from __future__ import annotations

import pytest

import zoo
from archbench import budget
from archbench.errors import ArchbenchError
from archbench.measure.complexity import count
from archbench.models import Input, Model, parse

CIFAR = Input(10, 3, 32)
QUESTIONS = [  # every knob that the lineage's questions turn
    *(f"nin+{knob}" for knob in ("local=linear", "local=maxout", "mlp_depth=1", "mlp_depth=3", "head=fc", "head=fc_dropout")),
    *(f"{name}+pointwise=off" for name in ("resnet_bottleneck", "squeezenet", "mobilenet", "xception", "inception", "densenet")),
    *(f"{name}+head=gap" for name in ("plain_cnn", "vgg", "alexnet")),
]


@pytest.mark.parametrize("quantity", ["macs", "params"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_the_width_meets_the_count_of_the_unmodified_network_within_one_percent(name: str, quantity: str) -> None:
    model = budget.settled(parse([f"{name}+equal={quantity}"])[0], CIFAR)
    found, wanted = (getattr(count(each, CIFAR), quantity) for each in (model, Model(model.name)))
    assert abs(found - wanted) <= 0.01 * wanted


def test_the_record_says_which_width_came_out() -> None:
    model = budget.settled(parse(["nin+local=maxout+equal=macs"])[0], CIFAR)
    assert model.label == "nin+local=maxout+equal=macs"
    assert model.snapshot(CIFAR).knobs == {"equal": "macs", "local": "maxout", "width": model.width}
    assert model.width is not None
    assert 0.5 < model.width < 1  # two pieces a unit cost more than the two 1x1 layers that they replace


def test_other_models_stay_as_they_are() -> None:
    assert budget.settled(Model("nin"), CIFAR) == Model("nin")


def test_a_count_that_no_width_meets_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With widths from 1 up, NIN of twice the pieces is always the dearer one."""
    monkeypatch.setattr(budget, "WIDTH", zoo.Range(1.0, 2.0))
    budget.settled.cache_clear()
    with pytest.raises(ArchbenchError, match="no width gives the 222,486,528 macs of nin within 1 %"):
        budget.settled(parse(["nin+local=maxout+equal=macs"])[0], CIFAR)
    budget.settled.cache_clear()
