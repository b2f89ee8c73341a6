"""Refusals that a person meets on the page of similar parts, in Chinese. What is not in the table stays English."""

import re

from drawops.serving.page_texts import SHAPE_TEXTS

# The English sentence of each, with what changes in it, and the Chinese one.
_CHINESE = [
    (r"(?P<what>.+): no shape was found on it: is it blank\?", "{what}：图上没有找到图形，图纸是空白的吗？"),
    (
        r"(?P<what>.+): no shape was found in the box (?P<box>\[.+\]) of it: is it blank\?",
        "{what}：框 {box} 内没有找到图形，请换一个位置。",
    ),
    (r"(?P<what>.+): (?P<size>\d+ x \d+) pixels are too few to hold a shape", "{what}：{size} 像素太小，容不下图形。"),
    (
        r"filter '(?P<field>.+?)': no drawing has (?P<asked>'.*')\. ?(?P<hint>.*)",
        "筛选“{field}”：没有值为 {asked} 的图纸。{hint}",
    ),
    (
        r"filter '(?P<field>.+?)': no drawing has this field\. ?(?P<hint>.*)",
        "筛选“{field}”：没有图纸带有该字段。{hint}",
    ),
    (
        r"filter '(?P<field>.+?)': '(?P<value>.*)' is no date; write (?P<example>.+)",
        "筛选“{field}”：“{value}”不是日期，请写成 {example} 的形式。",
    ),
    (
        r"filter '(?P<field>.+?)': (?P<low>.+) to (?P<high>.+) is no range",
        "筛选“{field}”：从 {low} 到 {high} 不是有效的范围。",
    ),
    (r"min_score=(?P<value>.*): must lie between 0 .+", "最低分数“{value}”无效：必须在 0（相反）与 1（相同）之间。"),
    (r"box '(?P<box>.*)': write it as .+", "框“{box}”无效：请写成 x0,y0,x1,y1（页面像素）。"),
    (
        r"box (?P<box>\[.+\]): must be x0, y0, x1, y1 within the (?P<size>\d+ x \d+) pixels of the page",
        "框 {box} 无效：必须是页面 {size} 像素之内的 x0, y0, x1, y1。",
    ),
    (
        r"(?P<what>.+): has (?P<count>\d+) pages, numbered from 0; there is no page (?P<page>\d+)",
        "{what}：共 {count} 页（从 0 编号），没有第 {page} 页。",
    ),
    (r"(?P<what>.+): is empty \(0 bytes\); .+", "{what}：文件是空的（0 字节），请重新导出或复制。"),
    (
        r"(?P<what>.+): is of an unknown kind (?P<kind>.*) \(known: (?P<known>.+?)\); .+",
        "{what}：不支持 {kind} 文件（支持：{known}）。",
    ),
    (r"(?P<what>.+): is not a (?P<kind>\S+) file inside; .+", "{what}：内容不是 {kind} 文件，请重新导出。"),
    (r"The drawing you searched with is not kept any more\. .+", "检索用的图纸已不再保留，请重新选择。"),
    (r"No drawing '(?P<id>.+)' in the shape index\.", "索引中没有图纸“{id}”。"),
]
_HINTS = [
    (r"Did you mean '(?P<near>.+)'\?", "您要找的是“{near}”吗？"),
    (r"Known: (?P<all>.+?) and (?P<more>\d+) more\.", "已有的值：{all} 等（另有 {more} 个）。"),
    (r"Known: (?P<all>.+)\.", "已有的值：{all}。"),
]


def in_language(language: str, refusal: str) -> str:
    """The refusal in the language of the page, where there is one in it."""
    return _translated(refusal, _CHINESE) if language == "zh" else refusal


def _translated(text: str, table: list[tuple[str, str]]) -> str:
    for english, chinese in table:
        if found := re.fullmatch(english, text, re.DOTALL):
            parts = found.groupdict()
            if "hint" in parts:
                parts["hint"] = _translated(parts["hint"], _HINTS)
            if "field" in parts:
                parts["field"] = SHAPE_TEXTS["zh"]["fields"].get(parts["field"], parts["field"])
            return chinese.format_map(parts)
    return text
