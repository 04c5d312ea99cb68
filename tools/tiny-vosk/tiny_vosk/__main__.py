"""The command line: `tools/tiny-vosk/make`, which sees to it that what is imported is there."""

import argparse
import sys
import time
from pathlib import Path

from . import Say, vocabulary

_HERE = Path(__file__).resolve().parents[1]
_WORDS = _HERE / "words"
_FOLDER = _HERE.parents[1] / "target" / "tiny-vosk"
# Both fixed, as is every other seed: the same words give the same models.
_SEED = 21
_UTTERANCES, _TRUNK_PASSES, _HEAD_PASSES = 5000, 9, 48


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/tiny-vosk/make", description=__doc__.splitlines()[0])
    parser.add_argument("language", nargs="?", help="its code, which also names the models")
    parser.add_argument("words", nargs="?", type=Path, help="the word list; words/LANGUAGE.txt if not given")
    parser.add_argument("folder", nargs="?", type=Path, default=_FOLDER, help=f"where the models go; {_FOLDER}")
    parser.add_argument("--utterances", type=int, default=_UTTERANCES, help="how many to speak; %(default)s")
    parser.add_argument(
        "--passes",
        type=int,
        nargs=2,
        default=(_TRUNK_PASSES, _HEAD_PASSES),
        metavar=("PHONES", "WORDS"),
        help=f"how often to go through them; {_TRUNK_PASSES} {_HEAD_PASSES}; 0 words makes no model for sherpa-onnx",
    )
    parser.add_argument("--measure", action="store_true", help="only measure the models in the folder")
    parser.add_argument("--cache", type=Path, help="where corpora are kept")
    parser.add_argument("--check", nargs="*", type=Path, metavar="WORDS", help="only read word lists")
    arguments = parser.parse_args()
    if arguments.check is None and not arguments.language:
        parser.error("no language named")
    return arguments


def _check(paths: list[Path]) -> None:
    for path in paths or sorted(_WORDS.glob("*.txt")):
        read = vocabulary.read(path, path.stem)
        print(f"{path}: {len(read.words)} words, {len(read.sentences)} sentences, voices {' '.join(read.voices)}")


def _size(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"{folder}: {size / 1e6:.2f} MB"


def main() -> None:
    """Does what the command line says."""
    arguments = _arguments()
    if arguments.check is not None:
        _check(arguments.check)
        return

    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    language = arguments.language
    words = vocabulary.read(arguments.words or _WORDS / f"{language}.txt", language)
    vosk_folder = arguments.folder / f"vosk-tiny-{language}-grm"
    sherpa_folder = arguments.folder / f"sherpa-tiny-{language}"
    if not arguments.measure:
        _make(words, arguments, vosk_folder, sherpa_folder, say)
    _measure(words, vosk_folder, sherpa_folder, say)


def _make(
    words: vocabulary.Vocabulary, arguments: argparse.Namespace, vosk_folder: Path, sherpa_folder: Path, say: Say
) -> None:
    from . import corpus, espeak, evaluation, sherpa_model, training, vosk_model

    spoken = corpus.kept(words, arguments.utterances, _SEED, arguments.cache, say)
    say(f"{spoken.hours:.1f} h of speech, {len(spoken.words)} words, {len(spoken.phones)} phones")
    trunk_passes, head_passes = arguments.passes
    trunk, share = training.train_trunk(spoken, trunk_passes, say)
    vosk_model.write(trunk, share, spoken, words, vosk_folder)
    say(_size(vosk_folder))
    if head_passes:
        head = training.train_head(trunk, spoken, head_passes, say)
        calls = evaluation.calibration(words, espeak.Espeak())
        sherpa_model.write(trunk, head, spoken.words, calls, sherpa_folder)
        say(_size(sherpa_folder))


def _measure(words: vocabulary.Vocabulary, vosk_folder: Path, sherpa_folder: Path, say: Say) -> None:
    from . import espeak, evaluation

    calls = evaluation.sets(words, espeak.Espeak())
    engines = [("Vosk", evaluation.vosk, vosk_folder)]
    if sherpa_folder.exists():
        engines.append(("sherpa-onnx, whole utterances", evaluation.sherpa_offline, sherpa_folder))
        engines.append(("sherpa-onnx, streams", evaluation.sherpa_online, sherpa_folder))
    for name, engine, folder in engines:
        say(f"{name}: {folder}")
        evaluation.report(engine(folder), calls, say)


if __name__ == "__main__":
    try:
        main()
    except (vocabulary.VocabularyError, OSError) as error:
        sys.exit(f"tiny-vosk: {error}")
