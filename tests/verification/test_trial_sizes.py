"""Sizes lie around the tiles that sizes meet, in each dimension and in all at once."""

from __future__ import annotations

from onnxtile.verification.trial_sizes import USUAL, choices, drawn_choices, first_choice, lines


def test_first_sizes_are_small_and_differ() -> None:
    assert first_choice(["N", "M", "K"]) == {"N": 2, "M": 3, "K": 4}


def test_both_sides_of_a_tile_are_tried_in_each_dimension_and_in_all() -> None:
    tried = list(choices(["N", "M"], [16]))
    for size in (0, 1, 15, 16, 17, 32, 49):
        assert {"N": size, "M": 3} in tried
        assert {"N": 2, "M": size} in tried
        assert {"N": size, "M": 1} in tried
        assert {"N": size, "M": size} in tried
    assert len(tried) == 35


def test_numbers_that_cannot_be_tiles_are_left_out() -> None:
    assert [choice["N"] for choice in choices(["N"], [-1, 0, 1, 5000])] == [0, 1, USUAL]


def test_a_drawn_size_follows_from_the_seed() -> None:
    sizes = {next(iter(drawn_choices(["N"], [4], seed)))["N"] for seed in range(100)}
    assert sizes == set(range(2, 14))


def test_what_rounds_a_quotient_up_is_no_tile() -> None:
    assert list(choices(["N"], [15, 16, 1])) == list(choices(["N"], [16]))


def test_where_sizes_meet_no_number_the_drawn_one_is_small() -> None:
    sizes = {next(iter(drawn_choices(["N"], [], seed)))["N"] for seed in range(100)}
    assert sizes == set(range(2, 2 + USUAL))


def test_lines_of_one_dimension_are_itself_and_of_two_leave_the_other_small_or_one() -> None:
    assert lines({"N": 2}) == [(["N"], {})]
    small, ones = [(["N"], {"M": 3}), (["M"], {"N": 2})], [(["N"], {"M": 1}), (["M"], {"N": 1})]
    assert lines({"N": 2, "M": 3}) == [*small, *ones, (["N", "M"], {})]
