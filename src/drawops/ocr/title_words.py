"""The words of title blocks: which label announces which field, and what its value looks like."""

import re

from rapidfuzz.distance import Levenshtein

from drawops.datasets.text import normalise

FIELDS = ("name", "number", "material", "scale", "weight", "date", "revision")

# For each field its labels, the most telling first. Compared without case, spaces and punctuation.
_LABELS = {
    "name": (
        "title, drawing title, part name, titel, benennung, bezeichnung, gegenstand, 名称, 零件名称, 图样名称, 图名, 品名",
        "name of part, description, part description, beschreibung, name, part",
    ),
    "number": (
        "part nr, part no, part number, dwg no, dwg nr, dwg number, drg no, drawing no, drawing nr, drawing number, "
        "zeichnungsnummer, zeichnungsnr, zeichnungs nr, zeichn nr, zchng nr, zchn nr, zeichnung nr, teilenummer, teile nr, "
        "sachnummer, sach nr, 图号, 图样代号, 零件图号, 零件号",
        "item no, item number, document number, document no, doc no, id number, ident nr, artikelnummer, artikel nr, "
        "dokumentennummer, dokument nr, number, nummer, 代号, 料号, 编号",
    ),
    "material": ("material, matl, werkstoff, 材料, 材质, 材料标记", "halbzeug, werkstoff halbzeug, raw material"),
    "scale": ("scale, drawing scale, maßstab, massstab, 比例",),
    "weight": ("weight, mass, wt, gewicht, masse, 重量, 质量, 单重, 净重", "weight kg, mass kg, gewicht kg, masse kg"),
    "date": ("date, drawn date, issue date, datum, ausgabedatum, erstelldatum, 日期, 设计日期, 年月日",),
    "revision": (
        "rev, rev nr, rev no, revision, issue, version, ver, index, änderungsindex, ausgabe, änderungsstand, "
        "版本, 版本号, 版次, 修订, 版",
        "änderung, änd, zust, zustand, 阶段标记, stage",
    ),
}
_AUTHORS = (
    "drawn, drawn by, made by, designed, designed by, designer, author, created by, gez, gezeichnet, bearb, bearbeitet, "
    "erstellt, erstellt durch, ersteller, 设计, 制图, 绘图, 编制"
)
_OTHERS = (
    "checked, checked by, approved, approved by, appr, appd, released, standard, standards, mfg, process, qty, quantity, "
    "unit, units, sheet, size, format, finish, change, zone, mark, ecn no, review, project, projection, tolerance, "
    "tolerances, general tolerances, company, customer, owner, part of assembly, remark, remarks, notes, signature, "
    "gepr, geprüft, norm, genehmigt, blatt, oberfläche, allgemeintoleranz, name, urspr, ers f, ers d, ersatz für, "
    "审核, 批准, 标准化, 工艺, 校对, 会签, 审定, 数量, 图幅, 单位, 签名, 标记, 处数, 分区, 更改文件号, 更改内容, 投影, "
    "未注公差, 共张, 第张, 共张第张, 备注, 签字, 序号, 件数, 规格, 型号, 规格型号"
)


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", normalise(text).casefold())


_KNOWN: dict[str, tuple[str, int]] = {_key(word): ("", 0) for word in _OTHERS.split(",")}
_KNOWN |= {_key(word): ("author", 0) for word in _AUTHORS.split(",")}
_KNOWN |= {
    _key(word): (field, rank)
    for field, ranks in _LABELS.items()
    for rank, words in enumerate(ranks)
    for word in words.split(",")
}
_MONTH = r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*\.?"
_DATE = re.compile(
    r"\d{1,4}\s?[-./]\s?\d{1,2}(?:\s?[-./]\s?|\s)\d{2,4}|\d{1,2}[. -]*" + _MONTH + r"[, -]*\d{2,4}|" + _MONTH
    + r"\s*\d{1,2}(?:st|nd|rd|th)?,?\s*\d{4}|\d{4}年\d{1,2}月(?:\d{1,2}日)?",
    re.IGNORECASE,
)  # fmt: skip
_LOOKS = {
    "scale": re.compile(r"(?:\d+(?:[.,]\d+)?\s*[:/]\s*\d+(?:[.,]\d+)?|NTS|N\.T\.S\.|ohne)", re.IGNORECASE),
    "weight": re.compile(
        r"[~≈]?\s*\d+(?:[.,]\d+)?\s*(?:kg|g|gr|gram|grams|gramm|lbs?|t|千克|克|公斤)?\.?", re.IGNORECASE
    ),
    "date": _DATE,
    "revision": re.compile(
        r"[A-Z]{1,2}|\d{1,3}|[A-Z][./-]?\d{1,2}|\d{1,2}[.]\d{1,2}|V\d+(?:\.\d+)*|-|–", re.IGNORECASE
    ),
}
_BEHIND_LABEL = re.compile(r"[:：]\s*|\s+|(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])")
_CHINESE = re.compile(r"[\u4e00-\u9fff\s]+")
_NUMBER = re.compile(r"(?=.*\d)[A-Z0-9][A-Z0-9._/-]*(?: ?[A-Z0-9._/-]+){0,2}", re.IGNORECASE)
_SHEET = re.compile(r"A[0-5](?: ?[xX×] ?\d)?|.*\d+ ?(?:of|von|/) ?\d+|共.*张.*|第.*张", re.IGNORECASE)


def label_of(text: str) -> tuple[str, int] | None:
    """(field, rank) of a label: the field is "author" for who drew it, "" for a label of no field of ours; rank 0
    is the most telling. None for what is no label."""
    if len(text) > 40:
        return None
    key = _key(text)
    if not key:
        return None
    if key in _KNOWN:
        return _KNOWN[key]
    parts = [_KNOWN.get(_key(part)) for part in re.split(r"[/|\s]+(?=\D)", text.strip()) if _key(part)]
    if len(parts) > 1 and all(parts) and len({part[0] for part in parts if part}) == 1:
        return parts[0]  # Benennung / Title, 名称 NAME
    if len(key) >= 5:  # one letter read wrong
        near = [known for word, known in _KNOWN.items() if Levenshtein.distance(word, key, score_cutoff=1) <= 1]
        return near[0] if near else None
    return None


def is_gb_label(text: str) -> bool:
    """Is this one of the labels that only the form of GB/T 10609.1 has?"""
    return _key(text) in ("阶段标记", "更改文件号", "处数", "stage")


def label_with_value(text: str) -> tuple[str, int, str] | None:
    """(field, rank, value) of a line that holds both: `SCALE 1:2`, `Material: 1.4301`, `材料 HT200`.

    What may be any words needs a colon, or a label that is Chinese: no sentence of a note begins with one.
    """
    text = normalise(text)
    for match in _BEHIND_LABEL.finditer(text):
        name, value = text[: match.start()], text[match.end() :].strip()
        label = label_of(name)
        if not label or label[0] not in FIELDS or not value or label_of(value) is not None:
            continue
        field, rank = label
        colon = match.group().strip() != ""
        if field not in _LOOKS and (colon or rank > 0):
            told = colon
        elif field in _LOOKS or field == "number":
            told = looks_like(field, value)
        else:
            told = _CHINESE.fullmatch(name) is not None and "。" not in value
        if told:
            return field, rank, value
    return None


def looks_like(field: str, text: str) -> bool:
    """Can `text` be the value of the field?"""
    text = normalise(text)
    if field in _LOOKS:
        return _LOOKS[field].fullmatch(text) is not None
    if field == "number":
        return (
            _NUMBER.fullmatch(text) is not None
            and len(text) >= 3
            and not _SHEET.fullmatch(text)
            and not _LOOKS["scale"].fullmatch(text)
            and not _DATE.fullmatch(text)
        )
    return bool(text) and (field == "material" or not _SHEET.fullmatch(text))  # A2 is a steel too
