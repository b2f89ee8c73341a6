"""Threads: metric, trapezoidal, pipe and inch."""

from drawops.dimensions.model import Dimension
from drawops.dimensions.scanner import FRACTION, NUMBER, TIMES, Scanner, clean, value

_GRADES = r"((?:\d{1,2}[eEfFgGhH](?:\d[gGhH])?)(?:/\d{1,2}[eEfFgGhH](?:\d[gGhH])?)?)(?![A-Za-z0-9])"
_INCH_SERIES = r"(?:UNC|UNF|UNEF|UNJF|UNJC|UNS|UN|BSW|BSF|BSPP|BSPT|BSP|NPTF|NPT|NPSM)"
_THREADS_PER_INCH = r"(?:8|11|11[.,]5|14|18|19|27|28)"  # of pipes
_PIPE = r"(?:NPTF|NPT|BSPP|BSPT|BSP|Rc|Rp|RC|RP|PT|PF|ZG|G|R)"


def take_thread(scan: Scanner) -> Dimension | None:
    return _metric(scan) or _pipe(scan) or _inch(scan)


def _metric(scan: Scanner) -> Dimension | None:
    """M8×1.25-6H, M10x1-LH, Tr20×4-7e; `nominal` is the outer diameter."""
    size = scan.take(rf"(?:MJ|MF|M|Tr|TR|T)\s?({NUMBER})(?![\d:])")
    if not size or not 1 <= value(size[1]) <= 1000:
        return None
    if size[0].strip().startswith("T") and not size[0].strip().upper().startswith("TR"):
        return None
    scan.take(rf"{TIMES}\s*(?:Ph)?\s*{NUMBER}(?:\s*\(?P\s*{NUMBER}\)?)?")
    fit = None
    for _ in range(4):  # tolerance class, length of engagement, hand: in any order
        if grade := scan.take(rf"-?\s*{_GRADES}"):
            fit = fit or grade[1]
        elif not scan.take(r"-?\s*(?:LH|RH|左|右)(?![A-Za-z])") and not scan.take(r"-\s*[SNL](?![A-Za-z])"):
            break
    return Dimension("", "thread", clean(value(size[1])), fit=fit)


def _pipe(scan: Scanner) -> Dimension | None:
    """G1/2, G3/4-A, Rc3/8, NPT 1/4-18: named after an inch size, perhaps with its class or threads per inch behind."""
    size = scan.take(rf"{_PIPE}\s?({FRACTION}|\d+(?![\d.,]))\s*\"?")
    if not size or ("/" not in size[1] and size[0].strip()[:2] in {f"R{d}" for d in range(10)} | {"R "}):
        return None  # R5 is a radius, R1/2 a taper thread
    scan.take(rf"-\s*{_THREADS_PER_INCH}(?![\d.,])")
    scan.take(r"-?\s*[AB](?![A-Za-z])")
    scan.take(r"-?\s*(?:LH|RH)(?![A-Za-z])")
    return Dimension("", "thread", clean(value(size[1])), unit="in")


def _inch(scan: Scanner) -> Dimension | None:
    """1/4-20 UNC-2B, #8-32 UNC, 1/2 NPT, 1/2-14 NPT."""
    start = scan.at
    size = scan.take(rf"(?:(#|No\.?\s?)(\d+)|({FRACTION}|{NUMBER}))\s*\"?")
    if size:
        scan.take(rf"-?\s*\d+(?:[.,]5)?(?=\s*-?\s*{_INCH_SERIES})")
        if scan.take(rf"-?\s*{_INCH_SERIES}(?![A-Z])"):
            grade = scan.take(r"-?\s*([123][AB])(?![A-Za-z0-9])")
            scan.take(r"-?\s*(?:LH|RH)(?![A-Za-z])")
            # Numbered sizes: #0 is 0.060 in, each number 0.013 in more (ASME B1.1).
            nominal = 0.06 + 0.013 * int(size[2]) if size[2] else value(size[3])
            return Dimension("", "thread", clean(nominal), fit=grade[1] if grade else None, unit="in")
    scan.at = start
    return None
