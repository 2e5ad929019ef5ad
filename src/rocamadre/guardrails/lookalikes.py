"""Letters that look like Latin ones, and marks that cannot be seen: the small tables of folding."""

from __future__ import annotations

import unicodedata

# Cyrillic, Greek, Armenian, Cherokee, Latin extensions and signs, drawn as the Latin letter behind the colon.
_ALIKE = {
    "a": "аαɑ@",
    "b": "ƅЬвɓ",
    "c": "сϲᴄⅽ",
    "d": "ԁɗᏧ",
    "e": "еєҽεℯ",
    "f": "ſϝ",
    "g": "ɡɢցԍ",
    "h": "һнհ",
    "i": "іıιɩӏ",
    "j": "јϳ",
    "k": "кκᴋ",
    "l": "ⅼǀ",
    "m": "мᴍ",
    "n": "пηոɴ",
    "o": "оοσօᴏо",
    "p": "рρᴘ",
    "q": "ԛզ",
    "r": "гʀᴦ",
    "s": "ѕꜱ",
    "t": "тτᴛ",
    "u": "υսцᴜ",
    "v": "ѵνᴠ",
    "w": "ԝωшᴡɯ",
    "x": "хχ",
    "y": "уүγʏ",
    "z": "ᴢʐ",
    "ss": "ß",
    "ae": "æ",
    "oe": "œ",
}
_ALIKE_CAPITALS = {
    "A": "АΑᎪ",
    "B": "ВΒᏴ",
    "C": "СϹᏟ",
    "D": "Ꭰ",
    "E": "ЕΕᎬ",
    "G": "ԌᏀ",
    "H": "НΗᎻ",
    "I": "ІΙӀ",
    "J": "ЈᎫ",
    "K": "КΚᏦ",
    "L": "ᏞԼ",
    "M": "МΜᎷ",
    "N": "Ν",
    "O": "ОΟՕ",
    "P": "РΡᏢ",
    "Q": "Ԛ",
    "R": "Ꭱ",
    "S": "ЅՏᏚ",
    "T": "ТΤᎢ",
    "U": "Ս",
    "V": "ѴᏙ",
    "W": "ԜᎳ",
    "X": "ХΧ",
    "Y": "УΥҮ",
    "Z": "ΖᏃ",
}
LETTERS = {other: latin for latin, others in (_ALIKE | _ALIKE_CAPITALS).items() for other in others if other != "@"}

# Marks without ink that Unicode does not class as control or format: fillers, joiners, selectors.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")


def visible_form(character: str) -> str:
    """A character as it is read: its compatibility form; "" for a mark that cannot be seen.

    Fullwidth, mathematical, circled and superscript forms become plain; digits of every script become 0 to 9; blanks
    and dashes of every kind become one blank or hyphen. A lone surrogate becomes U+FFFD.

    >>> visible_form("Ａ"), visible_form("𝖍"), visible_form("\u200b"), visible_form("٣"), visible_form("é")
    ('A', 'h', '', '3', 'é')
    """
    if character in "\t\n\r":
        return character
    kind = unicodedata.category(character)
    if kind in {"Cc", "Cf"} or character in _BLANKS or "\ufe00" <= character <= "\ufe0f" or "\U000e0000" <= character:
        return ""
    if kind == "Cs":
        return "\ufffd"
    if kind == "Nd":
        return str(unicodedata.digit(character))
    if kind == "Zs":
        return " "
    if kind == "Pd":
        return "-"
    # Superscript ordinals belong to addresses (2º), and fractions or ligatures of one sign stay recognisable.
    if character in "ºª":
        return character
    if "\U0001f170" <= character <= "\U0001f189":  # negative squared letters, which have no compatibility form
        return chr(ord("A") + ord(character) - 0x1F170)
    if "\U0001f1e6" <= character <= "\U0001f1ff":  # regional indicators
        return chr(ord("A") + ord(character) - 0x1F1E6)
    return unicodedata.normalize("NFKC", character)
