"""Faults in recurrent operators that were written out: gates, directions, masks, states."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.faults.cases import Case
from tests.faults.forgery import Forgery, in_lowered
from tests.faults.written import attribute, becomes, both, bypassed, constant, exchange, reads, swap_outputs
from tests.recurrent import Layer, layer

LSTM_LAYER = layer(
    "LSTM", batch=3, lengths=[3, 1, 2], states=True, peepholes=True, clip=0.5, whole=False, steps=4, seed=3
)  # fmt: skip
GRU_LAYER = layer("GRU", directions=2, states=True, whole=False, steps=4, seed=4)
RESET_LAYER = layer("GRU", linear_before_reset=1, whole=False, steps=4, seed=5)
FORGET_LAYER = layer("LSTM", input_forget=1, direction="reverse", whole=False, steps=4, seed=6)
RNN_LAYER = layer("RNN", hidden=5, activations=["HardSigmoid"], activation_alpha=[0.3], whole=False, steps=4, seed=7)


def faults(name: str, own: Layer, how: dict[str, Any], **titles: Any) -> list[Forgery]:
    """`titles`: edits by their titles, with _ for a space."""
    case = Case(name, own.model, how, (2, 3, 4))
    return in_lowered({f"{title.replace('_', ' ')}": edit for title, edit in titles.items()}, case, own.feeds())


def halves(array: np.ndarray) -> np.ndarray:
    """The parts of two gates in each other's place."""
    pieces = np.split(array, len(array) // 3)
    return np.concatenate([pieces[1], pieces[0], *pieces[2:]])


SCAN = faults(
    "LSTM", LSTM_LAYER, {"form": "batched"},
    gates_i_and_o_of_an_LSTM_are_exchanged=swap_outputs("layer/step/i_in", 0, 1),
    gates_f_and_c_of_an_LSTM_are_exchanged=swap_outputs("layer/step/i_in", 2, 3),
    two_peepholes_are_exchanged=both(
        reads("layer/step/i_seen", 1, "layer/step/P_f"), reads("layer/step/f_seen", 1, "layer/step/P_i")
    ),
    the_output_gate_peeps_at_the_state_before=reads("layer/step/o_seen", 0, "layer/step/c_before"),
    a_peephole_is_left_out=bypassed("layer/step/f_peeped"),
    the_clip_of_one_gate_is_lost=bypassed("layer/step/z_clipped"),
    the_clip_is_wider_on_one_side=constant("layer/step/clip_max", lambda array: array * 2),
    what_an_LSTM_gives_isn_t_masked=reads("layer/step/y", 2, "layer/step/h"),
    the_state_isn_t_kept_behind_the_end_of_a_sequence=reads("layer/step/h_kept", 2, "layer/step/h"),
    the_cell_isn_t_kept_behind_the_end_of_a_sequence=reads("layer/step/c_kept", 2, "layer/step/c"),
    the_cell_is_kept_where_the_state_is=reads("layer/step/c_kept", 1, "layer/step/c_before"),
    sequences_are_one_step_longer=constant("layer/steps", lambda array: array - 1),
    states_h_and_c_begin_in_each_other_s_place=both(
        reads("layer/steps_run", 0, "layer/c_0"), reads("layer/steps_run", 1, "layer/h_0")
    ),
    the_last_states_are_exchanged=both(
        reads("layer/Y_h", 0, "layer/c_last"), reads("layer/Y_c", 0, "layer/h_last")
    ),
    an_LSTM_shows_its_cell_before_it_is_new=reads("layer/step/shown", 0, "layer/step/c_before"),
    an_LSTM_s_forget_gate_weighs_what_is_added=exchange("layer/step/kept", "layer/step/added", 0),
    an_LSTM_s_bias_has_two_gates_exchanged=constant("layer/bias", halves),
    an_LSTM_s_bias_is_left_out=bypassed("layer/input_biased"),
    the_Scan_of_an_LSTM_runs_backwards=attribute("layer/steps_run", scan_input_directions=[1, 1]),
    what_a_Scan_stacks_is_in_the_other_order=attribute("layer/steps_run", scan_output_directions=[1]),
)  # fmt: skip
UNROLLED = faults(
    "GRU", GRU_LAYER, {"steps": "unroll"},
    gates_z_and_r_of_a_GRU_are_exchanged=swap_outputs("layer/forward/step1/z_x", 0, 1),
    a_GRU_s_update_gate_is_turned_round=exchange("layer/forward/step2/added", "layer/forward/step2/kept", 0),
    a_GRU_s_reset_is_left_out=becomes("layer/forward/step1/reset", "Identity", "layer/forward/step0/h"),
    a_step_reads_the_input_of_another=reads("layer/forward/step2/x", 1, "layer/forward/step/index_1"),
    a_step_reads_the_state_of_the_step_before_the_last=reads("layer/forward/step2/kept", 1, "layer/forward/step0/h"),
    the_direction_that_runs_backwards_begins_with_the_other_s_state=reads(
        "layer/backward/h_0", 1, "layer/forward/h_0_direction"
    ),
    the_last_state_is_one_step_too_early=reads("layer/Y_h_0", 0, "layer/forward/step2/h"),
    both_directions_are_exchanged=exchange("layer/Y_0", "layer/Y_1", 0),
    the_initial_state_is_left_out=becomes("layer/forward/h_0", "Sub", "layer/backward/h_0", "layer/backward/h_0"),
    two_steps_of_what_a_GRU_gives_are_exchanged=reads("layer/forward/Y_rows", 0, "layer/forward/step1/h"),
)  # fmt: skip
OTHERS = [
    *faults(
        "GRU, linear_before_reset", RESET_LAYER, {"form": "function"},
        the_bias_that_is_reset_is_left_out=bypassed("layer/step/h_biased"),
        the_bias_that_is_reset_is_added_behind_the_reset=both(
            bypassed("layer/step/h_biased"), becomes("layer/step/h_in", "Sum", "layer/step/h_x", "layer/step/reset",
                                                     "layer/step/reset_bias"),
        ),
    ),
    *faults(
        "LSTM, input_forget", FORGET_LAYER, {"form": "loop"},
        the_coupled_forget_gate_is_the_input_gate=becomes("layer/step/f", "Identity", "layer/step/i"),
        steps_of_a_layer_in_reverse_run_forwards=attribute(
            "layer/steps_run", scan_input_directions=[0], scan_output_directions=[0]
        ),
        what_a_layer_in_reverse_gives_is_stacked_forwards=attribute("layer/steps_run", scan_output_directions=[0]),
    ),
    *faults(
        "RNN", RNN_LAYER, {"form": "batched"},
        an_activation_of_an_RNN_has_its_default_slope=attribute("layer/step/h", alpha=0.2),
        an_activation_of_an_RNN_is_another=becomes("layer/step/h", "Sigmoid", "layer/step/gates"),
        the_product_with_the_state_is_left_out=becomes("layer/step/gates", "Identity", "layer/step/x"),
    ),
]  # fmt: skip
FORGERIES = [*SCAN, *UNROLLED, *OTHERS]
