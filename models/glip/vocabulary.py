"""The WordPiece vocabulary of glip-nano: ``python -m glip.vocabulary > glip/assets/vocab.txt``.

Laid out like BERT's: [PAD] 0, [UNK] 100, [CLS] 101, [SEP] 102, [MASK] 103. Every word a scene's caption
can hold is one piece; common words of captions follow; single letters, digits and their continuations
make any Latin text expressible without [UNK].
"""

from __future__ import annotations

import re
import string

from glip.captions import FRAMES, JOINTS, NUMBER_WORDS, PATTERN_WORDS
from glip.concepts import COLOURS, NOUNS, SIZE_WORDS, plural

SIZE = 1024

COMMON = """
a an the this that these those some several many few one two three four five six seven eight nine ten
and or but with without of in on at by for from to into onto over under near next beside behind above
below between around through across along against inside outside up down off out as like is are was were
be been being has have had do does did can will would there here it its he she they them his her their
my your our we you i me not no very new old young big small large little huge tiny long short tall high
low wide thin thick round flat open closed full empty clean dirty dark light bright pale deep soft hard
wooden metal glass plastic paper stone brick leather cotton silver gold golden colorful cute happy funny
beautiful pretty modern vintage classic retro antique fresh hot cold wet dry sunny cloudy red orange
yellow green blue purple pink brown black white gray grey turquoise violet navy beige cream striped dotted
checkered plain spotted checked man men woman women boy boys girl girls child children baby people person
group couple family player players crowd team worker dog dogs cat cats horse horses bird birds cow cows
sheep bear fish elephant zebra giraffe duck pig car cars bus truck train bike bicycle motorcycle boat
plane airplane road street city town house houses home building buildings room kitchen bathroom bedroom
table tables chair chairs bed sofa couch desk lamp window windows door wall floor field grass tree trees
flower flowers leaf leaves garden park beach water ocean sea river lake mountain mountains hill sky cloud
clouds snow sand sun moon night day morning evening summer winter spring autumn food plate bowl cup cups
bottle glass cake bread pizza fruit apple apples banana carrot vegetables coffee tea wine shirt shirts
dress pants jacket coat hat hats shoe shoes bag bags box boxes ball bat racket board phone laptop computer
screen keyboard book books clock watch umbrella umbrellas sign signs light lights flag toy toys kite kites
camera picture pictures photo photos photograph image images illustration vector drawing painting print
poster wallpaper background design logo icon icons set stock art artist sale shipping free price size
isolated view scene close front back top bottom side left right middle center standing sitting walking
running riding holding wearing looking playing eating flying lying jumping surfing skiing smiling made
covered filled parked hand hands head face hair eye eyes arm leg body group pair piece lot bunch kind type
free only best good great nice style color colour pattern shape shapes number letter wood wooden floor
""".split()


def words_of_captions() -> list[str]:
    words: list[str] = []
    for noun in NOUNS:
        words += [noun, plural(noun)]
    words += [*COLOURS, *PATTERN_WORDS.values(), *NUMBER_WORDS.values()]
    words += [w for group in SIZE_WORDS.values() for w in group]
    for text in [*FRAMES, *(part for joint in JOINTS for part in joint), "one some several the a an no"]:
        words += re.findall(r"[a-z]+", text.lower())
    return words


def vocabulary() -> list[str]:
    """The pieces in order, SIZE of them; unused rows fill the gaps, as in BERT's."""
    special = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
    symbols = [*string.punctuation, *string.digits, *string.ascii_lowercase]
    endings = ["##s", "##es", "##ed", "##ing", "##er", "##ly"]
    continued = [f"##{c}" for c in string.digits + string.ascii_lowercase]
    pieces = dict.fromkeys([*symbols, *continued, *endings, *words_of_captions(), *COMMON])
    unused = iter(range(SIZE))
    out = [special.get(i) or f"[unused{next(unused)}]" for i in range(104)]
    out += [p for p in pieces if p not in out]
    if len(out) > SIZE:
        raise ValueError(f"{len(out)} pieces do not fit in a vocabulary of {SIZE}")
    return out + [f"[unused{next(unused)}]" for _ in range(SIZE - len(out))]


if __name__ == "__main__":
    print("\n".join(vocabulary()))
