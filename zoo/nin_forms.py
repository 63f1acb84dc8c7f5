"""The other forms of *Network In Network*: for SVHN, MNIST and ImageNet, and a tiny one for teaching."""

from __future__ import annotations

import functools

from torch import nn

from zoo._blocks import Classifier, conv_relu, global_average, max_pool_ceil, named
from zoo._claims import LOCAL_CONTRAST, PIXEL_MEAN, SVHN_TRAINED_ON, Claim
from zoo.nin import CODE, NIN_PAPER, NO_NORM_HINTS, Local, build_nin
from zoo.registry import ModelSpec, Published, TrainingHints, register

AUTHOR = "author's configuration"

register(
    ModelSpec(
        name="nin_svhn",
        title="NIN (SVHN)",
        family="nin",
        year=2014,
        paper=NIN_PAPER,
        parents=("nin",),
        takes="NIN whole, with the widths for street-view house numbers.",
        input_shape=(3, 32, 32),
        min_size=4,
        head_kind="gap",
        published=(Published(1_986_026, 274_235_392, AUTHOR),),
        claims=(
            Claim(
                "svhn",
                "none",
                2.35,
                "table 3",
                preprocessing=LOCAL_CONTRAST,
                train_images=SVHN_TRAINED_ON,
                source="section 4.4",
            ),
        ),
        hints=NO_NORM_HINTS,
    )
)(functools.partial(build_nin, widths=((128, 96, 64), (320, 256, 128), (384, 256)), last_kernel=5))

register(
    ModelSpec(
        name="nin_mnist",
        title="NIN (MNIST)",
        family="nin",
        year=2014,
        paper=NIN_PAPER,
        parents=("nin",),
        takes="NIN whole, with the widths for handwritten digits.",
        input_shape=(1, 28, 28),
        min_size=4,
        head_kind="gap",
        published=(Published(349_674, 50_699_712, AUTHOR),),
        claims=(Claim("mnist", "none", 0.47, "table 4", preprocessing=PIXEL_MEAN, source=f"{CODE} Python/convdata.py"),),
        hints=NO_NORM_HINTS,
    )
)(functools.partial(build_nin, widths=((96, 64, 48), (128, 96, 48), (128, 96)), last_kernel=5))


@register(
    ModelSpec(
        name="nin_tiny",
        title="NIN (tiny)",
        family="nin",
        year=2014,
        paper=NIN_PAPER,
        parents=("nin",),
        takes="One whole mlpconv layer and the class maps; the depth of the others is cut.",
        input_shape=(3, 32, 32),
        min_size=1,
        head_kind="gap",
        published=(Published(560_906, 189_825_024, "arithmetic from the layers named here"),),
        deviations=("Not in the paper: a small NIN for teaching and tests, with a padded pool and no dropout.",),
        hints=TrainingHints(lr=0.03, warmup_fraction=0.25, clip_norm=1.0, init="he", reason="no batch norm"),
    )
)
def build_nin_tiny(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """One mlpconv layer, a padded pool, 5x5 and 1x1, then class maps without a ReLU over them."""
    features = named(
        mlpconv1=nn.Sequential(*Local().mlpconv(in_channels, (192, 160, 96), 5)),
        pool1=nn.MaxPool2d(3, 2, padding=1),
        mlpconv2=nn.Sequential(*Local(depth=1).mlpconv(96, (192, 192, 192), 5)),
        class_maps=nn.Conv2d(192, num_classes, 1),
    )
    return Classifier(features, global_average())


@register(
    ModelSpec(
        name="nin_imagenet",
        title="NIN (ImageNet)",
        family="nin",
        year=2014,
        paper=NIN_PAPER,
        parents=("nin", "alexnet_imagenet"),
        takes="NIN in four mlpconv layers: AlexNet's error without its fully connected layers, at an eighth of its parameters.",
        input_shape=(3, 224, 224),
        num_classes=1000,
        min_size=39,
        head_kind="gap",
        published=(Published(7_595_176, 1_100_188_800, "Caffe Model Zoo gist d802a5849de39225bcc6"),),
        claims=(Claim("imagenet", "random crop and flip", 40.64, "Caffe Model Zoo gist d802a5849de39225bcc6, not the paper"),),
        hints=NO_NORM_HINTS,
    )
)
def build_nin_imagenet(num_classes: int, in_channels: int, image_size: int) -> nn.Module:
    """Four mlpconv layers of 96, 256, 384 and 1024 maps, pools that round up, dropout before the last."""
    local = Local()

    def mlpconv(w_in: int, width: int, kernel: int) -> nn.Sequential:
        return nn.Sequential(*local.mlpconv(w_in, (width, width, width), kernel))

    features = named(
        mlpconv1=nn.Sequential(conv_relu(in_channels, 96, 11, 4, padding=0), conv_relu(96, 96, 1), conv_relu(96, 96, 1)),
        pool1=max_pool_ceil(),
        mlpconv2=mlpconv(96, 256, 5),
        pool2=max_pool_ceil(),
        mlpconv3=mlpconv(256, 384, 3),
        pool3=nn.Sequential(max_pool_ceil(), nn.Dropout(0.5)),
        mlpconv4=nn.Sequential(conv_relu(384, 1024, 3), conv_relu(1024, 1024, 1)),
        class_maps=conv_relu(1024, num_classes, 1),
    )
    return Classifier(features, global_average())
