"""Which examples are in which split, and what an evaluation sees of them."""

import numpy as np
import pytest
import torch
from PIL import Image

from lit_vae.batch import Batch
from lit_vae.data import HuggingFaceTextDataModule, ImageFolderDataModule, SymbolDataset, TextLinesDataModule
from lit_vae.data.chained import Chained
from lit_vae.data.splits import layout, present
from lit_vae.tokenizers import Bytes, Words

LINES = [f"line number {number}" for number in range(5)]


class Rows(SymbolDataset):
    """Texts of given lengths, each repeating one symbol."""

    uneven = True

    def __init__(self, first, lengths):
        self.first = first
        self.of = lengths

    def __len__(self):
        return len(self.of)

    def lengths(self, indices):
        return np.array(self.of)[indices]

    def __getitems__(self, indices):
        lengths = torch.tensor([self.of[index] for index in indices])
        mask = torch.arange(int(lengths.max())) < lengths[:, None]
        x = (self.first + torch.tensor(indices))[:, None].expand(mask.shape)
        return Batch(x, mask, torch.tensor(indices), {"character": lengths})


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ([], "divided"),
        (["train"], "divided"),
        (["test"], "given"),
        (["val"], "given"),
        (["val", "test"], "given"),
        (["train", "test"], "incomplete"),
        (["train", "val"], "incomplete"),
        (["train", "val", "test"], "given"),
    ],
)
def test_what_names_tell_decides_what_is_divided(named, kind):
    assert layout(named) == kind


def test_a_split_that_is_not_there_is_named_with_those_that_are():
    assert present({"test": 5}, "test", "mine") == 5
    with pytest.raises(ValueError, match=r"mine has nothing for val, only for test: .*data\.init_args\.root"):
        present({"test": 5}, "val", "mine")


def test_data_sets_in_a_chain_are_numbered_through_and_come_in_the_order_asked_for():
    chain = Chained([Rows(10, [2, 3]), Rows(20, [1]), Rows(30, [4, 1])])

    batch = chain.__getitems__([3, 0, 4, 2, 1])

    assert len(chain) == 5
    assert batch.x[:, 0].tolist() == [30, 10, 31, 20, 11]
    assert batch.index.tolist() == [3, 0, 4, 2, 1]
    assert batch.counts.tolist() == batch.units["character"].tolist() == [4, 2, 1, 1, 3]
    assert chain.lengths(np.array([3, 0, 4, 2, 1])).tolist() == [4, 2, 1, 1, 3]
    assert chain.uneven


def pictures_in(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        levels = np.random.default_rng(number).integers(256, size=(4, 4), dtype=np.uint8)
        Image.fromarray(levels).save(folder / f"{number}.png")


def lines_in(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.txt").write_text("\n".join(LINES), encoding="utf-8")


def pictures_of(root):
    return ImageFolderDataModule(str(root))


def lines_of(root):
    return TextLinesDataModule(str(root), Bytes(), 40)


def test_a_lone_test_or_val_is_that_split_and_nothing_is_divided(tmp_path):
    for split in ("test", "val"):
        pictures_in(tmp_path / "pictures" / split / split, 5)
        lines_in(tmp_path / "lines" / split, split)
        for data in (pictures_of(tmp_path / "pictures" / split), lines_of(tmp_path / "lines" / split)):
            assert data.split_names == (split,)
            assert data.num_examples(split) == len(data.evaluated(split)) == len(data.evaluated("all")) == 5
            with pytest.raises(ValueError, match=rf"has nothing for train, only for {split}"):
                data.dataset("train")


def test_a_lone_train_is_divided_as_it_is_without_a_name(tmp_path):
    pictures_in(tmp_path / "pictures" / "train", 5)
    lines_in(tmp_path / "lines", "train")

    for data in (pictures_of(tmp_path / "pictures"), lines_of(tmp_path / "lines")):
        assert [data.num_examples(split) for split in data.split_names] == [3, 1, 1]
        assert len(data.evaluated("all")) == 5


def test_a_lone_split_of_the_datasets_library_follows_the_same_rule(tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    for name in ("test", "train", "whole"):
        datasets.DatasetDict({name: datasets.Dataset.from_dict({"text": LINES})}).save_to_disk(tmp_path / name)

    found = {
        name: HuggingFaceTextDataModule(str(tmp_path / name), Bytes(), 40).split_names
        for name in ("test", "train", "whole")
    }

    assert found == {"test": ("test",), "train": ("train", "val", "test"), "whole": ("train", "val", "test")}


def test_pictures_beside_a_lone_test_are_not_mixed_with_it(tmp_path):
    pictures_in(tmp_path / "test", 2)
    pictures_in(tmp_path / "cats", 2)

    with pytest.raises(ValueError, match=r"cats/0\.png is outside the folders train, val and test"):
        _ = pictures_of(tmp_path).files


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_pictures_can_be_evaluated_and_not_trained_on(tmp_path, count):
    pictures_in(tmp_path, count)
    data = pictures_of(tmp_path)

    assert len(data.evaluated("all")) == count
    assert len(data.evaluated("test")) == 1
    with pytest.raises(ValueError, match=rf"{count} pictures, has nothing for train, only for"):
        data.dataset("train")


def test_a_tokenizer_is_never_trained_on_a_test_split(tmp_path):
    lines_in(tmp_path, "test")

    with pytest.raises(ValueError, match=r"nothing to train a tokenizer on, only the splits test: .*OfRun"):
        TextLinesDataModule(str(tmp_path), Words(), 40).num_values  # noqa: B018
