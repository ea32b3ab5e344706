"""Work done by a thread while its results are looked at."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], count: int | None = None) -> Generator[T, None, None]:
    """The items in their order, each made by a thread of its own while the one before is looked at.

    All of them are made in that one thread, and what is made last is waited for when this is closed, after which
    `items` is closed too, in the same thread. `count` is how many there are, where that is known: one item alone needs
    no thread.
    """
    if count == 1:
        yield from items
        return
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as worker:
        coming = worker.submit(next, items, end)
        try:
            while (item := coming.result()) is not end:
                coming = worker.submit(next, items, end)
                yield item  # type: ignore[misc]
        finally:
            coming.cancel()
            if isinstance(items, Generator):
                worker.submit(items.close).result()


__all__ = ["ahead"]
