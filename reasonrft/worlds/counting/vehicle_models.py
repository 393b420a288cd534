"""Models of vehicles: each kind is a handful of boxes, cylinders and spheres.

The wheels of a model stand on the ground, it looks along x, and is about one unit long.
"""

from dataclasses import dataclass

from reasonrft.worlds.drawing.scene import Axis, Point, Shape

GLASS, TYRE, STEEL = "#20262e", "#1c1c1c", "#5f6266"


@dataclass(frozen=True, slots=True)
class Part:
    """A solid of a model; without a paint of its own it has the vehicle's colour and material."""

    name: str
    shape: Shape
    center: Point
    size: Point
    axis: Axis = "z"
    paint: str = ""


Model = tuple[Part, ...]


def _box(
    name: str, x: tuple[float, float], y: float, z: tuple[float, float], paint: str = ""
) -> Part:
    """A box from one x to another and one z to another, as wide to the left as to the right."""
    return _slab(name, x, (-y, y), z, paint)


def _slab(
    name: str,
    x: tuple[float, float],
    y: tuple[float, float],
    z: tuple[float, float],
    paint: str = "",
) -> Part:
    spans = (x, y, z)
    a, b, c = ((low + high) / 2 for low, high in spans)
    p, q, r = ((high - low) / 2 for low, high in spans)
    return Part(name, "box", (a, b, c), (p, q, r), paint=paint)


def _rod(name: str, center: Point, radius: float, half: float, axis: Axis, paint: str = "") -> Part:
    return Part(name, "cylinder", center, (radius, radius, half), axis, paint)


def _axle(name: str, x: float, radius: float, half: float) -> Part:
    """Two wheels at once: a roller as wide as the vehicle."""
    return _rod(name, (x, 0, radius), radius, half, "y", TYRE)


def _car(
    cabin: tuple[float, float], hood: float, height: float, width: float, bed: float | None = None
) -> Model:
    """Cabin from x to x, height of the hood and of all; behind a bed's x there is no lid."""
    low = hood * 0.85
    parts = [
        _box("body", (-0.5, 0.5), width, (0.05, low)),
        _box("hood", (cabin[1], 0.48), width * 0.96, (low, hood)),
        _box("windows", (cabin[0], cabin[1]), width * 0.93, (low, height * 0.93), GLASS),
        _box("roof", (cabin[0] + 0.02, cabin[1] - 0.05), width * 0.9, (height * 0.93, height)),
        _box("bumper_front", (0.5, 0.53), width * 0.9, (0.06, 0.11), STEEL),
        _axle("wheels_front", 0.32, 0.07, width + 0.012),
        _axle("wheels_back", -0.31, 0.07, width + 0.012),
    ]
    if bed is None:
        if cabin[0] > -0.44:
            parts.append(_box("trunk", (-0.48, cabin[0]), width * 0.96, (low, hood)))
    else:
        wall = width * 0.12
        sides = (("left", (width - wall, width)), ("right", (-width, wall - width)))
        parts += [_slab(f"bed_{side}", (-0.5, bed), y, (low, hood)) for side, y in sides]
        parts.append(_box("tailgate", (-0.5, -0.47), width, (low, hood)))
    return tuple(parts)


def _bus(width: float, height: float, bands: tuple[tuple[float, float], ...]) -> Model:
    """A long box with bands of windows at these heights."""
    return (
        _box("body", (-0.5, 0.5), width, (0.03, height)),
        *(_box("windows", (-0.505, 0.505), width + 0.005, band, GLASS) for band in bands),
        _box("roof", (-0.49, 0.49), width * 0.92, (height, height + 0.012)),
        _box("bumper_front", (0.5, 0.515), width * 0.9, (0.03, 0.055), STEEL),
        _slab("door_right", (0.3, 0.38), (-width - 0.008, -width), (0.04, height * 0.85)),
        _slab("door_left", (-0.1, 0.0), (width, width + 0.008), (0.04, height * 0.85)),
        _axle("wheels_front", 0.33, 0.058, width + 0.008),
        _axle("wheels_back", -0.3, 0.058, width + 0.008),
    )


def _school() -> Model:
    """A bus with a hood in front of its windscreen."""
    return (
        _box("body", (-0.5, 0.34), 0.105, (0.04, 0.26)),
        _box("windows", (-0.505, 0.345), 0.11, (0.16, 0.22), GLASS),
        _box("hood", (0.34, 0.5), 0.085, (0.04, 0.14)),
        _box("roof", (-0.49, 0.33), 0.095, (0.26, 0.275)),
        _box("bumper_front", (0.5, 0.52), 0.09, (0.04, 0.07), STEEL),
        _slab("door_right", (0.22, 0.3), (-0.113, -0.105), (0.05, 0.22)),
        _axle("wheels_front", 0.38, 0.05, 0.11),
        _axle("wheels_back", -0.32, 0.05, 0.113),
    )


def _articulated() -> Model:
    """Two long boxes with a joint between."""
    return (
        _box("body", (0.03, 0.5), 0.06, (0.025, 0.13)),
        _box("trailer", (-0.5, -0.03), 0.06, (0.025, 0.13)),
        _box("joint", (-0.03, 0.03), 0.052, (0.035, 0.12), TYRE),
        _box("windows", (0.04, 0.504), 0.063, (0.08, 0.115), GLASS),
        _box("windows", (-0.504, -0.04), 0.063, (0.08, 0.115), GLASS),
        _box("roof", (0.05, 0.48), 0.052, (0.13, 0.142)),
        _slab("door_right", (0.4, 0.45), (-0.066, -0.06), (0.03, 0.115)),
        _axle("wheels_front", 0.36, 0.038, 0.064),
        _axle("wheels_middle", 0.1, 0.038, 0.064),
        _axle("wheels_back", -0.32, 0.038, 0.064),
    )


def _motorbike(
    wheel: float, thick: float, tank: tuple[float, float], bar: float, seat: float
) -> Model:
    """Radius and half thickness of the wheels; heights of the tank, of the bar and of the seat."""
    front, back = 0.5 - wheel, wheel - 0.5
    return (
        _rod("wheel_front", (front, 0, wheel), wheel, thick, "y", TYRE),
        _rod("wheel_back", (back, 0, wheel), wheel, thick, "y", TYRE),
        _rod("hubs", (back, 0, wheel), wheel * 0.6, thick + 0.01, "y", STEEL),
        _box("body", (back, front - 0.06), 0.07, (wheel * 0.75, tank[0])),
        _box("gas_tank", (-0.02, front - 0.08), 0.085, tank),
        _box("seat", (back - 0.05, -0.02), 0.065, (tank[0], seat)),
        _box("fork", (front - 0.06, front), thick + 0.025, (wheel, bar)),
        _rod("handlebar", (front - 0.05, 0, bar), 0.018, 0.2, "y", STEEL),
        _box("fender_back", (back - 0.1, back + 0.08), thick + 0.02, (wheel * 2, wheel * 2 + 0.03)),
        _rod("exhaust", (back + 0.08, -0.09, wheel * 0.6), 0.025, 0.2, "x", STEEL),
    )


def _scooter() -> Model:
    """A shield in front, a low floor, a seat on a box."""
    return (
        _rod("wheel_front", (0.37, 0, 0.11), 0.11, 0.045, "y", TYRE),
        _rod("wheel_back", (-0.37, 0, 0.11), 0.11, 0.045, "y", TYRE),
        _box("body", (-0.46, -0.06), 0.095, (0.16, 0.4)),
        _box("seat", (-0.46, -0.04), 0.085, (0.4, 0.45), TYRE),
        _box("floor", (-0.06, 0.26), 0.085, (0.12, 0.17)),
        _box("shield", (0.24, 0.32), 0.11, (0.12, 0.55)),
        _box("fender_front", (0.27, 0.48), 0.06, (0.22, 0.27)),
        _rod("handlebar", (0.25, 0, 0.58), 0.022, 0.18, "y", STEEL),
    )


def _bicycle(
    wheel: float, tyre: float, bar: float, saddles: tuple[float, ...], extra: tuple[Part, ...]
) -> Model:
    """Radius and half thickness of the wheels, height of the bar, places of the saddles."""
    front, back = 0.5 - wheel, wheel - 0.5
    top = wheel * 1.9
    seats = [
        part
        for i, x in enumerate(saddles)
        for part in (
            _box(f"seat_tube_{i}", (x - 0.02, x + 0.02), 0.02, (wheel * 0.8, top + 0.09)),
            _box(f"saddle_{i}", (x - 0.09, x + 0.07), 0.045, (top + 0.09, top + 0.13)),
        )
    ]
    return (
        _rod("tyres", (front, 0, wheel), wheel, tyre, "y", TYRE),
        _rod("tyres", (back, 0, wheel), wheel, tyre, "y", TYRE),
        _rod("wheel_front", (front, 0, wheel), wheel * 0.82, tyre + 0.012, "y"),
        _rod("wheel_back", (back, 0, wheel), wheel * 0.82, tyre + 0.012, "y"),
        _box("frame", (min(saddles), front), 0.022, (top - 0.05, top)),
        _box("fork", (front - 0.02, front + 0.02), tyre + 0.03, (wheel, bar)),
        _rod("handlebar", (front, 0, bar), 0.02, 0.17, "y"),
        *seats,
        *extra,
    )


def _plane(radius: float, wings: Part, tail: tuple[float, float], extra: tuple[Part, ...]) -> Model:
    """Radius of the body, the wings, half width and height of the tail."""
    return (
        _rod("body", (-0.02, 0, radius), radius, 0.46, "x"),
        Part("nose", "sphere", (0.44, 0, radius), (radius, radius, radius)),
        _box("cockpit", (0.34, 0.42), radius * 0.75, (radius * 1.4, radius * 2.05), GLASS),
        wings,
        _box("tailplane", (-0.48, -0.36), tail[0], (radius * 1.3, radius * 1.3 + 0.02)),
        _box("fin", (-0.48, -0.34), 0.014, (radius * 1.7, tail[1])),
        *extra,
    )


def _pair(name: str, x: float, y: float, z: float, radius: float, half: float) -> tuple[Part, Part]:
    """Engines on both sides."""
    return (
        _rod(f"{name}_left", (x, y, z), radius, half, "x"),
        _rod(f"{name}_right", (x, -y, z), radius, half, "x"),
    )


def _fighter() -> Model:
    """A flat body with wings far back and two fins."""
    return (
        _box("body", (-0.46, 0.2), 0.085, (0.04, 0.15)),
        _box("nose", (0.2, 0.42), 0.05, (0.06, 0.13)),
        _rod("probe", (0.45, 0, 0.095), 0.022, 0.05, "x", STEEL),
        _box("cockpit", (0.08, 0.26), 0.04, (0.13, 0.19), GLASS),
        _box("wings", (-0.34, 0.0), 0.38, (0.08, 0.105)),
        _box("tailplane", (-0.5, -0.38), 0.22, (0.08, 0.1)),
        _slab("fin_left", (-0.48, -0.28), (0.06, 0.085), (0.15, 0.32)),
        _slab("fin_right", (-0.48, -0.28), (-0.085, -0.06), (0.15, 0.32)),
        *_pair("engine", -0.44, 0.05, 0.1, 0.045, 0.05),
    )


_BASKET = _box("basket", (0.28, 0.48), 0.1, (0.5, 0.64), STEEL)
_CARRIER = _box("carrier", (-0.48, -0.16), 0.06, (0.47, 0.5), STEEL)
_PROPELLER = (
    _box("propeller", (0.5, 0.52), 0.16, (0.07, 0.1), STEEL),
    _box("wings_top", (0.06, 0.24), 0.42, (0.29, 0.315)),
    _slab("strut_left", (0.14, 0.16), (0.3, 0.32), (0.07, 0.29), STEEL),
    _slab("strut_right", (0.14, 0.16), (-0.32, -0.3), (0.07, 0.29), STEEL),
)

MODELS: dict[str, Model] = {
    "suv": _car((-0.47, 0.22), 0.19, 0.34, 0.2),
    "wagon": _car((-0.47, 0.18), 0.16, 0.27, 0.18),
    "minivan": _car((-0.48, 0.32), 0.18, 0.36, 0.19),
    "sedan": _car((-0.27, 0.17), 0.16, 0.27, 0.18),
    "truck": _car((-0.08, 0.2), 0.17, 0.31, 0.19, bed=-0.08),
    "addi": _car((-0.4, 0.14), 0.15, 0.28, 0.17),
    "regular": _bus(0.085, 0.2, ((0.11, 0.165),)),
    "double": _bus(0.095, 0.34, ((0.1, 0.15), (0.23, 0.28))),
    "school": _school(),
    "articulated": _articulated(),
    "chopper": _motorbike(0.19, 0.05, (0.3, 0.4), 0.66, 0.36),
    "dirtbike": _motorbike(0.2, 0.035, (0.36, 0.48), 0.62, 0.5),
    "scooter": _scooter(),
    "cruiser": _motorbike(0.17, 0.065, (0.28, 0.42), 0.52, 0.34),
    "jet": _plane(
        0.075,
        _box("wings", (-0.2, 0.02), 0.4, (0.05, 0.075)),
        (0.16, 0.32),
        _pair("engine", -0.3, 0.12, 0.11, 0.04, 0.09),
    ),
    "fighter": _fighter(),
    "biplane": _plane(
        0.08, _box("wings", (0.06, 0.24), 0.42, (0.05, 0.075)), (0.17, 0.3), _PROPELLER
    ),
    "airliner": _plane(
        0.065,
        _box("wings", (-0.12, 0.08), 0.48, (0.05, 0.07)),
        (0.18, 0.28),
        _pair("engine", 0.06, 0.2, 0.035, 0.032, 0.07),
    ),
    "road": _bicycle(0.21, 0.018, 0.46, (-0.12,), ()),
    "utility": _bicycle(0.2, 0.024, 0.56, (-0.14,), (_BASKET, _CARRIER)),
    "mountain": _bicycle(0.2, 0.04, 0.5, (-0.1,), ()),
    "tandem": _bicycle(0.17, 0.022, 0.42, (-0.2, 0.1), ()),
}
"""By Super-CLEVR's names of the kinds."""
