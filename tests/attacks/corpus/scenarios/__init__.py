"""What takes more than requests one after the other.

Each scenario gets the server under test and the attempt, may `find` in its verdict, and gives what must have arrived.
"""

from .costs import costly_paths, metrics_are_silent, series_stay
from .floods import flood, rapid_reset
from .handshakes import hello_in_pieces, no_early_data
from .held import crowd, held_open, hundred_in_one_write, slow_form, trickled, warm_up
from .sessions import parallel_refreshes, same_answers, sample_as_it_is
from .spellings import flipped_bits, other_last_letters, respelled_and_revoked
from .streams import events_expire, events_revoked, handshakes_in_a_row, websocket_expires, websocket_revoked

SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        costly_paths, metrics_are_silent, series_stay, flood, rapid_reset, crowd, held_open, hello_in_pieces, hundred_in_one_write,
        no_early_data, slow_form, trickled, warm_up, parallel_refreshes, same_answers, sample_as_it_is, flipped_bits,
        other_last_letters, respelled_and_revoked, events_expire, events_revoked, websocket_expires, websocket_revoked,
        handshakes_in_a_row,
    )
}  # fmt: skip
