from __future__ import annotations

import re
from pathlib import Path

import onnx_ir as ir
import pytest

from onnxtile.engine.limits import sized
from onnxtile.engine.product import Product, Window
from onnxtile.errors import UsageError
from onnxtile.exploration.measured import MOST_BYTES, read_measured

I8, U8, F32 = ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.FLOAT


def written(folder: Path, text: str) -> Path:
    path = folder / "measured.csv"
    path.write_text(text)
    return path


def test_layers_with_what_is_given_of_them(tmp_path: Path) -> None:
    text = """Name, K,M,N,cycles,batch,types,note,result
fc,2,1,3,100,,int8 x int8,new,int8
,5,4,6,1.5e3,7,float16,,
"""
    first, second = read_measured(written(tmp_path, "\ufeff" + text))
    assert (first.name, first.product, first.cycles) == ("fc", Product(1, 2, 3), 100)
    types = ("float16", "float16")
    assert (second.name, second.product) == ("7 x 4 x 5 x 6", Product(4, 5, 6, 7, types, "float16"))
    assert second.cycles == 1500


def test_a_convolution_has_its_window(tmp_path: Path) -> None:
    text = """m,k,n,cycles,input,kernel,strides,padding,output
784,1152,128,900,56x56,3x3,2x2,0x0,28x28
10,8,2,900,20,2,2,0,10
1,8,2,900,,,,,
"""
    first, second, third = read_measured(written(tmp_path, text))
    assert first.product.window == Window(128, (56, 56), (3, 3), (2, 2), (1, 1), (0, 0), (28, 28))
    assert second.product.window == Window(4, (20,), (2,), (2,), (1,), (0,), (10,))
    assert third.product.window is None


def test_a_result_is_of_the_type_that_a_profile_counts(tmp_path: Path) -> None:
    rows = read_measured(written(tmp_path, "m,k,n,cycles,types\n1,2,3,5,\n1,2,3,5,uint8 x int8\n1,2,3,5,float32\n"))
    types = ((I8, I8), (U8, I8), (F32, F32))
    assert [row.product for row in rows] == [sized(1, 2, 3, 1, pair) for pair in types]
    assert [row.product.result for row in rows] == ["int32", "int32", "float32"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column m: its first line names columns"),
        (
            "m,k,n,cycle\n1,1,1,1\n",
            "has no column cycles: its first line names columns, m, k, n, cycles among them; did",
        ),
        ("m,k,n,cycles\n1,1,1\n", "line 2: cycles is '': write how many the layer took"),
        ("m,k,n,cycles\n1,1,1,nan\n", "line 2: cycles is 'nan'"),
        ("m,k,n,cycles\n1,1,1,0\n", "line 2: cycles is '0'"),
        ("m,k,n,cycles\n1,1,1,5\n1.5,1,1,5\n", "line 3: m is '1.5': write a whole number"),
        ("m,k,n,cycles\n-1,1,1,5\n", "line 2: m is '-1': write a whole number"),
        ("m,k,n,cycles\n0,1,1,5\n", "line 2: a layer of 0 x 1 x 1 has nothing to multiply"),
        ("m,k,n,cycles,types\n1,1,1,5,int9\n", "line 2: type 'int9' of a product is unknown"),
        ("m,k,n,cycles,types\n1,1,1,5,int8 int8 int8\n", "line 2: types is 'int8 int8 int8': write those of A and B"),
        ("m,k,n,cycles,result\n1,1,1,5,int9\n", "line 2: type 'int9' of a product is unknown"),
        ("m,k,n,cycles,kernel\n1,9,1,5,3x3\n", "line 2: input is '': write a size for each axis, such as 56x56"),
        ("m,k,n,cycles,input,kernel,strides,padding,output\n1,9,1,5,3x3,0x3,1x1,0x0,1x1\n", "line 2: the window of a"),
        ('m,k,n,cycles\n1,1,"1\n', "isn't CSV in UTF-8"),
    ],
)
def test_bad_tables_are_refused_with_their_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        read_measured(written(tmp_path, text))


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_measured(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="isn't CSV in UTF-8"):
        read_measured(tmp_path / "a.csv")


def test_files_as_large_as_are_read_and_larger(tmp_path: Path) -> None:
    head = "m,k,n,cycles\n1,1,1,1\n"
    assert len(read_measured(written(tmp_path, head + "\n" * (MOST_BYTES - len(head))))) == 1
    with pytest.raises(UsageError, match="more than 10,000,000 bytes aren't a table of layers"):
        read_measured(written(tmp_path, head + "\n" * (MOST_BYTES - len(head) + 1)))
