"""The nearest ASCII spelling of a name, for addresses and mail nicknames.

Owns the letters that Unicode cannot take apart; never guesses a language and never invents letters for scripts it
does not know: those are left out.
"""

import unicodedata

# Latin; Cyrillic as in passports (ICAO Doc 9303, part 3); Greek letter by letter (ELOT 743).
_SPELLINGS = """
ß:ss æ:ae œ:oe ø:o đ:d ð:d þ:th ł:l ħ:h ı:i ŋ:n ŧ:t ə:a ɓ:b ɗ:d ƙ:k ʻ:' ʼ:' ‘:' ’:' ‐:- ‑:- –:- —:-
а:a б:b в:v г:g ґ:g д:d е:e ж:zh з:z и:i і:i к:k л:l м:m н:n о:o п:p р:r с:s т:t у:u ф:f х:kh ц:ts ч:ch ш:sh щ:shch
ъ:ie ы:y ь: э:e ю:iu я:ia є:ie ѕ:dz ђ:d ј:j љ:lj њ:nj ћ:c џ:dz
α:a β:v γ:g δ:d ε:e ζ:z η:i θ:th ι:i κ:k λ:l μ:m ν:n ξ:x ο:o π:p ρ:r σ:s ς:s τ:t υ:y φ:f χ:ch ψ:ps ω:o
"""
_SMALL = dict(pair.split(":") for pair in _SPELLINGS.split())
_CAPITAL = {letter.upper(): ascii_.capitalize() for letter, ascii_ in _SMALL.items() if len(letter.upper()) == 1}


class _Spellings(dict[int, str]):
    """Code point → ASCII. Letter by letter and remembered: normalising whole texts costs ten times as much, which a
    hostile value made of the longest ligatures would make us feel."""

    def __missing__(self, code: int) -> str:
        apart = unicodedata.normalize("NFKD", chr(code)).translate(_TABLE)
        spelling = apart.encode("ascii", "ignore").decode("ascii")
        if len(self) < 10_000:
            self[code] = spelling
        return spelling


_TABLE = str.maketrans({**_CAPITAL, "ẞ": "SS", **_SMALL})
_SPELLINGS_SO_FAR = _Spellings(_TABLE)


def to_ascii(text: str) -> str:
    """Return ``text`` in ASCII: *Łukasz Żółć* → *Lukasz Zolc*, *Straße* → *Strasse*, *Юлия* → *Iuliia*.

    Letters without a known spelling are left out, so the result may be empty. Linear in the text.
    """
    return text if text.isascii() else text.translate(_SPELLINGS_SO_FAR)
