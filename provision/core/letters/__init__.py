"""Letters: what a mail says, from words with placeholders and a person's values.

words      the built-in words, one file per language, and what a tenant may write instead
composing  words and values become a subject, a plain text and HTML
"""

from provision.core.letters.composing import Letter, Seal, compose
from provision.core.letters.words import CURLY, LONGEST, PLACEHOLDERS, SAMPLES, Words, built_in, frame, judge

__all__ = [
    "CURLY",
    "LONGEST",
    "PLACEHOLDERS",
    "SAMPLES",
    "Letter",
    "Seal",
    "Words",
    "built_in",
    "compose",
    "frame",
    "judge",
]
