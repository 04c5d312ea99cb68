"""Who speaks: the variants of espeak-ng's voices, those to learn from and those to be tested with."""

import random

from .espeak import Speaker

LEARNT = (
    "m1 m2 m3 m4 m5 m6 m7 f1 f2 f3 f4 f5 klatt klatt2 klatt4 adam Andy Annie aunty Denis edward Gene "
    "grandpa Hugo iven Jacky Lee Michael pablo quincy sandro shelby steph travis victor zac anika "
    "belinda john miguel norbert paul pedro antonio benjamin david ed marcelo max"
).split()
UNSEEN = "m8 linda rob steph3 robert caleb Alicia".split()

# The share of the plain voice, which is the one that calls in tests.
PLAIN_SHARE = 0.2


def draw(voices: list[str], chance: random.Random, variants: list[str] = LEARNT) -> Speaker:
    """Draws a speaker: one of the language's voices in one of the variants, at any speed and pitch."""
    variant = "" if variants is LEARNT and chance.random() < PLAIN_SHARE else f"+{chance.choice(variants)}"
    return Speaker(
        chance.choice(voices) + variant,
        rate=chance.randint(110, 210),
        pitch=chance.randint(25, 75),
        pitch_range=chance.randint(20, 80),
    )
