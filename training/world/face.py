"""Draws one person onto a canvas."""

from __future__ import annotations

import numpy as np

from .canvas import DARK, LINE, Head, ellipse, fill, outlined, stroke
from .identity import Colour, Identity, blended

EYE_LINE = -0.04
"""Height of the eyes, in face heights below the middle of the face."""
MOUTH_LINE = 0.28
OPEN = 0.3
"""Smiles from here on show teeth."""
WHITE = (246, 246, 244)


class Portrait:
    """Draws a person's head and shoulders; every method adds one part, back to front."""

    def __init__(self, canvas: np.ndarray, head: Head, person: Identity) -> None:
        self.canvas = canvas
        self.head = head
        self.person = person
        self.line = LINE * head.height

    def draw(self, smile: float, clothes: Colour, hat: Colour | None) -> None:
        """All parts. smile: -1..1."""
        self.back_of_hair(hat is not None)
        self.shoulders(clothes)
        self.skull()
        self.skin_details()
        self.beard()
        self.mouth(smile)
        self.nose()
        self.eyes()
        self.front_of_hair(hat is not None)
        self.glasses()
        if hat is not None:
            self.hat(hat)

    def keypoints(self, smile: float) -> np.ndarray:
        """[5, 2] canvas pixels: left eye, right eye, nose, left and right corner of the mouth."""
        gap, width = self.person.eye_gap, self.person.width
        corners = self.mouth_curve(smile)[[0, -1]]
        eyes = self.on_face(np.array([[-gap, EYE_LINE], [gap, EYE_LINE]]))
        tip = np.array([[0.0, EYE_LINE + self.person.nose_length + 0.03]])
        return np.concatenate([eyes, self.head.surface(tip, width, lift=0.09), corners])

    def on_face(self, points: np.ndarray) -> np.ndarray:
        return self.head.surface(points, self.person.width)

    def shape(self, points: np.ndarray, colour: Colour) -> None:
        """Fills and outlines a part of the silhouette; points in face heights."""
        outlined(self.canvas, self.head.flat(points), colour, self.line)

    def outline(self, grow: float = 1.0) -> np.ndarray:
        """The face's silhouette in face heights, narrower towards the chin."""
        points = ellipse((0, 0), (1, 1))
        points = np.sign(points) * np.abs(points) ** (2 / self.person.curve)
        points = points * (self.person.width * grow, 0.5 * grow)
        low = np.clip(points[:, 1] / 0.5, 0, 1) ** 2
        points[:, 0] *= 1 - self.person.jaw * low
        return points

    def back_of_hair(self, covered: bool) -> None:
        width, hair, style = self.person.width, self.person.hair, self.person.hair_style
        shift = -0.10 * np.sin(np.radians(self.head.yaw))
        if style in ("long", "fringe"):
            length = 0.78 if style == "long" else 0.32
            crown = ellipse((shift, -0.12), (width * 1.3, 0.52), 180, 360)
            ends = np.array([[width * 1.36 + shift, length], [-width * 1.36 + shift, length]])
            self.shape(np.concatenate([crown, ends]), hair)
        elif style == "curly":
            curls = [
                ellipse((width * 1.12 * x + shift, 0.48 * y - 0.05), (0.19, 0.19))
                for x, y in ellipse((0, 0), (1, 1), 150, 390)[::3]
                if y > -0.4 or not covered
            ]
            for grow in (self.shape, lambda curl, hair: fill(self.canvas, curl, hair)):
                for curl in curls:
                    inner = curl if grow == self.shape else self.head.flat(curl)
                    grow(inner, hair)
        elif style == "bun" and not covered:
            self.shape(ellipse((shift * 2, -0.62), (0.2, 0.17)), hair)
        elif style == "tails":
            for side in (-1, 1):
                self.shape(ellipse((side * (width + 0.16) + shift, 0.12), (0.15, 0.36)), hair)

    def shoulders(self, clothes: Colour) -> None:
        neck = np.array([[-0.16, 0.2], [0.16, 0.2], [0.18, 0.75], [-0.18, 0.75]])
        self.shape(neck, blended(self.person.skin, DARK, 0.18))
        body = np.array([[-0.95, 2.2], [-0.85, 0.85], [-0.3, 0.62], [0.3, 0.62], [0.85, 0.85]])
        body = np.concatenate([body, [[0.95, 2.2]]]) * self.head.height
        outlined(self.canvas, body + np.array(self.head.center), clothes, self.line)

    def skull(self) -> None:
        skin, width = self.person.skin, self.person.width
        for side in (-1, 1):
            turned = side * width * 0.98 - 0.10 * np.sin(np.radians(self.head.yaw))
            self.shape(ellipse((turned, 0.02), (0.085, 0.12)), blended(skin, DARK, 0.1))
        self.shape(self.outline(), skin)

    def skin_details(self) -> None:
        skin = self.person.skin
        if self.person.freckles:
            mark = blended(skin, (120, 60, 30), 0.6)
            for side in (-1, 1):
                for x, y in ((0.12, 0.12), (0.19, 0.09), (0.26, 0.12), (0.19, 0.16)):
                    fill(self.canvas, self.on_face(ellipse((side * x, y), (0.02, 0.02))), mark)
        if self.person.age == "old":
            line, thin = blended(skin, DARK, 0.45), 0.022 * self.head.height
            for y in (-0.24, -0.31):
                brow = np.stack([np.linspace(-0.17, 0.17, 9), np.full(9, y)], axis=1)
                stroke(self.canvas, self.on_face(brow), line, thin)
            for side in (-1, 1):
                fold = np.array([[0.10, 0.13], [0.17, 0.2], [0.2, 0.31]]) * (side, 1)
                stroke(self.canvas, self.on_face(fold), line, thin)

    def beard(self) -> None:
        hair = blended(self.person.hair, DARK, 0.15)
        if self.person.beard == "full":
            lower = self.outline(1.02)
            lower = lower[lower[:, 1] > 0.08]
            upper = np.array([[-0.24, 0.17], [0.0, 0.15], [0.24, 0.17]])
            self.shape(np.concatenate([lower, upper]), hair)
        elif self.person.beard == "moustache":
            reach = max(0.15, self.person.mouth + 0.04)
            tips = np.array([[-reach, 0.27], [-0.08, 0.17], [0.08, 0.17], [reach, 0.27]])
            shape = np.concatenate([tips, [[0, 0.24]]])
            outlined(self.canvas, self.on_face(shape), hair, self.line)
        elif self.person.beard == "goatee":
            chin = ellipse((0, 0.42), (0.15, 0.13))
            outlined(self.canvas, self.on_face(chin), hair, self.line)

    def mouth_curve(self, smile: float) -> np.ndarray:
        """[9, 2] canvas pixels from the left to the right corner."""
        x = np.linspace(-1, 1, 9)
        y = MOUTH_LINE + 0.05 * smile * (0.6 - x**2)
        return self.on_face(np.stack([x * self.person.mouth, y], axis=1))

    def mouth(self, smile: float) -> None:
        curve, lips = self.mouth_curve(smile), self.person.lips
        if smile > OPEN:
            x = np.linspace(1, -1, 9)
            low = MOUTH_LINE + 0.02 * smile + 0.12 * smile * (0.75 - x**2)
            lower = self.on_face(np.stack([x * self.person.mouth, low], axis=1))
            fill(self.canvas, np.concatenate([curve, lower[1:-1]]), WHITE)
            curve = np.concatenate([curve, lower[1:-1], curve[:1]])
        stroke(self.canvas, curve, lips, (0.05 if smile <= OPEN else 0.035) * self.head.height)

    def nose(self) -> None:
        person, tip_y = self.person, EYE_LINE + self.person.nose_length + 0.03
        wide = person.nose_width
        base = np.array([[-wide, tip_y + 0.02], [wide, tip_y + 0.02]])
        tip = self.head.surface(np.array([[0.0, tip_y]]), person.width, lift=0.09)
        root = self.on_face(np.array([[0.0, EYE_LINE + 0.03]]))
        left, right = self.on_face(base)
        shape = np.stack([root[0], left, tip[0], right])
        fill(self.canvas, shape, blended(person.skin, DARK, 0.3))

    def eyes(self) -> None:
        person = self.person
        for side in (-1, 1):
            x, size = side * person.eye_gap, person.eye_size
            white = self.on_face(ellipse((x, EYE_LINE), (size, size * 0.8)))
            outlined(self.canvas, white, WHITE, self.line)
            iris = ellipse((x, EYE_LINE), (size * 0.62, size * 0.66))
            fill(self.canvas, self.on_face(iris), person.eyes)
            pupil = ellipse((x, EYE_LINE), (size * 0.28, size * 0.3))
            fill(self.canvas, self.on_face(pupil), DARK)
            inner, outer = x - side * size, x + side * size * 1.15
            level = EYE_LINE - size - 0.04
            brow = np.array([[inner, level], [outer, level - person.brow_tilt]])
            dark = blended(person.hair, DARK, 0.35)
            stroke(self.canvas, self.on_face(brow), dark, person.brow * self.head.height)

    def front_of_hair(self, covered: bool) -> None:
        person, style = self.person, self.person.hair_style
        if style == "bald":
            return
        if style == "mohawk":
            if not covered:
                strip = np.array([[-0.1, -0.33], [0.1, -0.33], [0.14, -0.74], [-0.14, -0.74]])
                self.shape(strip, person.hair)
            return
        shift = 0.06 * np.sin(np.radians(self.head.yaw))
        crown = ellipse((0, -0.02), (person.width * 1.07, 0.55), 192, 348)
        lines = {
            "fringe": [[0.3, -0.2], [0.0, -0.18], [-0.3, -0.2]],
            "short": [[0.26, -0.36], [-0.1, -0.27], [-0.28, -0.36]],
            "long": [[0.24, -0.22], [0.02, -0.42], [-0.24, -0.22]],
        }
        line = np.array(lines.get(style, [[0.25, -0.3], [0.0, -0.37], [-0.25, -0.3]]))
        line[:, 0] = line[:, 0] / 0.4 * person.width + shift
        self.shape(np.concatenate([crown, line]), person.hair)

    def hat(self, colour: Colour) -> None:
        """A brimmed hat, above the brows."""
        width = self.person.width
        crown = np.array([[-1, -0.3], [-0.82, -0.72], [0.82, -0.72], [1, -0.3]]) * (width, 1)
        self.shape(crown, colour)
        self.shape(ellipse((0, -0.31), (width * 1.5, 0.075)), blended(colour, DARK, 0.25))

    def glasses(self) -> None:
        person = self.person
        if person.glasses == "no":
            return
        reach = max(0.115, person.eye_size * 1.4)
        reach = min(reach, person.eye_gap * 0.85)
        line = 0.034 * self.head.height
        for side in (-1, 1):
            center = (side * person.eye_gap, EYE_LINE + 0.01)
            rim = ellipse(center, (reach, reach))
            if person.glasses != "round":
                corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
                rim = corners * (reach, 0.78 * reach) + center
            if person.glasses == "dark":
                fill(self.canvas, self.on_face(rim), blended(person.frame, DARK, 0.6))
            stroke(self.canvas, self.on_face(rim), person.frame, line)
        bridge = np.array([[reach - person.eye_gap, EYE_LINE], [person.eye_gap - reach, EYE_LINE]])
        stroke(self.canvas, self.on_face(bridge), person.frame, line)
