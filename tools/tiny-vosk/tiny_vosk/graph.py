"""The search graph of a Vosk model that takes grammars at run time, made with OpenFst's tools.

`HCLr.fst` turns states of phones into words, any word after any; `Gr.fst` says which words follow
each other where no grammar is given. The word `[unk]` is a loop over all phones: what is said
outside a grammar ends up there.
"""

import math
import os
import random
import subprocess
from collections import Counter
from pathlib import Path

from .kaldi import STAY_PROBABILITY
from .vocabulary import Vocabulary

UNKNOWN_WORD = "[unk]"
# Where Debian keeps the plugin for tables that look ahead (libfst22-plugins-base).
_PLUGINS = "/usr/lib/x86_64-linux-gnu/fst/22"

_PAUSE_PROBABILITY = 0.3
# What a phone of an unknown word costs: the first, and each after it.
_UNKNOWN_FIRST, _UNKNOWN_NEXT = 2.5, 2.0
# Sentences drawn to learn which word follows which.
_BIGRAM_SENTENCES = 6000

# Where in a word a phone is, as Kaldi names it.
POSITIONS = {"B": "begin", "E": "end", "I": "internal", "S": "singleton"}


class PhoneTable:
    """The graph's phones: silence first, then each phone four times, by its place in a word."""

    def __init__(self, phones: list[str]) -> None:
        self.names = [phones[0]]
        self.kinds = ["nonword"]
        self.outputs = [0]
        for output, phone in enumerate(phones[1:], 1):
            for letter, kind in POSITIONS.items():
                self.names.append(f"{phone}_{letter}")
                self.kinds.append(kind)
                self.outputs.append(output)
        self.plain = phones[1:]
        self._number = {name: number for number, name in enumerate(self.names, 1)}

    def transitions(self, name: str) -> tuple[int, int]:
        """Returns Kaldi's numbers for staying in a phone and for going through it."""
        number = self._number[name]
        return 2 * number - 1, 2 * number

    @staticmethod
    def placed(pronunciation: tuple[str, ...]) -> list[str]:
        """Returns a word's phones with their places."""
        if len(pronunciation) == 1:
            return [f"{pronunciation[0]}_S"]
        inner = [f"{phone}_I" for phone in pronunciation[1:-1]]
        return [f"{pronunciation[0]}_B", *inner, f"{pronunciation[-1]}_E"]


class _Transducer:
    """A transducer in OpenFst's text form; state 0 is the first."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._states = 0

    def state(self) -> int:
        self._states += 1
        return self._states - 1

    def arc(self, source: int, target: int, inputs: int, outputs: int, cost: float = 0.0) -> None:
        self._lines.append(f"{source} {target} {inputs} {outputs} {cost:.4f}")

    def final(self, state: int, cost: float = 0.0) -> None:
        self._lines.append(f"{state} {cost:.4f}")

    def compile(self, path: Path, *filters: str) -> None:
        """Writes the transducer, after OpenFst's tools have been applied to it in turn."""
        environment = dict(os.environ, LD_LIBRARY_PATH=_PLUGINS)
        stream = ("\n".join(self._lines) + "\n").encode()
        for command in ("fstcompile", *filters):
            try:
                done = subprocess.run(command.split(), input=stream, capture_output=True, env=environment)
            except FileNotFoundError as error:
                raise SystemExit(f"tiny-vosk: {error}; apt-get install libfst-tools") from error
            if done.returncode != 0:
                said = done.stderr.decode().strip()
                raise SystemExit(f"tiny-vosk: {command}: {said}; is libfst22-plugins-base installed?")
            stream = done.stdout
        path.write_bytes(stream)


class _PhoneGraph(_Transducer):
    """A transducer over the states of phones."""

    def __init__(self, table: PhoneTable) -> None:
        super().__init__()
        self._table = table

    def phone(self, source: int, name: str, word: int = 0, cost: float = 0.0) -> int:
        """Adds a phone, which lasts as long as it likes; returns the state behind it."""
        stay, go = self._table.transitions(name)
        target = self.state()
        self.arc(source, target, go, word, cost - math.log(1 - STAY_PROBABILITY))
        self.arc(target, target, stay, 0, -math.log(STAY_PROBABILITY))
        return target

    def pause(self, source: int, target: int) -> None:
        """Leads from one state to another, with silence between or without."""
        self.arc(source, target, 0, 0, -math.log(1 - _PAUSE_PROBABILITY))
        silent = self.phone(source, self._table.names[0], cost=-math.log(_PAUSE_PROBABILITY))
        self.arc(silent, target, 0, 0)


def _words_from_phones(
    table: PhoneTable, lexicon: dict[str, list[tuple[str, ...]]], numbers: dict[str, int]
) -> _PhoneGraph:
    """Returns the table of all words, any after any, and of the unknown one."""
    graph = _PhoneGraph(table)
    start, loop = graph.state(), graph.state()
    graph.pause(start, loop)
    for word, pronunciations in lexicon.items():
        for pronunciation in pronunciations:
            state = loop
            for place, phone in enumerate(table.placed(pronunciation)):
                first = place == 0
                # Of several pronunciations each costs something, though less than a fair share.
                cost = 0.5 * math.log(len(pronunciations)) if first else 0.0
                state = graph.phone(state, phone, numbers[word] if first else 0, cost)
            graph.pause(state, loop)
    inside = graph.state()
    for phone in table.plain:
        begun = graph.phone(loop, f"{phone}_B", numbers[UNKNOWN_WORD], _UNKNOWN_FIRST)
        graph.arc(begun, inside, 0, 0)
        graph.arc(graph.phone(inside, f"{phone}_I", cost=_UNKNOWN_NEXT), inside, 0, 0)
        graph.pause(graph.phone(inside, f"{phone}_E", cost=_UNKNOWN_NEXT), loop)
    graph.final(loop)
    return graph


def _words_after_words(vocabulary: Vocabulary, words: list[str], numbers: dict[str, int]) -> _Transducer:
    """Returns a bigram with Witten-Bell's backing off, of sentences drawn from the vocabulary."""
    chance = random.Random(5)
    follows: dict[str, Counter[str]] = {word: Counter() for word in ["<s>", *words]}
    alone = Counter(words)
    for _ in range(_BIGRAM_SENTENCES):
        sentence = vocabulary.sentence(chance).split()
        for word, following in zip(["<s>", *sentence], [*sentence, "</s>"]):
            follows[word][following] += 1
            alone[following] += 1
    graph = _Transducer()
    states = {word: graph.state() for word in follows}
    anything = graph.state()

    def lead(state: int, following: str, cost: float) -> None:
        if following == "</s>":
            graph.final(state, cost)
        else:
            graph.arc(state, states[following], numbers[following], numbers[following], cost)

    for word, state in states.items():
        kinds = max(len(follows[word]), 1)
        total = follows[word].total() + kinds
        for following, count in sorted(follows[word].items()):
            lead(state, following, -math.log(count / total))
        graph.arc(state, anything, 0, 0, -math.log(kinds / total))
    for following, count in sorted(alone.items()):
        lead(anything, following, -math.log(count / alone.total()))
    return graph


def write(
    folder: Path, table: PhoneTable, lexicon: dict[str, list[tuple[str, ...]]], vocabulary: Vocabulary
) -> None:
    """Writes the folder `graph` of a model."""
    (folder / "phones").mkdir(parents=True, exist_ok=True)
    numbers = {word: number for number, word in enumerate([*lexicon, UNKNOWN_WORD], 1)}
    pairs = folder / "relabelled"
    _words_from_phones(table, lexicon, numbers).compile(
        folder / "HCLr.fst",
        "fstconnect",
        "fstarcsort --sort_type=olabel",
        f"fstconvert --fst_type=olabel_lookahead --save_relabel_opairs={pairs}",
    )
    # Tables that look ahead number the words anew; everyone else follows.
    relabelled = dict(tuple(map(int, line.split())) for line in pairs.read_text().splitlines() if line.strip())
    pairs.unlink()
    numbers = {word: relabelled.get(number, number) for word, number in numbers.items()}
    _words_after_words(vocabulary, list(lexicon), numbers).compile(
        folder / "Gr.fst", "fstarcsort --sort_type=ilabel", "fstconvert --fst_type=const"
    )
    in_order = sorted(numbers.items(), key=lambda item: item[1])
    (folder / "words.txt").write_text(
        "<eps> 0\n" + "".join(f"{word} {number}\n" for word, number in in_order), encoding="utf-8"
    )
    (folder / "phones.txt").write_text(
        "<eps> 0\n" + "".join(f"{name} {number}\n" for number, name in enumerate(table.names, 1))
    )
    (folder / "phones" / "word_boundary.int").write_text(
        "".join(f"{number} {kind}\n" for number, kind in enumerate(table.kinds, 1))
    )
    # The graph has no disambiguation symbols; Vosk wants the file, so it names one that is not there.
    (folder / "disambig_tid.int").write_text("100000\n")
