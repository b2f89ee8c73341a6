"""Plausible numbers: preferred sizes, ISO 286 fits, metric threads, keyways."""

from bisect import bisect_left
from dataclasses import dataclass

_STEPS = (3, 6, 10, 18, 30, 50, 80, 120, 180, 250)
_GRADES_UM = {
    5: (4, 5, 6, 8, 9, 11, 13, 15, 18, 20),
    6: (6, 8, 9, 11, 13, 16, 19, 22, 25, 29),
    7: (10, 12, 15, 18, 21, 25, 30, 35, 40, 46),
    8: (14, 18, 22, 27, 33, 39, 46, 54, 63, 72),
    9: (25, 30, 36, 43, 52, 62, 74, 87, 100, 115),
    10: (40, 48, 58, 70, 84, 100, 120, 140, 160, 185),
    11: (60, 75, 90, 110, 130, 160, 190, 220, 250, 290),
}
_UPPER_UM = {  # shafts a..h: the upper deviation
    "d": (-20, -30, -40, -50, -65, -80, -100, -120, -145, -170),
    "e": (-14, -20, -25, -32, -40, -50, -60, -72, -85, -100),
    "f": (-6, -10, -13, -16, -20, -25, -30, -36, -43, -50),
    "g": (-2, -4, -5, -6, -7, -9, -10, -12, -14, -15),
    "h": (0,) * 10,
}
_LOWER_UM = {  # shafts k..p: the lower deviation
    "k": (0, 1, 1, 1, 2, 2, 2, 3, 3, 4),
    "m": (2, 4, 6, 7, 8, 9, 11, 13, 15, 17),
    "n": (4, 8, 10, 12, 15, 17, 20, 23, 27, 31),
    "p": (6, 12, 15, 18, 22, 26, 32, 37, 43, 50),
}


def deviations(size: float, fit: str) -> tuple[float, float]:
    """Upper and lower deviation in mm of an ISO 286 tolerance class, such as H7, g6, js6, for sizes to 250 mm.

    Raises:
        ValueError: a class or a size that is not in the table.
    """
    letter, grade = fit.rstrip("0123456789"), int(fit.lstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    if size > _STEPS[-1] or grade not in _GRADES_UM:
        raise ValueError(f"No ISO 286 values here for {size:g}{fit}.")
    step = bisect_left(_STEPS, size)
    width = _GRADES_UM[grade][step]
    if letter == "H":
        upper, lower = width, 0
    elif letter in ("js", "JS"):
        return width / 2000.0, -width / 2000.0
    elif letter in _UPPER_UM:
        upper = _UPPER_UM[letter][step]
        lower = upper - width
    elif letter.lower() in _UPPER_UM:  # holes D..G: the mirror of the shaft
        lower = -_UPPER_UM[letter.lower()][step]
        upper = lower + width
    elif letter in _LOWER_UM:
        lower = _LOWER_UM[letter][step]
        upper = lower + width
    else:
        raise ValueError(f"No ISO 286 values here for {size:g}{fit}.")
    return upper / 1000.0, lower / 1000.0


@dataclass(frozen=True)
class Thread:
    """ISO metric coarse thread with its clearance hole, its socket-head counterbore and hexagon (mm)."""

    size: int
    pitch: float
    clearance: float
    bore: float
    bore_depth: float
    hexagon: float
    nut: float
    head: float

    @property
    def core(self) -> float:
        """Tapping-drill diameter."""
        return self.size - self.pitch


THREADS: dict[int, Thread] = {
    t.size: t
    for t in (
        Thread(4, 0.7, 4.5, 8, 4.6, 7, 3.2, 2.8),
        Thread(5, 0.8, 5.5, 10, 5.7, 8, 4.7, 3.5),
        Thread(6, 1.0, 6.6, 11, 6.8, 10, 5.2, 4.0),
        Thread(8, 1.25, 9.0, 15, 9.0, 13, 6.8, 5.3),
        Thread(10, 1.5, 11.0, 18, 11.0, 16, 8.4, 6.4),
        Thread(12, 1.75, 13.5, 20, 13.0, 18, 10.8, 7.5),
        Thread(16, 2.0, 17.5, 26, 17.5, 24, 14.8, 10.0),
        Thread(20, 2.5, 22.0, 33, 21.5, 30, 18.0, 12.5),
        Thread(24, 3.0, 26.0, 40, 25.5, 36, 21.5, 15.0),
        Thread(30, 3.5, 33.0, 48, 32.0, 46, 25.6, 18.7),
    )
}


@dataclass(frozen=True)
class Key:
    """Parallel key to DIN 6885 / GB/T 1096 (mm): width, depth in the shaft, depth in the hub."""

    width: float
    shaft: float
    hub: float


def key_for(diameter: float) -> Key:
    """The key that belongs to a shaft diameter (8 to 95 mm)."""
    table = (
        (10, Key(3, 1.8, 1.4)),
        (12, Key(4, 2.5, 1.8)),
        (17, Key(5, 3.0, 2.3)),
        (22, Key(6, 3.5, 2.8)),
        (30, Key(8, 4.0, 3.3)),
        (38, Key(10, 5.0, 3.3)),
        (44, Key(12, 5.0, 3.3)),
        (50, Key(14, 5.5, 3.8)),
        (58, Key(16, 6.0, 4.3)),
        (65, Key(18, 7.0, 4.4)),
        (75, Key(20, 7.5, 4.9)),
        (85, Key(22, 9.0, 5.4)),
        (95, Key(25, 9.0, 5.4)),
    )
    for limit, key in table:
        if diameter <= limit:
            return key
    raise ValueError(f"No parallel key for a diameter of {diameter:g} mm here (8 to 95).")


def keyway_deviation(width: float) -> float:
    """The lower deviation in mm of a key seat's width in the class N9 (the upper one is 0), and twice that of JS9."""
    for limit, um in ((3, 25), (6, 30), (10, 36), (18, 43), (30, 52)):
        if width <= limit:
            return um / 1000.0
    raise ValueError(f"No key is {width:g} mm wide here (3 to 30).")
