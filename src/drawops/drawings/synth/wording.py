"""What a drawing's form says, in English and Chinese: names, materials, notes, people, firms."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Material:
    """A material with its density in g/cm³."""

    english: str
    chinese: str
    density: float


STEELS = (
    Material("C45 (1.0503)", "45", 7.85),
    Material("42CrMo4", "40Cr", 7.85),
    Material("16MnCr5", "20CrMnTi", 7.85),
    Material("S235JR", "Q235A", 7.85),
    Material("S355J2", "Q345B", 7.85),
    Material("X5CrNi18-10", "06Cr19Ni10", 7.93),
)
CASTS = (Material("EN-GJL-250", "HT250", 7.2), Material("EN-GJS-400-15", "QT400-15", 7.1))
LIGHT = (
    Material("EN AW-6061 T6", "6061-T6", 2.7),
    Material("EN AW-5083", "5083", 2.66),
    Material("AlSi10Mg", "ZL104", 2.68),
)
BRONZES = (Material("CuSn12-C", "ZCuSn10P1", 8.8), Material("CuZn39Pb3", "HPb59-1", 8.5))
PLASTICS = (Material("POM-C", "POM", 1.41), Material("PA6", "PA6", 1.14), Material("PTFE", "PTFE", 2.2))

FIRMS = (
    ("Northgate Machine Works", "北辰机械制造有限公司"),
    ("Halden Antriebstechnik GmbH", "华东传动设备有限公司"),
    ("Brightwater Engineering Ltd", "明远精密机械厂"),
    ("Keller & Voss Maschinenbau", "长江重工装备有限公司"),
    ("Ostrava Precision a.s.", "泰山液压件有限公司"),
    ("Lakeside Robotics Inc.", "新安自动化设备有限公司"),
)
PEOPLE = (
    ("J. Miller", "王伟"),
    ("A. Novak", "李娜"),
    ("S. Tanaka", "张磊"),
    ("M. Rossi", "刘洋"),
    ("K. Berg", "陈静"),
    ("P. Dubois", "赵军"),
    ("T. Singh", "黄海"),
    ("E. Olsen", "周敏"),
)
HEADINGS = ("NOTES:", "技术要求")
NOTES_ANY = (
    ("REMOVE ALL BURRS AND SHARP EDGES.", "去除毛刺，锐边倒钝。"),
    ("UNSPECIFIED CHAMFERS C{c}.", "未注倒角C{c}。"),
    ("GENERAL TOLERANCES ISO 2768-mK.", "未注公差按GB/T 1804-m。"),
    ("UNSPECIFIED GEOMETRICAL TOLERANCES ISO 2768-K.", "未注形位公差按GB/T 1184-K。"),
    ("SURFACES FREE OF SCRATCHES AND DENTS.", "表面不得有划痕、碰伤等缺陷。"),
    ("PROTECT AGAINST CORROSION BEFORE PACKING.", "入库前涂防锈油。"),
    ("MASS IS FOR REFERENCE ONLY.", "重量仅供参考。"),
    ("DIMENSIONS APPLY AFTER SURFACE TREATMENT.", "所有尺寸为表面处理后尺寸。"),
)
NOTES_STEEL = (
    ("QUENCHED AND TEMPERED 220-250 HBW.", "调质处理220～250HBW。"),
    ("HARDENED AND TEMPERED 28-32 HRC.", "热处理硬度28～32HRC。"),
    ("CASE HARDENED, DEPTH 0.8-1.2, 58-62 HRC.", "渗碳淬火，深度0.8～1.2，硬度58～62HRC。"),
    ("BLACK OXIDE FINISH.", "表面发黑处理。"),
    ("ZINC PLATED 8 µm.", "表面镀锌8µm。"),
)
NOTES_CAST = (
    ("UNSPECIFIED CAST RADII R{r}.", "未注铸造圆角R{r}。"),
    ("CASTING FREE OF BLOWHOLES AND CRACKS.", "铸件不得有气孔、裂纹、砂眼等缺陷。"),
    ("STRESS RELIEVE BEFORE MACHINING.", "加工前进行时效处理。"),
)
NOTES_LIGHT = (
    ("ANODISED, NATURAL, 10-15 µm.", "表面本色阳极氧化10～15µm。"),
    ("BLACK ANODISED.", "表面黑色阳极氧化。"),
    ("CHEMICAL FILM PER MIL-DTL-5541.", "表面导电氧化。"),
)
FIELDS = {
    "name": ("TITLE", "名称"),
    "number": ("DWG NO.", "图号"),
    "material": ("MATERIAL", "材料"),
    "scale": ("SCALE", "比例"),
    "weight": ("WEIGHT", "重量"),
    "sheet": ("SHEET 1 OF 1", "共1张 第1张"),
    "date": ("DATE", "日期"),
    "drawn": ("DRAWN", "设计"),
    "checked": ("CHECKED", "审核"),
    "approved": ("APPROVED", "批准"),
    "standard": ("STANDARD", "标准化"),
    "process": ("MFG", "工艺"),
    "revision": ("REV", "版本"),
    "quantity": ("QTY", "数量"),
    "unit": ("UNIT mm", "单位 mm"),
    "size": ("SIZE", "图幅"),
    "change": ("CHANGE", "更改内容"),
    "who": ("NAME", "签名"),
    "tolerance": ("GENERAL TOLERANCES", "未注公差"),
    "projection": ("PROJECTION", "投影"),
    "mark": ("MARK", "标记"),
    "places": ("QTY", "处数"),
    "zone": ("ZONE", "分区"),
    "document": ("ECN NO.", "更改文件号"),
    "proofread": ("REVIEW", "校对"),
    "stage": ("STAGE", "阶段标记"),
    "unless": ("UNLESS OTHERWISE SPECIFIED:", "除另有说明外："),
    "in_mm": ("DIMENSIONS ARE IN MILLIMETERS", "尺寸单位为毫米"),
    "linear": ("LINEAR TOLERANCES ±0.1", "线性公差 ±0.1"),
    "angular": ("ANGULAR TOLERANCES ±0.5°", "角度公差 ±0.5°"),
    "rest": ("OTHER SURFACES", "其余"),
}
CHANGES = (
    ("First issue", "首次发行"),
    ("Tolerance changed", "更改公差"),
    ("Material changed", "更改材料"),
    ("Hole added", "增加孔"),
)
NAMES = {
    "shaft": (("Stepped Shaft", "Drive Shaft", "Output Shaft", "Pinion Shaft"), ("阶梯轴", "传动轴", "输出轴", "主轴")),
    "flange": (("Hub Flange", "Coupling Flange", "Pipe Flange"), ("连接法兰", "法兰盘", "管法兰")),
    "bracket": (("L-Bracket", "Mounting Bracket", "Angle Bracket"), ("安装支架", "角支架", "固定座")),
    "base_plate": (("Base Plate", "Mounting Plate", "Adapter Plate"), ("底板", "安装板", "连接板")),
    "slotted_plate": (("Slotted Plate", "Adjusting Plate", "Slide Plate"), ("长孔板", "调整板", "滑板")),
    "bushing": (("Flanged Bushing", "Guide Bushing", "Bearing Bush"), ("衬套", "导向套", "轴套")),
    "spacer_ring": (("Spacer Ring", "Distance Ring", "Spacer"), ("隔套", "定距环", "调整环")),
    "pulley": (("V-Belt Pulley", "Belt Pulley"), ("V带轮", "皮带轮", "带轮")),
    "spur_gear": (("Spur Gear", "Gear Wheel"), ("直齿圆柱齿轮", "齿轮", "从动齿轮")),
    "sprocket": (("Chain Sprocket", "Sprocket"), ("链轮", "滚子链链轮")),
    "bearing_housing": (("Bearing Housing", "Pillow Block"), ("轴承座", "轴承支座")),
    "cover": (("Bearing Cover", "End Cap", "Cover"), ("端盖", "轴承端盖", "压盖")),
    "piston": (("Piston", "Pump Piston"), ("活塞", "柱塞")),
    "lever": (("Lever", "Rocker Arm", "Link"), ("连杆", "摇臂", "拨叉")),
    "clevis": (("Clevis", "Fork Head", "Rod End"), ("叉头", "接头", "耳环")),
    "hex_bolt": (("Hexagon Bolt", "Special Bolt"), ("六角螺栓", "专用螺栓")),
    "hex_nut": (("Hexagon Nut", "Lock Nut"), ("六角螺母", "锁紧螺母")),
    "stud": (("Threaded Stud", "Tie Rod", "Double-End Stud"), ("双头螺柱", "拉杆", "螺杆")),
    "angle_profile": (("Angle Profile", "Cross Member", "Stiffener"), ("角钢", "横梁", "加强筋")),
}
OTHER = (
    "深通孔均布其余配作两端剖面详图倍局部放大齿数模数压力角精度等级变位系数中心距节距链号滚子直径分度圆螺旋方向"
    "槽型材性能级跨公法线长度×⌀°±→～，。：；、（）第张共"
)


@cache
def all_characters() -> str:
    """Every character that may be written: the Chinese fonts are cut down to these."""
    found: set[str] = set()

    def gather(value: object) -> None:
        if isinstance(value, str):
            found.update(value)
        elif isinstance(value, Material):
            found.update(value.chinese, value.english)
        elif isinstance(value, dict):
            for part in value.values():
                gather(part)
        elif isinstance(value, tuple):
            for part in value:
                gather(part)

    for name, value in list(globals().items()):
        if name.isupper():
            gather(value)
    return "".join(sorted(found))
