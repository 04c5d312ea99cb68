"""How words are pronounced, found by laying spoken sentences over words spoken alone.

espeak-ng runs words together (`the opening hours` has other phonemes than its three words), so the
phones of a sentence are aligned with those of its words in isolation by the fewest edits; what falls
to a word is a pronunciation of it.
"""

from collections import Counter
from dataclasses import dataclass, field

from .espeak import Espeak, Phone, Speaker

# A pronunciation rarer than this share of a word's, or beyond this many, is not kept.
_SHARE, _MOST = 0.06, 4


def pronounced(phones: list[Phone]) -> list[str]:
    """Returns the names of the phones without the silences."""
    return [phone.name for phone in phones if phone.name is not None]


def divide(phones: list[str], words: list[list[str]]) -> list[slice]:
    """Divides the phones of a sentence among its words, whose phones in isolation are given.

    Returns a slice of `phones` for each word; fewest insertions, deletions and exchanges win.
    """
    expected = [(phone, word) for word, alone in enumerate(words) for phone in alone]
    columns = len(phones) + 1
    cost = [[float(column) for column in range(columns)]]
    for row, (wanted, _) in enumerate(expected, 1):
        above = cost[-1]
        current = [float(row)]
        for column in range(1, columns):
            exchange = above[column - 1] + (phones[column - 1] != wanted)
            current.append(min(exchange, above[column] + 1, current[-1] + 1))
        cost.append(current)
    # Back from the end: each spoken phone gets the word of the phone it was matched with.
    owner = [0] * len(phones)
    row, column = len(expected), len(phones)
    while column > 0:
        here = cost[row][column]
        if row > 0 and here == cost[row - 1][column - 1] + (phones[column - 1] != expected[row - 1][0]):
            row, column = row - 1, column - 1
            owner[column] = expected[row][1]
        elif row > 0 and here == cost[row - 1][column] + 1:
            row -= 1
        else:
            column -= 1
            owner[column] = expected[max(row - 1, 0)][1]
    return [
        slice(owner.index(word), len(owner) - owner[::-1].index(word)) if word in owner else slice(0, 0)
        for word in range(len(words))
    ]


@dataclass
class Lexicon:
    """The pronunciations of words, gathered from what was spoken."""

    heard: dict[str, Counter[tuple[str, ...]]] = field(default_factory=dict)

    def add(self, word: str, phones: list[str]) -> None:
        """Counts a pronunciation."""
        if phones:
            self.heard.setdefault(word, Counter())[tuple(phones)] += 1

    def pronunciations(self, word: str, known: set[str]) -> list[tuple[str, ...]]:
        """Returns the commonest pronunciations of a word that need none but known phones."""
        counts = self.heard.get(word, Counter())
        usual = [
            phones
            for phones, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            if count >= _SHARE * counts.total() and known.issuperset(phones)
        ]
        return usual[:_MOST]


class Isolated:
    """The phones of each word spoken alone, by voice; spoken once and remembered."""

    def __init__(self, espeak: Espeak) -> None:
        self._espeak = espeak
        self._known: dict[tuple[str, str], list[str]] = {}

    def phones(self, word: str, voice: str) -> list[str]:
        """Returns the phones of a word as a voice (variants do not matter) says it alone."""
        voice = voice.split("+")[0]
        if (word, voice) not in self._known:
            spoken = self._espeak.speak(word, Speaker(voice))
            self._known[word, voice] = pronounced(spoken.phones)
        return self._known[word, voice]
