"""Draws one person onto a canvas."""

from __future__ import annotations

import numpy as np

from .canvas import Head, ellipse, fill, stroke
from .identity import Colour, Identity, blended

EYE_LINE = -0.06
"""Height of the eyes, in face heights below the middle of the face."""
MOUTH_LINE = 0.27
DARK = (38, 30, 30)
WHITE = (246, 246, 244)


class Portrait:
    """Draws a person's head and shoulders; every method adds one part, back to front."""

    def __init__(self, canvas: np.ndarray, head: Head, person: Identity) -> None:
        self.canvas = canvas
        self.head = head
        self.person = person

    def draw(self, smile: float, clothes: Colour) -> None:
        """All parts. smile: -1..1."""
        self.back_of_hair()
        self.shoulders(clothes)
        self.skull()
        self.skin_details()
        self.beard()
        self.mouth(smile)
        self.nose()
        self.eyes()
        self.front_of_hair()
        self.glasses()

    def keypoints(self, smile: float) -> np.ndarray:
        """[5, 2] canvas pixels: left eye, right eye, nose, left and right corner of the mouth."""
        gap, width = self.person.eye_gap, self.person.width
        corners = self.mouth_curve(smile)[[0, -1]]
        eyes = self.on_face(np.array([[-gap, EYE_LINE], [gap, EYE_LINE]]))
        tip = np.array([[0.0, EYE_LINE + self.person.nose_length + 0.03]])
        return np.concatenate([eyes, self.head.surface(tip, width, lift=0.09), corners])

    def on_face(self, points: np.ndarray) -> np.ndarray:
        return self.head.surface(points, self.person.width)

    def outline(self, grow: float = 1.0) -> np.ndarray:
        """The face's silhouette in face heights, narrower towards the chin."""
        points = ellipse((0, 0), (self.person.width * grow, 0.5 * grow))
        low = np.clip(points[:, 1] / 0.5, 0, 1) ** 2
        points[:, 0] *= 1 - self.person.jaw * low
        return points

    def back_of_hair(self) -> None:
        width, hair = self.person.width, self.person.hair
        style = self.person.hair_style
        shift = -0.10 * np.sin(np.radians(self.head.yaw))
        if style in ("long", "fringe"):
            length = 0.75 if style == "long" else 0.3
            crown = ellipse((shift, -0.12), (width * 1.28, 0.52), 180, 360)
            ends = np.array([[width * 1.3 + shift, length], [-width * 1.3 + shift, length]])
            fill(self.canvas, self.head.flat(np.concatenate([crown, ends])), hair)
        elif style == "curly":
            for angle in np.linspace(150, 390, 11):
                x, y = np.cos(np.radians(angle)), np.sin(np.radians(angle))
                curl = ellipse((width * 1.1 * x + shift, 0.48 * y - 0.05), (0.17, 0.17))
                fill(self.canvas, self.head.flat(curl), hair)
        elif style == "bun":
            fill(self.canvas, self.head.flat(ellipse((shift * 2, -0.62), (0.17, 0.16))), hair)

    def shoulders(self, clothes: Colour) -> None:
        neck = np.array([[-0.16, 0.2], [0.16, 0.2], [0.18, 0.75], [-0.18, 0.75]])
        fill(self.canvas, self.head.flat(neck), blended(self.person.skin, DARK, 0.18))
        x, y = self.head.center
        scale = self.head.height
        body = np.array([[-0.95, 2.2], [-0.85, 0.85], [-0.3, 0.62], [0.3, 0.62], [0.85, 0.85]])
        body = np.concatenate([body, [[0.95, 2.2]]]) * scale + np.array([x, y])
        fill(self.canvas, body, clothes)

    def skull(self) -> None:
        skin, width = self.person.skin, self.person.width
        for side in (-1, 1):
            turned = side * width * 0.98 - 0.10 * np.sin(np.radians(self.head.yaw))
            ear = self.head.flat(ellipse((turned, 0.02), (0.075, 0.11)))
            fill(self.canvas, ear, blended(skin, DARK, 0.1))
        fill(self.canvas, self.head.flat(self.outline()), skin)

    def skin_details(self) -> None:
        skin = self.person.skin
        if self.person.freckles:
            mark = blended(skin, (120, 60, 30), 0.55)
            for side in (-1, 1):
                for x, y in ((0.10, 0.10), (0.16, 0.07), (0.22, 0.11), (0.15, 0.14), (0.2, 0.17)):
                    spot = ellipse((side * x, y), (0.014, 0.014))
                    fill(self.canvas, self.on_face(spot), mark)
        if self.person.age == "old":
            line = blended(skin, DARK, 0.4)
            thin = 0.014 * self.head.height
            for y in (-0.27, -0.33):
                brow = np.stack([np.linspace(-0.16, 0.16, 9), np.full(9, y)], axis=1)
                stroke(self.canvas, self.on_face(brow), line, thin)
            for side in (-1, 1):
                fold = np.array([[0.09, 0.14], [0.15, 0.2], [0.18, 0.29]]) * (side, 1)
                stroke(self.canvas, self.on_face(fold), line, thin)

    def beard(self) -> None:
        hair = blended(self.person.hair, DARK, 0.15)
        if self.person.beard == "full":
            lower = self.outline(1.01)
            lower = lower[lower[:, 1] > 0.1]
            upper = np.array([[-0.2, 0.17], [0.0, 0.15], [0.2, 0.17]])
            fill(self.canvas, self.head.flat(np.concatenate([lower, upper])), hair)
        elif self.person.beard == "moustache":
            reach = self.person.mouth + 0.03
            shape = np.array([[-reach, 0.25], [0, 0.17], [reach, 0.25], [0, 0.225]])
            fill(self.canvas, self.on_face(shape), hair)

    def mouth_curve(self, smile: float) -> np.ndarray:
        """[9, 2] canvas pixels from the left to the right corner."""
        x = np.linspace(-1, 1, 9)
        y = MOUTH_LINE + 0.05 * smile * (0.6 - x**2)
        return self.on_face(np.stack([x * self.person.mouth, y], axis=1))

    def mouth(self, smile: float) -> None:
        stroke(self.canvas, self.mouth_curve(smile), self.person.lips, 0.045 * self.head.height)

    def nose(self) -> None:
        person, tip_y = self.person, EYE_LINE + self.person.nose_length + 0.03
        wide = person.nose_width
        base = np.array([[-wide, tip_y + 0.02], [wide, tip_y + 0.02]])
        tip = self.head.surface(np.array([[0.0, tip_y]]), person.width, lift=0.09)
        root = self.on_face(np.array([[0.0, EYE_LINE + 0.03]]))
        left, right = self.on_face(base)
        shape = np.stack([root[0], left, tip[0], right])
        fill(self.canvas, shape, blended(person.skin, DARK, 0.22))

    def eyes(self) -> None:
        person = self.person
        for side in (-1, 1):
            x = side * person.eye_gap
            size = person.eye_size
            white = ellipse((x, EYE_LINE), (size, size * 0.72))
            fill(self.canvas, self.on_face(white), WHITE)
            iris = ellipse((x, EYE_LINE), (size * 0.62, size * 0.66))
            fill(self.canvas, self.on_face(iris), person.eyes)
            pupil = ellipse((x, EYE_LINE), (size * 0.28, size * 0.3))
            fill(self.canvas, self.on_face(pupil), DARK)
            inner, outer = x - side * size, x + side * size * 1.15
            level = EYE_LINE - size - 0.035
            brow = np.array([[inner, level], [outer, level - person.brow_tilt]])
            dark = blended(person.hair, DARK, 0.35)
            stroke(self.canvas, self.on_face(brow), dark, person.brow * self.head.height)

    def front_of_hair(self) -> None:
        person, style = self.person, self.person.hair_style
        if style == "bald":
            return
        if style == "mohawk":
            strip = np.array([[-0.07, -0.36], [0.07, -0.36], [0.1, -0.68], [-0.1, -0.68]])
            fill(self.canvas, self.head.flat(strip), person.hair)
            return
        shift = 0.06 * np.sin(np.radians(self.head.yaw))
        crown = ellipse((0, -0.02), (person.width * 1.06, 0.54), 192, 348)
        lines = {
            "fringe": [[0.3, -0.17], [0.0, -0.15], [-0.3, -0.17]],
            "short": [[0.26, -0.36], [-0.1, -0.29], [-0.28, -0.36]],
            "long": [[0.24, -0.24], [0.02, -0.42], [-0.24, -0.24]],
        }
        line = np.array(lines.get(style, [[0.25, -0.3], [0.0, -0.37], [-0.25, -0.3]]))
        line[:, 0] = line[:, 0] / 0.4 * person.width + shift
        fill(self.canvas, self.head.flat(np.concatenate([crown, line])), person.hair)

    def glasses(self) -> None:
        person = self.person
        if person.glasses == "no":
            return
        reach = person.eye_gap * 0.62
        line = 0.026 * self.head.height
        for side in (-1, 1):
            center = (side * person.eye_gap, EYE_LINE + 0.01)
            rim = ellipse(center, (reach, reach))
            if person.glasses == "square":
                corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
                rim = corners * (reach, 0.72 * reach) + center
            stroke(self.canvas, self.on_face(rim), person.frame, line)
        bridge = np.array([[reach - person.eye_gap, EYE_LINE], [person.eye_gap - reach, EYE_LINE]])
        stroke(self.canvas, self.on_face(bridge), person.frame, line)
