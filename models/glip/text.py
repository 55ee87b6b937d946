"""The text side: BERT's WordPiece with offsets, prompts, and which tokens belong to a phrase.

Offsets and spans count Unicode code points of the original string, half open.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_TOKENS = 256
MAX_WORD = 100  # characters; longer words are one [UNK]
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# The last but two begins at 2B920, not 2B820, in the reference's tokeniser.
CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip

Span = tuple[int, int]


@dataclass(frozen=True)
class Encoding:
    """Tokens of a text, [CLS] and [SEP] included; these two have the offset (0, 0) and cover nothing."""

    ids: list[int]
    tokens: list[str]
    offsets: list[Span]


@dataclass(frozen=True)
class Prompt:
    """A caption and, for each phrase, its spans."""

    caption: str
    spans: list[list[Span]]


def load_vocab(path: Path) -> dict[str, int]:
    """Reads a vocab.txt, one token a line, the line number is the id.

    Raises ValueError for a file without the special tokens or with a repeated entry.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    vocab: dict[str, int] = {}
    for i, line in enumerate(lines):
        token = line.rstrip("\r")
        if token in vocab:
            raise ValueError(f"{path}: line {i + 1} repeats {token!r} of line {vocab[token] + 1}")
        vocab[token] = i
    missing = [token for token in SPECIAL if token not in vocab]
    if missing:
        raise ValueError(f"{path}: not a BERT vocabulary, it lacks {', '.join(missing)}")
    return vocab


def _is_punctuation(char: str) -> bool:
    code = ord(char)
    ascii_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_symbol or unicodedata.category(char).startswith("P")


def _is_dropped(char: str) -> bool:
    if char in "\t\n\r":
        return False
    # Unassigned code points stay: which these are depends on the Unicode version, and the reference's
    # tokeniser keeps them as (unknown) words.
    return char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs")


def _words(text: str, start: int) -> Iterable[list[tuple[str, int]]]:
    """Words as lists of (normalised character, code point index it came from, counted from `start`)."""
    word: list[tuple[str, int]] = []
    for i, char in enumerate(text, start):
        if _is_dropped(char):
            continue
        if char.isspace():
            if word:
                yield word
            word = []
            continue
        alone = any(low <= ord(char) <= high for low, high in CJK)
        for part in unicodedata.normalize("NFD", char):
            if unicodedata.category(part) == "Mn":
                continue
            for lower in part.lower():
                if alone or _is_punctuation(lower):
                    if word:
                        yield word
                    yield [(lower, i)]
                    word = []
                else:
                    word.append((lower, i))
    if word:
        yield word


class Tokenizer:
    """bert-base-uncased's tokenisation over any vocabulary."""

    def __init__(self, vocab: Mapping[str, int]) -> None:
        self.vocab = vocab

    def _pieces(self, word: list[tuple[str, int]]) -> list[tuple[str, Span]]:
        """Greedy longest match from the left; one [UNK] if any rest has no match."""
        unknown: list[tuple[str, Span]] = [("[UNK]", (word[0][1], word[-1][1] + 1))]
        if len(word) > MAX_WORD:
            return unknown
        text = "".join(char for char, _ in word)
        pieces: list[tuple[str, Span]] = []
        start = 0
        while start < len(text):
            prefix = "##" if start else ""
            for end in range(len(text), start, -1):
                if prefix + text[start:end] in self.vocab:
                    break
            else:
                return unknown
            pieces.append((prefix + text[start:end], (word[start][1], word[end - 1][1] + 1)))
            start = end
        return pieces

    def encode(self, text: str, max_tokens: int | None = MAX_TOKENS) -> Encoding:
        """Tokenises; what does not fit into `max_tokens` (specials included) is cut off at the end."""
        pieces: list[tuple[str, Span]] = []
        at = 0
        # A special token spelt out in the text is that token, in the reference's tokeniser as well.
        for part in re.split(r"(\[(?:PAD|UNK|CLS|SEP|MASK)\])", text):
            if part in SPECIAL:
                pieces.append((part, (at, at + len(part))))
            else:
                pieces += [piece for word in _words(part, at) for piece in self._pieces(word)]
            at += len(part)
        if max_tokens is not None:
            pieces = pieces[: max_tokens - 2]
        framed = [("[CLS]", (0, 0)), *pieces, ("[SEP]", (0, 0))]
        return Encoding(
            [self.vocab[token] for token, _ in framed], [token for token, _ in framed], [span for _, span in framed]
        )


def positive_tokens(encoding: Encoding, spans: Sequence[Span], limit: int = MAX_TOKENS) -> list[int]:
    """Indices of the tokens of a phrase, sorted; 0 is [CLS], so the first word is 1.

    A span whose first (last) character has no token is tried again one and two characters further in;
    one that still has none gives nothing, and so does what lies at `limit` or beyond. A phrase that gets
    no token cannot be grounded.
    """

    def token_at(position: int) -> int | None:
        for i, (start, end) in enumerate(encoding.offsets):
            if start <= position < end:
                return i
        return None

    found: set[int] = set()
    for begin, end in spans:
        first = next((t for p in range(begin, begin + 3) if (t := token_at(p)) is not None), None)
        last = next((t for p in range(end - 1, end - 4, -1) if (t := token_at(p)) is not None), None)
        if first is not None and last is not None:
            found.update(range(first, last + 1))
    return sorted(i for i in found if i < limit)


def clean_name(name: str) -> str:
    """A class name as the reference's evaluation cleans it."""
    name = re.sub(r"\(.*\)", "", name)
    return name.replace("_", " ").replace("  ", " ")


def evaluation_prompt(names: Sequence[str], separator: str = ". ") -> Prompt:
    """Class names as one caption, the way the published numbers were made: cleaned, nothing at the end."""
    caption, spans = "", []
    for i, name in enumerate(names):
        cleaned = clean_name(name)
        if i:
            caption += separator
        spans.append([(len(caption), len(caption) + len(cleaned))])
        caption += cleaned
    return Prompt(caption, spans)


def demo_prompt(names: Sequence[str], separator: str = " . ") -> Prompt:
    """Class names as one caption, the way the reference's demo does it: as they are, separator at the end."""
    caption, spans = "", []
    for name in names:
        spans.append([(len(caption), len(caption) + len(name))])
        caption += name + separator
    return Prompt(caption, spans)
