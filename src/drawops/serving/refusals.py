"""Refusals that a person meets on the pages, in Chinese. What is not in the tables stays English."""

import re
from collections.abc import Iterator

from drawops.serving.page_texts import SHAPE_TEXTS

# What is said of a file or of one of its pages, behind its name: the English sentence, with what changes in it, and the
# Chinese one.
_OF_A_FILE = [
    (r"no shape was found on it: is it blank\?", "图上没有找到图形，图纸是空白的吗？"),
    (r"no shape was found in the box (?P<box>\[.+\]) of it: is it blank\?", "框 {box} 内没有找到图形，请换一个位置。"),
    (r"(?P<size>\d+ x \d+) pixels are too few to hold a shape", "{size} 像素太小，容不下图形。"),
    (
        r"has (?P<size>\d+ x \d+) pixels, too few for a legible character; .+",
        "{size} 像素太小，无法辨认文字，请以 200 dpi 以上扫描或导出。",
    ),
    (
        r"has (?P<count>\d+) pages?, numbered from 0; there is no page (?P<number>\d+)",
        "共 {count} 页（从 0 编号），没有第 {number} 页。",
    ),
    (
        r"has (?P<count>\d+) pages, more than the limit of (?P<most>\d+); .+",
        "共 {count} 页，超过上限 {most} 页，请分批发送。",
    ),
    (
        r"has (?P<size>\d+ x \d+) pixels, more than the limit of (?P<most>\S+) megapixels; .+",
        "{size} 像素，超过 {most} 兆像素的上限，请降低分辨率或分块导出。",
    ),
    (r"has more than (?P<most>\d+) megapixels; .+", "超过 {most} 兆像素，请降低分辨率后导出。"),
    (r"has no pages; .+", "没有页面，请重新导出。"),
    (r"has nothing (?:drawn in|visible on) it; .+", "图中没有可见内容，请检查图层与布局。"),
    (r"can't be drawn.+", "无法绘制，请重新导出。"),
    (r"was changed after it was indexed; .+", "文件入库后已被改动，请用 `drawops index add` 重新添加。"),
    (r"is empty \(0 bytes\); .+", "文件是空的（0 字节），请重新导出或复制。"),
    (r"is (?:cut off|damaged).+", "文件不完整或已损坏，请重新导出或复制。"),
    (r"is encrypted with a password; .+", "文件有密码保护，请另存为无密码的副本。"),
    (r"is of an unknown kind without a suffix \(known: (?P<known>.+?)\); .+", "文件没有后缀名（支持：{known}）。"),
    (r"is of an unknown kind (?P<kind>.*) \(known: (?P<known>.+?)\); .+", "不支持 {kind} 文件（支持：{known}）。"),
    (r"is not a (?P<kind>\S+) file inside; .+", "内容不是 {kind} 文件，请重新导出。"),
    (
        r"is named (?P<named>\S+) but is a (?P<kind>\S+) file inside; rename it to (?P<suffix>\S+)",
        "后缀名是 {named}，内容却是 {kind} 文件，请把后缀名改为 {suffix}。",
    ),
    (
        r"is named (?P<named>\S+) but is (?P<kind>.+) inside; .+",
        "后缀名是 {named}，内容却是 {kind}，请另存为 PDF、DXF 或 PNG。",
    ),
]
_OTHERS = [
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
        r"filter '(?P<field>.+?)': '(?P<value>.*)' is no number, .+",
        "筛选“{field}”：“{value}”不是数字，请写成 0.5 的形式。",
    ),
    (
        r"filter '(?P<field>.+?)': (?P<low>.+) to (?P<high>.+) is no range",
        "筛选“{field}”：从 {low} 到 {high} 不是有效的范围。",
    ),
    (r"min_score=(?P<value>.*): must lie between 0 .+", "最低分数“{value}”无效：必须在 0（相反）与 1（相同）之间。"),
    (r"k=(?P<k>.+): must be at least 1", "k={k} 无效：至少为 1。"),
    (r"box '(?P<box>.*)': write it as .+", "框“{box}”无效：请写成 x0,y0,x1,y1（页面像素）。"),
    (
        r"box (?P<box>\[.+\]): must be x0, y0, x1, y1 within the (?P<size>\d+ x \d+) pixels of the page",
        "框 {box} 无效：必须是页面 {size} 像素之内的 x0, y0, x1, y1。",
    ),
    (r"The drawing you searched with is not kept any more\. .+", "检索用的图纸已不再保留，请重新选择。"),
    (r"No drawing '(?P<id>.+)' in the shape index\.", "索引中没有图纸“{id}”。"),
    (
        r"The file of '(?P<id>.+)' is not at (?P<path>.+) any more\. .+",
        "图纸“{id}”的文件已不在 {path}，请在新位置重新索引，或运行 `drawops index remove '{id}'`。",
    ),
    (
        r"No drawing in the shape index .+ has vectors of version (?P<version>\S+) yet, (?P<count>\d+) have those of .+",
        "图形库中的 {count} 张图纸还没有 {version} 版向量，请运行 `drawops index add --embedding {version}`。",
    ),
    (r"The shape index .+ is empty\. .+", "图形库是空的，请先用 `drawops index add 文件夹` 添加图纸。"),
    (r"(?P<address>opensearchs?://\S+) does not answer .+", "{address} 没有应答，请管理员检查 OpenSearch 是否在运行。"),
    (r"No reading (?P<id>\d+)\. .+", "没有编号为 {id} 的识别记录。"),
    (r"No model version is loaded yet\. .+", "模型尚未加载，请稍候再试。"),
    (r".*[Tt]he request is larger than (?P<most>\S+) MiB .+", "文件超过 {most} MiB 的上限，请发送单张图纸。"),
    (r"More than .+ \(DRAWOPS_RATE_LIMIT\)\. Ask again in (?P<wait>\d+) s\.", "请求过于频繁，请在 {wait} 秒后再试。"),
    (r"\d+ drawings are being read or wait for it .+ in (?P<wait>\d+) s\.", "服务器正忙，请在 {wait} 秒后再试。"),
    (r"The server failed; .+ request (?P<id>\S+)\.", "服务器出错，原因见其日志（请求 {id}）。"),
    (r".+ needs a key of role (?P<role>\w+); .+", "该操作需要 {role} 角色的密钥。"),
]
_HINTS = [
    (r"Did you mean '(?P<near>.+)'\?", "您要找的是“{near}”吗？"),
    (r"Known: (?P<all>.+?) and (?P<more>\d+) more\.", "已有的值：{all} 等（另有 {more} 个）。"),
    (r"Known: (?P<all>.+)\.", "已有的值：{all}。"),
]


def in_language(language: str, refusal: str) -> str:
    """The refusal in the language of the page, where there is one in it."""
    return next(_in_chinese(refusal), refusal) if language == "zh" else refusal


def _in_chinese(refusal: str) -> Iterator[str]:
    yield from _translations(refusal, _OTHERS)
    if named := re.fullmatch(r"(.+?)(?: page (\d+))?: (?:page (\d+) )?(.+)", refusal, re.DOTALL):
        page = named[2] or named[3]
        where = f"{named[1]}（第 {page} 页，从 0 编号）" if page else named[1]
        yield from (f"{where}：{said}" for said in _translations(named[4], _OF_A_FILE))


def _translations(text: str, table: list[tuple[str, str]]) -> Iterator[str]:
    for english, chinese in table:
        if found := re.fullmatch(english, text, re.DOTALL):
            parts = found.groupdict()
            if "hint" in parts:
                parts["hint"] = next(_translations(parts["hint"], _HINTS), parts["hint"])
            if "field" in parts:
                parts["field"] = SHAPE_TEXTS["zh"]["fields"].get(parts["field"], parts["field"])
            yield chinese.format_map(parts)
