"""Shafts."""

from drawops.drawings.synth.base import Design, Draughtsman, family
from drawops.drawings.synth.numbers import key_for
from drawops.drawings.synth.turned import outside, steps, volume
from drawops.drawings.synth.view import Mark, View


@family
def shaft(d: Draughtsman) -> Design:
    """A stepped shaft with bearing seats, a key seat with its removed section, chamfers and centre holes."""
    seat = d.pick(20, 25, 30, 35, 40, 45)
    shoulder = seat + d.pick(6, 8, 10)
    end = seat - d.pick(5, 6, 8)
    diameters = [seat, shoulder, seat, end]
    lengths = [d.whole(18, 32), d.whole(40, 90, 5), d.whole(18, 32), d.whole(35, 65, 5)]
    chamfer = d.pick(1, 1.5, 2)
    view = View()
    profile = steps(diameters, lengths, chamfer)
    outside(view, profile)
    xs = [0.0]
    for length in lengths:
        xs.append(xs[-1] + length)
    for i in range(3):
        view.dim((xs[i], -diameters[i] / 2), (xs[i + 1], -diameters[i] / 2), d.value(lengths[i]), "bottom")
    view.dim((0, -diameters[0] / 2), (xs[-1], -end / 2), d.value(xs[-1]), "bottom")
    view.dim((0, -seat / 2), (0, seat / 2), d.fit(seat, d.rng.choice(("k6", "m6", "js6"))), "left")
    view.dim((xs[-1], -end / 2), (xs[-1], end / 2), d.fit(end, d.rng.choice(("h6", "k6", "h7"))), "right")
    key = key_for(end)
    slot = round(lengths[3] * d.pick(0.6, 0.7))
    centre = xs[3] + lengths[3] / 2
    view.slot((centre, 0), slot, key.width)
    view.dim((centre - slot / 2, 0), (centre + slot / 2, 0), d.value(slot, p=0.1), "top")
    view.leader((chamfer / 2, seat / 2 - chamfer / 2), 120, d.chamfer(chamfer, 2))
    view.leader(
        (xs[1] + lengths[1] * 0.6, shoulder / 2), 60, frame=("↗", d.style.number(d.pick(0.02, 0.03, 0.05)), "A")
    )
    view.marks.append(Mark("finish", (xs[1] + lengths[1] * 0.3, shoulder / 2), 90, d.roughness(3.2, 6.3)))
    return Design({(0, 0): view}, volume(profile), rest_finish=d.roughness(6.3, 12.5))
