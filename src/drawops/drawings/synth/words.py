"""Vocabulary of generated lines."""

from functools import cache


def tuple_of(text: str) -> tuple[str, ...]:
    """The parts of a list written as one string: parted by bars, or else by spaces."""
    return tuple(text.split("|" if "|" in text else None))


NOTES_ZH = tuple_of(
    "技术要求 未注倒角C1 未注圆角R2 锐边倒钝 去毛刺 调质处理HB220-250 表面淬火HRC45-50 渗碳层深0.8 时效处理 发黑处理 镀锌 "
    "喷砂 阳极氧化 未注公差按GB/T1804-m 未注形位公差按GB/T1184-K 铸件不得有气孔、裂纹 热处理 淬火 正火 两端中心孔 均布 配作 通孔 "
    "螺纹孔 沉孔 键槽 退刀槽 深 全部 其余 旋转 剖视图 局部放大图 两端 对称 齿轮参数 模数 齿数 压力角20° 精度等级 涂防锈漆 "
    "密封面不得有划痕 加工后清洗干净 未注铸造圆角R3-R5 焊缝高度5mm 装配时涂润滑脂"
)
NOTES_EN = tuple_of(
    "UNLESS OTHERWISE SPECIFIED|ALL DIMENSIONS IN MM|REMOVE ALL BURRS|BREAK SHARP EDGES|DO NOT SCALE DRAWING|"
    "GENERAL TOLERANCES ISO 2768-mK|SURFACE FINISH Ra 3.2|MATERIAL: STEEL|HEAT TREAT 58-62 HRC|BLACK OXIDE|ANODIZED|"
    "EQUALLY SPACED|BOTH ENDS|TYP|REF|THRU ALL|NEAR SIDE|FAR SIDE|ALL AROUND|FILLETS R3|DRILL AND TAP|"
    "MAX|MIN|2 PLACES|4 HOLES EQ SP|NOTES|THIRD ANGLE PROJECTION|FIRST ANGLE|CAST SURFACE|GRIND|WELD ALL AROUND|"
    "SEE DETAIL A|DEBURR|CHAMFER ALL EDGES 0.5x45°|CLEAN AND OIL"
)
TITLE_ZH = tuple_of(
    "设计 审核 校对 工艺 批准 标准化 制图 比例 重量 材料 图号 名称 数量 备注 共1张 第1张 序号 单位 日期 签名 标记 处数 分区 更改文件号 年月日 "
    "阶段标记 轴承座 法兰盘 齿轮轴 端盖 支架 底板 箱体 皮带轮 轴套 连杆 衬套 垫片 螺母 压板 导向套 联轴器 传动轴 45钢 Q235A HT200 40Cr "
    "ZL104 6061-T6 304不锈钢 65Mn 20CrMnTi GCr15 技术部 机械加工"
)
TITLE_EN = tuple_of(
    "DRAWN|CHECKED|APPROVED|DATE|SCALE|SHEET|TITLE|MATERIAL|FINISH|WEIGHT|DWG NO.|REV|SIZE|A3|A4|DRAWING NO.|PART NO.|QTY|"
    "SHAFT|FLANGE|BRACKET|HOUSING|BUSHING|PULLEY|BASE PLATE|COVER|SUPPORT|SPACER|BEARING CAP|LEVER|AISI 304|AISI 1045|"
    "AL 6061-T6|S235JR|C45E|1.4301|16MnCr5|EN-GJL-250|SHEET 1 OF 2|SCALE 1:2|Tolerance|Designed by|Checked by|Name|Company"
)
ENGLISH_WORDS = tuple_of(
    "the of and to in for is on that by this with you it not or be are from at as your all have new more an was we will home "
    "can us about if page my has search free but our one other do no information time they site he up may what which their "
    "news out use any there see only so his when contact here business who web also now help get view online first been "
    "would how were services some these click its like service than find price date back top people had list name just over "
    "state year day into email two health world next used go work last most products music buy data make them should product "
    "system post her city add policy number such please available copyright support message after best software then good "
    "video well where info rights public books high school through each links she review years order very privacy book items "
    "company read group need many user said quality machine measure valve bearing motor station garden river winter question "
    "January Monday yellow quick jumped explain develop maximum zero hazard exquisite fjord symbol weekly journey"
)
EUROPEAN_WORDS = tuple_of(
    "Maßstab|Werkstoff|Benennung|Zeichnungs-Nr.|Oberfläche|Größe|Gewicht|geprüft|gezeichnet|Änderung|Stück|Prüfmaß|für|über|"
    "Échelle|Matière|Désignation|Vérifié|Pièce|Quantité|Dessiné|Tolérances générales|à|Scala|Materiale|Quantità|Peso|Finitura|"
    "Número|Revisión|Dibujó|Aprobó|Diseño|Tamaño|Acabado|Projeção|Peça|Revisão|Mått|Ändring|Ritad|Målestok|Tegnet af"
)
LABELS = tuple_of(
    "part nr.|Part no.|name|Name|scale|Scale|date|Date|drawn by|Drawn by|material|Material|rev.|Rev|nr.|No.|Author|author|file|"
    "File|project|Project|Units|units|Weight|weight|Finish|mass|size|sheet|Sheet|title|Title|customer|order nr.|Remark|Note|e.g."
)
LABELS_ZH = tuple_of(
    "技术要求 材料 图号 名称 比例 数量 重量 备注 日期 设计 审核 注 说明 例如 单位 版本 热处理 表面处理"
)


@cache
def common_chinese() -> tuple[str, ...]:
    """The 3,755 characters of GB 2312 level 1 (rows 16 to 55): those in common use."""
    return _gb2312(16, 56)


@cache
def rare_chinese() -> tuple[str, ...]:
    """The 3,008 characters of GB 2312 level 2 (rows 56 to 87): names, places, and what is seldom written."""
    return _gb2312(56, 88)


def _gb2312(first: int, end: int) -> tuple[str, ...]:
    codes = (bytes((row + 0xA0, cell + 0xA0)) for row in range(first, end) for cell in range(1, 95))
    return tuple(c for c in (code.decode("gb2312", errors="ignore") for code in codes) if c)
