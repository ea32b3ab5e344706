"""Items are made by one thread, one ahead, in their order; nothing goes on behind the back of who stops early."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from cvpipe.ahead import ahead


class Made:
    """Numbers that are slow to make, and what was going on."""

    def __init__(self, count: int) -> None:
        self.threads, self.made, self.closed = set[int](), 0, False
        self._count = count

    def __call__(self) -> Generator[int, None, None]:
        try:
            for number in range(self._count):
                self.threads.add(threading.get_ident())
                time.sleep(0.005)
                self.made += 1
                yield number
        finally:
            self.threads.add(threading.get_ident())
            self.closed = True


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_all_items_in_their_order_by_one_other_thread(count: int) -> None:
    made = Made(count)
    assert list(ahead(made())) == list(range(count))
    assert made.closed
    assert threading.get_ident() not in made.threads
    assert len(made.threads) == 1


def test_one_item_alone_takes_no_thread() -> None:
    made = Made(1)
    assert list(ahead(made(), 1)) == [0]
    assert made.threads == {threading.get_ident()}


def test_one_is_made_while_another_is_looked_at_and_no_more() -> None:
    made = Made(9)
    items = ahead(made())
    next(items)
    time.sleep(0.1)
    assert made.made == 2
    items.close()
    assert (made.made, made.closed, len(made.threads)) == (2, True, 1)


def test_an_error_is_told_where_the_item_is_asked_for() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise OSError("no more")

    items = ahead(failing())
    assert next(items) == 1
    with pytest.raises(OSError, match="no more"):
        next(items)
