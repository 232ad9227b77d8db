"""Feature files: read as they are, refused with the array and the reason."""

import numpy as np
import pytest

from lidjax.errors import InputError
from lidjax.features import read_features, write_features

GOOD = {"features": np.ones((4, 3)), "mean": np.arange(4.0), "variance": np.full(4, 0.5)}


def with_nan(array):
    array = np.array(array, float)
    array.flat[5 % array.size] = np.nan
    return array


def test_a_good_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, **GOOD, label=np.zeros(4, int))
    data = read_features(path)
    np.testing.assert_array_equal(data.features, GOOD["features"])
    np.testing.assert_array_equal(data.mean, GOOD["mean"])
    assert len(data.sha256) == 64


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": None}, "no array named mean"),
        ({"features": np.ones(4)}, r"features has shape \(4,\); it must be \(m, d\)"),
        ({"features": np.ones((0, 3))}, "features has shape"),
        ({"mean": np.ones(3)}, r"mean has shape \(3,\); it must be \(4,\)"),
        ({"variance": np.ones((4, 1))}, r"variance has shape \(4, 1\)"),
        (
            {"features": with_nan(GOOD["features"])},
            r"features\[1, 2\] is nan; entries that are not finite: 1",
        ),
        ({"mean": with_nan(GOOD["mean"])}, r"mean\[1\] is nan"),
        ({"variance": np.array([1, -2, 1, 1.0])}, r"variance\[1\] is -2.0; a variance must not be negative"),
        ({"mean": np.array(["a"] * 4)}, "mean has dtype <U1"),
        ({"features": np.ones((4, 3), complex)}, "must hold real numbers"),
        ({"mean": np.array([None] * 4)}, "pickled arrays are refused"),
    ],
)
def test_bad_arrays_are_refused_by_name(tmp_path, change, words):
    path = tmp_path / "x.npz"
    np.savez(path, **{name: value for name, value in (GOOD | change).items() if value is not None})
    with pytest.raises(InputError, match=words):
        read_features(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 truncated"])
def test_files_that_are_no_archive_are_refused(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=str(path)):
        read_features(path)


def test_a_single_array_and_a_missing_file_are_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones(3))
    with pytest.raises(InputError, match="a single array"):
        read_features(tmp_path / "x.npy")
    with pytest.raises(InputError, match="no such feature file"):
        read_features(tmp_path / "y.npz")
    with pytest.raises(InputError, match="not a readable"):
        read_features(tmp_path)


def test_what_is_written_is_read_back_and_bad_arrays_leave_no_file(tmp_path):
    path = tmp_path / "x.npz"
    write_features(path, {"source": "here"}, **GOOD, id=np.array(list("abcd")))
    data = read_features(path)
    np.testing.assert_array_equal(data.variance, GOOD["variance"])
    assert data.provenance == '{"source": "here"}'
    with pytest.raises(InputError, match="must not be negative"):
        write_features(tmp_path / "y.npz", {}, **GOOD | {"variance": -GOOD["variance"]})
    with pytest.raises(InputError, match=r"a feature file is an \.npz"):
        write_features(tmp_path / "y.npy", {}, **GOOD)
    assert list(tmp_path.iterdir()) == [path]
