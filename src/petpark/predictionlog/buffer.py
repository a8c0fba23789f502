"""A queue between threads that never waits and never grows without end."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Buffer(Generic[T]):
    """A queue of bounded weight; where it is full, the oldest make room for the newest, and are counted.

    The oldest, for the newest are those that people still answer, and that tell how it goes now.

    Args:
        limit: of the weight of all.
        weigh: how much one weighs.
    """

    def __init__(self, limit: int, weigh: Callable[[T], int] = lambda _: 1) -> None:
        self.dropped = 0
        self._limit = limit
        self._weigh = weigh
        self._weight = 0
        self._items: deque[T] = deque()
        self._lock = Lock()  # nobody holds it longer than it takes to move some pointers

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Append one."""
        with self._lock:
            self._items.append(item)
            self._weight += self._weigh(item)
            if self._weight > self._limit:
                self._drop()

    def take(self, limit: int) -> list[T]:
        """Take the oldest, up to a weight, but at least one if there is any."""
        taken: list[T] = []
        with self._lock:
            while self._items and ((weight := self._weigh(self._items[0])) <= limit or not taken):
                taken.append(self._items.popleft())
                self._weight -= weight
                limit -= weight
        return taken

    def close(self) -> None:
        """Drop all, and whatever comes later."""
        with self._lock:
            self._limit = 0
            self._drop()

    def _drop(self) -> None:
        while self._weight > self._limit:
            self._weight -= self._weigh(self._items.popleft())
            self.dropped += 1
