"""Stop strings over piece borders."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from impetus.domain.stops import StopFilter


def run(stops: list[str], pieces: list[str]) -> tuple[str, bool]:
    stopping = StopFilter(stops)
    shown = "".join(stopping.feed(piece) for piece in pieces)
    return shown + ("" if stopping.stopped else stopping.finish()), stopping.stopped


def test_a_stop_string_is_found_across_pieces() -> None:
    assert run(["\n\n", "END"], ["on", "e E", "N", "D two"]) == ("one ", True)


def test_text_that_could_begin_a_stop_string_is_held_back_and_given_later() -> None:
    stopping = StopFilter(["</code>"])
    assert stopping.feed("a </co") == "a "
    assert stopping.feed("nst>") == "</const>"
    assert stopping.feed(" </") == " "
    assert stopping.finish() == "</"


def test_the_earliest_of_several_stops_counts() -> None:
    assert run(["later", "so"], ["not so much later"]) == ("not ", True)


def test_without_stops_everything_is_shown_at_once() -> None:
    stopping = StopFilter([""])
    assert stopping.feed("abc") == "abc"
    assert not stopping.stopped


@given(
    st.text(alphabet="ab<>", max_size=40),
    st.lists(st.text(alphabet="ab<>", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_cutting_into_pieces_makes_no_difference(text: str, stops: list[str], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    borders = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in pairwise(borders)]
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    assert run(stops, pieces)[1] is bool(found)
    if not found:
        assert run(stops, pieces)[0] == text
    else:
        # A stop that ends sooner is seen sooner; what is shown never holds a whole stop string.
        shown = run(stops, pieces)[0]
        assert text.startswith(shown)
        assert not any(stop in shown for stop in stops)
