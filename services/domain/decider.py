"""The shape of every decision: a state folded from events, and functions that decide on it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from schemas.events import EventModel


@dataclass(frozen=True, slots=True)
class Decider[State]:
    """How a stream's events become the state that decisions are made on. `evolve` never refuses."""

    subject: str
    initial: State
    evolve: Callable[[State, EventModel], State]

    def stream(self, id_: str) -> str:
        """The name of the stream of one such subject."""
        return f"{self.subject}/{id_}"

    def fold(self, events: Iterable[EventModel], state: State | None = None) -> State:
        """The state after these events, from the beginning or from this state on."""
        state = self.initial if state is None else state
        for event in events:
            state = self.evolve(state, event)
        return state
