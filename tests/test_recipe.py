from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

import zoo
from archbench.config import Settings
from archbench.device import Device, is_out_of_memory
from archbench.errors import ArchbenchError
from archbench.events import Notice
from archbench.execution import ExecutionPlan
from archbench.models import Input, Model
from archbench.training import initial, optimizers, recipe_file, schedules
from archbench.training.averaging import Average
from archbench.training.checkpoint import Checkpoint
from archbench.training.recipe import Recipe, TrainingConfig, resolve
from archbench.training.stepper import Stepper

WHOLE = 'name = "mine"\nepochs = 2\nbatch_size = 16\nlr = 0.1\n'
PAPER_STEPS = 260


def small(**changes: object) -> Recipe:
    return Recipe.model_validate({"name": "mine", "epochs": 2, "batch_size": 16, "lr": 0.1, **changes})


def config(**changes: object) -> TrainingConfig:
    return TrainingConfig(**small(**changes).model_dump())


def stepper(network: nn.Module, plan: ExecutionPlan | None = None, said: list[object] | None = None, **changes: object) -> Stepper:
    emit = said.append if said is not None else (lambda event: None)
    return Stepper(network, config(**changes), plan or ExecutionPlan(), Device("cpu"), 10, emit)


def test_shipped_recipes_load_and_an_unknown_name_is_refused() -> None:
    assert recipe_file.names() == ["fast", "modern", "paper"]
    assert [recipe_file.load(name).name for name in recipe_file.names()] == recipe_file.names()
    with pytest.raises(ArchbenchError, match="unknown recipe 'moderm'; did you mean 'modern'"):
        recipe_file.load("moderm")


def test_a_recipe_of_the_users_own_is_named_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "wide-steps.toml"
    path.write_text(WHOLE.removeprefix('name = "mine"\n'))
    assert recipe_file.load(str(path)).name == "wide-steps"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (WHOLE + "momentun = 0.9\n", "unknown key 'momentun'"),
        (WHOLE + 'warmup_fraction = "long"\n', "warmup_fraction: input should be a valid number"),
        (WHOLE + 'weight_decay = "0.1"\n', "weight_decay: input should be a valid number"),
        (WHOLE + 'flip = "yes"\n', "flip: input should be a valid boolean"),
        (WHOLE.replace("batch_size = 16", "batch_size = true"), "batch_size: input should be a valid integer"),
        (WHOLE.replace("epochs = 2", "epochs = 2.0"), "epochs: input should be a valid integer"),
        (WHOLE + "optimizer_options = 3\n", "optimizer_options: input should be a valid dictionary"),
        (WHOLE + "optimizer_options = { weight_decay = 0.1 }\n", "weight_decay is a key of the recipe, not one of optimizer_options"),
        (WHOLE + "optimizer_options = { maximize = 1979-05-27 }\n", "optimizer_options: maximize cannot be 1979-05-27, a date"),
        (WHOLE + "schedule_options = { a = { b = [1, 07:32:00] } }\n", r"schedule_options: b\[1\] cannot be 07:32:00, a time"),
        (WHOLE + "optimizer_options = { momentum = nan }\n", r"optimizer_options: momentum must be finite \(got nan\)"),
        (WHOLE + f"optimizer_options = {{ momentum = {10**400} }}\n", "momentum is a whole number beyond 2.53"),
        (WHOLE + f"lr_batch = {10**30}\n", "lr_batch: input should be less than or equal to 1000000"),
        (WHOLE + "gamma = 0.5\n", "gamma belongs to the schedule 'step'"),
        (WHOLE.replace("lr = 0.1\n", ""), "lr is missing"),
        (WHOLE.replace("lr = 0.1", "lr = nan"), "lr: "),
        (WHOLE + 'schedule = "step"\nmilestones = [0.5, 0.8]\nwarmup_fraction = 0.6\n', "the warm-up .* lasts beyond the first milestone"),
        (WHOLE + "milestones = [0.5]\n", "milestones and the schedule 'step' belong together"),
        (WHOLE + "warmup_fraction = 1.5\n", "warmup_fraction: input should be less than 1"),
        (WHOLE + 'optimizer = "admw"\n', "unknown optimizer 'admw'; did you mean 'adamw'"),
        (WHOLE + 'optimizer = "lbfgs"\n', "not for this training loop"),
        (WHOLE + "optimizer_options = { betas = 3 }\n", "the optimizer sgd: .*betas"),
        (WHOLE + 'optimizer = "adamw"\noptimizer_options = { betas = [0.9] }\n', "the optimizer adamw: .*index out of range"),
        (WHOLE + 'optimizer = "adam"\noptimizer_options = { capturable = true }\n', "the optimizer adam cannot take a step: .*capturable"),
        (
            WHOLE + 'schedule = "timm:cosine"\nschedule_options = { warmup_epochs = 9 }\n',
            "warmup_epochs is said by epochs and warmup_fraction",
        ),
        (WHOLE + 'schedule = "timm:plateau"\n', "unknown schedule of timm 'plateau'"),
        (WHOLE + "weight_decay = inf\n", "weight_decay: input should be less than or equal to 1000000"),
        (WHOLE + "clip_norm = inf\n", "clip_norm: input should be less than or equal to 1000000"),
        (WHOLE + 'schedule = "cosin"\n', "unknown schedule 'cosin'; did you mean 'cosine'"),
        (WHOLE + 'schedule = "torch:OneCycle"\n', "did you mean 'OneCycleLR'"),
        (WHOLE + "flip_alternates = true\n", "flip_alternates says how to flip"),
        (WHOLE + "epochs = 3\n", "is not TOML"),
        ("", "is missing"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_in_one_line(text: str, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(ArchbenchError, match=complaint) as error:
        recipe_file.load(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_recipe_that_cannot_be_read_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ArchbenchError, match=r"r\.toml cannot be read: "):
        recipe_file.load(str(path))


def test_the_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    """Warm-up over a quarter of 100 steps: step 25 has the whole rate, the last step nearly none."""
    shares = schedules.factors(small(schedule="linear", warmup_fraction=0.25), 100)
    assert shares[25] == max(shares) == 1.0
    assert shares[0] == pytest.approx(1 / 26)
    assert shares[99] == pytest.approx(1 / 75)
    assert shares[62] == pytest.approx(38 / 75)


def test_the_papers_schedule_at_its_own_and_at_another_length() -> None:
    """Reference A: a tenth of the rate from epoch 200 on, a hundredth from 230 on, of 260; at a tenth of the length from 20 and 23 on."""
    paper = recipe_file.load("paper")
    for scale in (10, 1):
        shares = schedules.factors(paper, 26 * scale)
        assert shares[: 20 * scale] == [1.0] * 20 * scale
        assert shares[20 * scale : 23 * scale] == pytest.approx([0.1] * 3 * scale)
        assert shares[23 * scale :] == pytest.approx([0.01] * 3 * scale)


def test_schedules_of_torch_and_timm_by_name() -> None:
    """OneCycleLR with its defaults rises from 1/25 over 30 % of the steps; a cosine at half its length is at one half."""
    one_cycle = schedules.factors(small(schedule="torch:OneCycleLR"), 101)
    assert one_cycle[0] == pytest.approx(1 / 25)
    assert max(one_cycle) == one_cycle[30] == pytest.approx(1.0, abs=2e-3)
    decayed = schedules.factors(small(schedule="torch:StepLR", schedule_options={"step_size": 2, "gamma": 0.5}), 5)
    assert decayed == [1, 1, 0.5, 0.5, 0.25]
    pytest.importorskip("timm")
    assert schedules.factors(small(schedule="timm:cosine"), 100)[50] == pytest.approx(0.5)
    stepped = small(schedule="timm:multistep", schedule_options={"decay_milestones": [2, 4], "decay_rate": 0.5})
    assert schedules.factors(stepped, 6) == [1, 0.5, 0.5, 0.25, 0.25, 0.25]  # timm lets the rate of step t fall at t + 1
    assert schedules.factors(small(schedule="timm:constant"), 3) == [1, 1, 1]
    for name, options in (("wsd", {}), ("rsqrt", {"stable_timescale": 20})):
        rates = schedules.factors(small(schedule=f"timm:{name}", schedule_options=options), 100)
        assert rates[0] == 1 > rates[-1]
        assert sorted(rates, reverse=True) == rates


def test_groups_of_the_papers_rates() -> None:
    """Table of reference A: weights 0.1, biases 0.2, last layer 0.01 and 0.02; decay 1e-4 on weights and on nothing else."""
    optimizer = optimizers.make(zoo.create("nin"), recipe_file.load("paper"))
    found = {(group["weight_decay"], round(group["lr"], 6)): len(group["params"]) for group in optimizer.param_groups}
    assert found == {(1e-4, 0.1): 8, (1e-4, 0.01): 1, (0.0, 0.2): 8, (0.0, 0.02): 1}


def test_the_last_layer_is_the_heads_where_other_classifiers_help_to_train() -> None:
    network = nn.Sequential()
    for name in ("body", "head", "auxiliary"):
        network.add_module(name, nn.Linear(2, 2))
    slow = next(group for group in optimizers.groups(network, small(last_layer_lr_scale=0.1)) if group["lr"] == pytest.approx(0.01))
    assert [id(each) for each in slow["params"]] == [id(network.get_submodule("head").weight)]


def test_muon_steps_less_in_linear_layers_with_very_many_inputs() -> None:
    """12,288 are three times 4,096; with another optimizer, and of 4,096, the rate is whole."""
    with torch.device("meta"):
        network = nn.Sequential(nn.Linear(12288, 16), nn.Linear(4096, 16), nn.Conv2d(512, 16, 3))

    def scales(recipe: Recipe) -> list[float]:
        rates = {id(parameter): group["lr"] for group in optimizers.groups(network, recipe) for parameter in group["params"]}
        return [round(rates[id(layer.weight)] / recipe.lr, 6) for layer in network]

    assert scales(recipe_file.load("fast")) == [round(1 / 3, 6), 1, 1]
    assert scales(recipe_file.load("modern")) == [1, 1, 1]


def test_fast_steps_in_all_directions_of_a_layer_alike() -> None:
    """Muon (Jordan et al. 2024): singular values of 1 to 100 in the gradient become 0.7 to 1.2 of one another's size in the step."""
    pytest.importorskip("timm")
    torch.manual_seed(0)
    layer = nn.Linear(8, 8)
    (left, _), (right, _) = (torch.linalg.qr(torch.randn(8, 8)) for _ in range(2))
    before = layer.weight.detach().clone()
    layer.weight.grad, layer.bias.grad = left @ torch.logspace(0, 2, 8).diag() @ right, torch.zeros(8)
    optimizers.make(layer, recipe_file.load("fast").model_copy(update={"weight_decay": 0.0})).step()
    values = torch.linalg.svdvals(layer.weight.detach() - before)
    assert values.max() / values.min() < 1.2 / 0.7 * 1.1


def test_decay_is_on_weights_only() -> None:
    weights, others = optimizers.make(zoo.create("nin_bn"), small(weight_decay=5e-4)).param_groups
    assert weights["weight_decay"] > 0 == others["weight_decay"]
    assert {parameter.ndim for parameter in weights["params"]} == {4}
    assert {parameter.ndim for parameter in others["params"]} == {1}


@pytest.mark.parametrize("name", ["adamw", "nadam", "rmsprop", "timm:lamb", "timm:lion"])
def test_optimizers_of_torch_and_timm_by_name_learn(name: str) -> None:
    pytest.importorskip("timm")
    torch.manual_seed(0)
    images, labels = torch.randn(16, 4), torch.arange(16) % 2
    images[:, 0] += 4 * labels
    taking = stepper(nn.Linear(4, 2), optimizer=name, lr=0.05, schedule="constant", epochs=1)
    losses = [taking.step(images, labels, number).item() for number in range(10)]
    assert losses[-1] < losses[0]


def test_the_rate_grows_with_the_batch_where_the_recipe_says_so() -> None:
    """0.1 for 128 images is 0.05 for 64. What is resolved says the rate alone."""
    wishes = zoo.TrainingHints()
    asked = Settings.of(dataset="cifar10", batch_size=64)
    found = resolve(small(lr_batch=128), wishes, True, asked)
    assert (found.lr, found.lr_batch) == (pytest.approx(0.05), None)
    assert resolve(small(), wishes, True, asked).lr == 0.1


@pytest.mark.parametrize("of_recipe", [False, True])
def test_whether_images_are_mirrored_is_the_users_wish_first(of_recipe: bool) -> None:
    """Without one, the recipe's, on sets where a mirror image keeps its class."""

    def flips(mirror_safe: bool, **asked: object) -> bool:
        return resolve(small(flip=of_recipe), zoo.TrainingHints(), mirror_safe, Settings.of(dataset="cifar10", **asked)).flip

    assert [flips(safe, flip=wish) for safe in (False, True) for wish in (False, True)] == [False, True, False, True]
    assert [flips(False), flips(True)] == [False, of_recipe]


def test_hints_are_for_recipes_that_heed_them() -> None:
    """A hint's rate is SGD's; its share of dropout is a factor on the recipe's: 0.5 x 0.4."""
    wishes, asked = zoo.TrainingHints(lr=0.03, dropout_scale=0.4, reason="r"), Settings.of(dataset="cifar10")
    hinted = resolve(small(dropout_scale=0.5), wishes, True, asked)
    assert (hinted.lr, hinted.dropout_scale) == (0.03, 0.2)
    assert resolve(small(lr_batch=64), wishes, True, asked).lr == 0.03
    assert resolve(small(optimizer="adamw"), wishes, True, asked).lr == 0.1
    unheeding = resolve(small(heeds_hints=False), wishes, True, asked)
    assert (unheeding.lr, unheeding.hints) == (0.1, {})


def test_a_recipe_and_a_hint_that_contradict_each_other_are_one_line() -> None:
    """A warm-up of a quarter, which NIN asks for, beyond a first milestone at a fifth."""
    stepped = small(schedule="step", milestones=(0.2, 0.5))
    with pytest.raises(ArchbenchError, match=r"recipe mine does not hold together with what .* \(.*warmup_fraction.*\): the warm-up"):
        resolve(stepped, Model("nin").hints, True, Settings.of(dataset="cifar10"))


def test_the_papers_initial_weights() -> None:
    """N(0, 0.05) and biases of 0 in each layer; the second 5x5 convolution has 460,800 weights, so their deviation is within 1 %."""
    network = initial.build(Model("nin"), Input(10, 3, 32), TrainingConfig(**recipe_file.load("paper").model_dump()), seed=0)
    convolution = network.features.mlpconv2[0][0]
    assert convolution.weight.std().item() == pytest.approx(0.05, rel=0.01)
    assert all(parameter.abs().max() == 0 for name, parameter in network.named_parameters() if name.endswith("bias"))


def test_a_whitened_first_layer_answers_with_variance_1_along_each_direction() -> None:
    """Before the floor of 5e-4 on variances far above it: the covariance of the paired filters' answers is the unit matrix."""
    images = nn.functional.avg_pool2d(torch.randn(500, 3, 18, 18, generator=torch.Generator().manual_seed(0)), 3, 1)
    network = nn.Sequential(nn.Conv2d(3, 24, 3, padding=1), nn.ReLU())
    before = network[0].weight.detach().clone()
    initial.whiten(network, images)
    weight = network[0].weight.detach()
    assert weight[0::2].equal(-weight[1::2])
    assert not weight.equal(before)
    answers = nn.functional.conv2d(images, weight[0::2]).transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.cov(answers), torch.eye(12), rtol=0, atol=0.05)


def test_whitening_looks_at_few_patches_at_once_and_at_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """7x7 patches of 3 channels, 147 numbers each: 5 x 5 of them in an image of 15 pixels at stride 2. The covariance is that of all."""
    images, sizes, unfold = torch.randn(40, 3, 15, 15, generator=torch.Generator().manual_seed(0)) + 0.5, [], nn.functional.unfold

    def seen(chunk: torch.Tensor, *rest: object, **more: object) -> torch.Tensor:
        sizes.append(len(chunk))
        return unfold(chunk, *rest, **more)

    monkeypatch.setattr(initial.F, "unfold", seen)
    monkeypatch.setattr(initial, "PATCHES_AT_ONCE", 20 * 147 * 25 * 2)
    layer = nn.Conv2d(3, 8, 7, stride=2)
    initial.whiten(nn.Sequential(layer), images)
    assert sum(sizes) == 40
    assert max(sizes) <= 20 * 2
    assert len(sizes) > 1
    patches = unfold(images, 7, stride=2).transpose(1, 2).flatten(0, 1).double()
    covariance = initial._covariance_of_patches(layer, images)
    torch.testing.assert_close(covariance, torch.cov(patches.T), rtol=1e-9, atol=1e-12)


def test_layers_that_cannot_be_whitened_stay_as_they_are() -> None:
    for first in (nn.Linear(12, 8), nn.Conv2d(3, 6, 3, groups=3)):
        before = first.weight.detach().clone()
        initial.whiten(nn.Sequential(first), torch.randn(10, 3, 8, 8))
        assert first.weight.equal(before)
    frozen = nn.Conv2d(3, 6, 3).requires_grad_(False)
    before = frozen.weight.clone()
    initial.whiten(nn.Sequential(frozen), torch.randn(10, 3, 8, 8))
    assert frozen.weight.equal(before)


def test_the_average_of_weights_forgets_at_its_rate() -> None:
    """Over a share of 0.2 of 10 steps the decay is 1/2: 1, then (1 + 3) / 2, then (2 + 6) / 2."""
    layer = nn.Linear(1, 1)
    average = Average(layer, 0.2, 10)
    for value, expected in ((1.0, 1.0), (3.0, 2.0), (6.0, 4.0)):
        nn.init.constant_(layer.weight, value)
        average.update(layer)
        assert average.network.weight.item() == expected


def test_parts_of_a_batch_give_the_gradients_of_the_batch() -> None:
    """Without batch norm: 7 images in parts of 3, 3 and 1, each weighted by its share, sum to the same update."""
    torch.manual_seed(0)
    images, labels = torch.randn(7, 4), torch.tensor([0, 1, 2, 0, 1, 2, 0])
    first = nn.Linear(4, 3)
    second = nn.Linear(4, 3)
    second.load_state_dict(first.state_dict())
    whole = stepper(first, batch_size=7)
    parts = stepper(second, ExecutionPlan(micro_batch=3), batch_size=7)
    for number in range(3):
        torch.testing.assert_close(whole.step(images, labels, number), parts.step(images, labels, number))
    torch.testing.assert_close(first.weight, second.weight)


class Greedy(nn.Linear):
    """Out of memory with more than two images."""

    most = 2

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(images)


def test_memory_that_no_parts_can_save_ends_the_run_as_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one image at a time, where the error of CUDA's allocator does; in the update, which is not taken twice."""
    plan, images, labels, calls = ExecutionPlan(micro_batch_auto=True), torch.randn(4, 4), torch.zeros(4, dtype=torch.long), []
    taking = stepper(nn.Sequential(Greedy(4, 3)), plan)
    monkeypatch.setattr(Greedy, "most", 0)
    with pytest.raises(Exception, match="runs out of memory even with one image at a time: CUDA out of memory") as caught:
        taking.step(images, labels, 0)
    assert is_out_of_memory(caught.value)

    def no_state() -> None:
        calls.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")

    taking = stepper(nn.Linear(4, 3), plan)
    monkeypatch.setattr(taking.optimizer, "step", no_state)
    with pytest.raises(torch.OutOfMemoryError):
        taking.step(images, labels, 0)
    assert (len(calls), taking.part) == (1, 16)


def test_micro_batches_are_halved_until_a_step_fits() -> None:
    """16 images, then 8, 4 and 2; each halving is said. Without `auto` the error passes."""
    images, labels, said = torch.randn(16, 4), torch.zeros(16, dtype=torch.long), []
    taking = stepper(nn.Sequential(Greedy(4, 3)), ExecutionPlan(micro_batch_auto=True), said)
    assert math.isfinite(taking.step(images, labels, 0))
    assert taking.part == 2
    taking.tell()
    assert said[-1] == Notice("out of memory: each batch of 16 now goes through in parts of 2")
    assert len(said) == 3
    resumed = stepper(nn.Sequential(Greedy(4, 3)), ExecutionPlan(micro_batch_auto=True))
    Checkpoint.of(taking, "k", 0, {}, None).restore(resumed)
    assert resumed.part == 2
    with pytest.raises(torch.OutOfMemoryError):
        stepper(nn.Sequential(Greedy(4, 3))).step(images, labels, 0)
