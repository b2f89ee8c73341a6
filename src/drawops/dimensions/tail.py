"""How often a dimension holds, and the remarks behind it."""

import re
from dataclasses import dataclass, replace

from drawops.dimensions.scanner import NUMBER, TIMES, Scanner

_PLACES = r"PLACES?|PLCS?|PL|HOLES?|SLOTS?|OFF|STK|STÜCK|BOHRUNGEN|GEWINDE"
_PLACES_ZH = r"[处個个孔槽]"
_REMARKS = (
    r"THRU|THROUGH|THRO|ALL|AROUND|TYP(?:ICAL)?|REF(?:ERENCE)?|BSC|BASIC|EQS|EQ\.?\s?SP(?:ACED)?|EQUALLY SPACED|"
    r"EVENLY SPACED|EQUI-?\s?SPACED|DEEP|DP|DEPTH|NEAR SIDE|FAR SIDE|BOTH SIDES|BOTH ENDS|DIA|RAD|SQ|STK|THK|THICK|FLATS?|"
    r"A/F|AF|P\.?C\.?D|B\.?C(?:\.?D)?|ON|TAPPED|TAP|DRILL|REAM|C'?BORE|CSK|C'?SINK|SPOT\s?FACE|HOLES?|MATERIAL|REM|"
    r"FULL THREAD|GEWINDE|THREAD|DURCH(?:GEHEND|GANG)?|TIEF|LK|TK|CHAM(?:FER)?|NOM(?:INAL)?|(?:INC)?LUSIVE|INCL"
)
_REMARKS_ZH = (
    r"通孔|贯通|贯穿|通|均布|均分|深|配作|配钻|全部|倒角|圆角|参考|沉孔|锪平|两端|两侧|螺纹孔?|有效|牙|底?孔|沿圆周"
)
_FEATURE = rf"[⌴⌵↧□⌀Ø]\s*{NUMBER}(?:\s*°)?"


class NotADimension(ValueError):
    """Something stands behind the dimension that does not belong to one."""


@dataclass(frozen=True)
class Tail:
    count: int = 1
    maximum: bool = False
    minimum: bool = False


def take_count(scan: Scanner) -> int | None:
    """`4×`, `4X `, `4-⌀`, `4 HOLES`, `4处` in front of a dimension."""
    for pattern in (
        rf"(\d{{1,3}})\s*EQUI-?\s?SPACED\s+(?:{_PLACES})(?![A-Za-z])",
        rf"\(?(\d{{1,3}})\s*{TIMES}\s*\)?(?=\s*[^\s×])",
        r"(\d{1,2})\s*-\s*(?=(?:S?[⌀Ø]|SR|R|M|C|Tr|G|ZG|R[cp]|NPT)\s?\d)",
        rf"(\d{{1,3}})\s*(?:(?:{_PLACES})(?![A-Za-z])\.?|{_PLACES_ZH})[,:]?",
    ):
        if match := scan.take(pattern, flags=re.IGNORECASE):
            return int(match[1])
    return None


def take_tail(scan: Scanner) -> Tail:
    """Take everything to the end: remarks (THRU, TYP, 均布), further features of a hole (⌴⌀11↧6), sums (=80), counts.

    Raises:
        NotADimension: something else stands there.
    """
    tail = Tail()
    while not scan.done:
        if scan.word(r"MAX(?:IMUM)?"):
            tail = replace(tail, maximum=True)
        elif scan.word(r"MIN(?:IMUM)?"):
            tail = replace(tail, minimum=True)
        elif scan.take(rf"深\s*{NUMBER}"):
            continue  # before counts: 深10孔深12 is 10 deep in a hole of 12
        elif count := _count_behind(scan):
            tail = replace(tail, count=count)
        elif not _take_remark(scan):
            raise NotADimension(scan.text)
    return tail


def _count_behind(scan: Scanner) -> int | None:
    places = rf"(?:(?:{_PLACES})(?![A-Za-z])|{_PLACES_ZH}|{TIMES}(?![\s\d]*\d))"
    if match := scan.take(rf"[(,]?\s*(?:IN\s+)?(\d{{1,3}})\s*{places}\.?\s*\)?", flags=re.IGNORECASE):
        return int(match[1])
    # `R2 x4` and `R2 (x4)` are four; ⌀10 x 5 may as well be five deep.
    match = scan.take(r"(?:(?<=\s)|\(\s?)[×xX](\d{1,2})(?:\s?\))?\s*\Z")
    return int(match[1]) if match else None


def _take_remark(scan: Scanner) -> bool:
    if scan.word(r"(?:DEEP|DEPTH|DP|TIEF|ON|AUF|LK|TK|PCD|C'?BORE|CSK)\s*[⌀Ø↧]?\s*" + NUMBER + r"(?:\s*°)?"):
        return True
    return bool(
        scan.word(_REMARKS)
        or scan.take(_REMARKS_ZH)
        or scan.take(rf"(?:[⌴⌵↧]\s*)?(?:{_FEATURE})")
        or scan.take(r"[⌴⌵⌒Ⓔ]|\(E\)")
        or scan.take(rf"{TIMES}\s*{NUMBER}\s*°(?:\s*±\s*{NUMBER}\s*°?)?")
        or scan.take(rf"{TIMES}\s*{NUMBER}\s*(?=DEEP|DP|TIEF|深|↧)", flags=re.IGNORECASE)
        or scan.take(rf"(?<=深)\s*{NUMBER}|(?<=孔)\s*{NUMBER}|(?<=DEEP)\s*{NUMBER}")
        or scan.take(rf"\(?\s*=\s*{NUMBER}\s*°?\s*\)?")
        or scan.take(rf"{NUMBER}\s*(?=DEEP|DP\b|TIEF)", flags=re.IGNORECASE)
        or scan.take(r"[()\[\],;]|/(?=\s*(?:底?孔|深|↧))")
    )
