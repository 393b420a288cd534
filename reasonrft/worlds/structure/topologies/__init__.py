"""Kinds of problem by name: those with their facts in words, and those of drawn labels."""

from collections.abc import Callable

from reasonrft.worlds.structure.puzzle import Draw, Puzzle
from reasonrft.worlds.structure.topologies.arcs import (
    central_arcs,
    circle_measure,
    inscribed_arc,
    sector,
)
from reasonrft.worlds.structure.topologies.charts import bar_chart, table
from reasonrft.worlds.structure.topologies.chords import chord_angle, chord_lengths, secant_angle
from reasonrft.worlds.structure.topologies.circles import circle_angle
from reasonrft.worlds.structure.topologies.count_shapes import (
    count_rectangles,
    count_squares,
    count_triangles,
)
from reasonrft.worlds.structure.topologies.dice import opposite_face
from reasonrft.worlds.structure.topologies.labelled_triangles import (
    labelled_exterior,
    labelled_triangle,
)
from reasonrft.worlds.structure.topologies.motions import motion, rotation
from reasonrft.worlds.structure.topologies.parallels import bend, transversal
from reasonrft.worlds.structure.topologies.polygons import cut_corner, polygon_sum
from reasonrft.worlds.structure.topologies.quadrilaterals import (
    midsegment,
    parallelogram,
    rhombus_area,
)
from reasonrft.worlds.structure.topologies.right_triangles import (
    altitude,
    pythagoras,
    trigonometric_ratio,
)
from reasonrft.worlds.structure.topologies.similarity import inner_triangle, similar_pair
from reasonrft.worlds.structure.topologies.solids import box, wedge
from reasonrft.worlds.structure.topologies.special_triangles import half_equilateral, half_square
from reasonrft.worlds.structure.topologies.tangents import (
    tangent_lengths,
    tangent_radius,
    tangent_secant,
    two_secants,
)
from reasonrft.worlds.structure.topologies.triangles import exterior_angle, isosceles, triangle_sum

Topology = Callable[[Draw], Puzzle | None]

TOPOLOGIES: dict[str, Topology] = {
    "triangle_sum": triangle_sum,
    "isosceles": isosceles,
    "exterior_angle": exterior_angle,
    "transversal": transversal,
    "bend": bend,
    "polygon_sum": polygon_sum,
    "cut_corner": cut_corner,
    "circle_angle": circle_angle,
    "box": box,
    "wedge": wedge,
    "inner_triangle": inner_triangle,
    "similar_pair": similar_pair,
    "count_triangles": count_triangles,
    "count_squares": count_squares,
    "count_rectangles": count_rectangles,
    "table": table,
    "bar_chart": bar_chart,
    "motion": motion,
    "rotation": rotation,
    "opposite_face": opposite_face,
}
"""GeoMath's manner."""

DRAWN_TOPOLOGIES: dict[str, Topology] = {
    "tangent_lengths": tangent_lengths,
    "tangent_secant": tangent_secant,
    "two_secants": two_secants,
    "tangent_radius": tangent_radius,
    "chord_lengths": chord_lengths,
    "chord_angle": chord_angle,
    "secant_angle": secant_angle,
    "central_arcs": central_arcs,
    "inscribed_arc": inscribed_arc,
    "circle_measure": circle_measure,
    "sector": sector,
    "pythagoras": pythagoras,
    "half_square": half_square,
    "half_equilateral": half_equilateral,
    "trigonometric_ratio": trigonometric_ratio,
    "altitude": altitude,
    "midsegment": midsegment,
    "parallelogram": parallelogram,
    "rhombus_area": rhombus_area,
    "labelled_triangle": labelled_triangle,
    "labelled_exterior": labelled_exterior,
}
"""Geometry3K's manner."""
