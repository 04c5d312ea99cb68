"""The words and sentences of a language, read from a text file (see words/*.txt for its form)."""

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

# How often a placeholder with dots, such as {digit...}, is repeated.
RUN_LENGTHS = (1, 2, 4, 4, 8)
# How many words a nonsense sentence has.
NONSENSE_LENGTHS = (1, 2, 3, 4, 5)

_PLACEHOLDER = re.compile(r"\{([^{}.]+)(\.\.\.)?\}")


class VocabularyError(ValueError):
    """Says what is wrong with a vocabulary file, and in which line."""


@dataclass
class Vocabulary:
    """Lists of phrases, the sentences they stand in and the voices that speak them."""

    voices: list[str]
    lists: dict[str, list[str]] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """Every word there is, sorted."""
        phrases = [phrase for phrases in self.lists.values() for phrase in phrases]
        carriers = [_PLACEHOLDER.sub(" ", sentence) for sentence in self.sentences]
        return sorted({word for text in phrases + carriers for word in text.split()})

    def sentence(self, chance: random.Random) -> str:
        """Draws a sentence, with a phrase in each of its places."""

        def fill(match: re.Match[str]) -> str:
            phrases = self.lists[match[1]]
            length = chance.choice(RUN_LENGTHS) if match[2] else 1
            return " ".join(chance.choice(phrases) for _ in range(length))

        return _PLACEHOLDER.sub(fill, chance.choice(self.sentences))

    def nonsense(self, chance: random.Random) -> str:
        """Draws words in no order, so that what is learnt is words and not sentences."""
        words = self.words
        return " ".join(chance.choice(words) for _ in range(chance.choice(NONSENSE_LENGTHS)))


def parse(text: str, name: str, language: str) -> Vocabulary:
    """Reads a vocabulary: `voices:` line, `[list]` headings, `[sentences]`, one phrase in each line.

    A file without `[sentences]` is a mere list: each of its phrases is then a sentence.
    """
    vocabulary = Vocabulary(voices=[])
    section = "phrase"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#")[0].strip().lower()
        if not line:
            continue
        if line.startswith("voices:"):
            vocabulary.voices = raw.split("#")[0].split(":", 1)[1].split()
        elif line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section == "sentences":
            for match in _PLACEHOLDER.finditer(line):
                if match[1] not in vocabulary.lists:
                    known = ", ".join(sorted(vocabulary.lists)) or "none"
                    raise VocabularyError(
                        f"{name}:{number}: no list [{match[1]}] above this sentence; lists are: {known}"
                    )
            vocabulary.sentences.append(line)
        else:
            if "{" in line:
                raise VocabularyError(f"{name}:{number}: placeholders belong under [sentences]")
            vocabulary.lists.setdefault(section, []).append(line)
    vocabulary.voices = vocabulary.voices or [language]
    vocabulary.sentences = vocabulary.sentences or [f"{{{name}}}" for name in vocabulary.lists]
    if not vocabulary.words:
        raise VocabularyError(f"{name}: no words in it")
    return vocabulary


def read(path: Path, language: str) -> Vocabulary:
    """Reads a vocabulary file; `language` is the voice used where the file names none."""
    return parse(path.read_text(encoding="utf-8"), str(path), language)
