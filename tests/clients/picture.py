"""Draws the screen of a terminal as a PNG."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from pyte.screens import Char

from tests.clients.terminal import Terminal

FONTS = Path("/usr/share/fonts/truetype/dejavu")
SIZE = 15
MARGIN = 10

#: pyte's names of the 16 colors of a terminal.
NAMED = {
    "black": "1c1c1c",
    "red": "c4403f",
    "green": "3f8f4f",
    "brown": "b08020",
    "blue": "3465a4",
    "magenta": "75507b",
    "cyan": "06989a",
    "white": "d3d7cf",
    "brightblack": "707070",
    "brightred": "ef2929",
    "brightgreen": "6cc24a",
    "brightbrown": "d9b800",
    "brightblue": "729fcf",
    "brightmagenta": "ad7fa8",
    "brightcyan": "34c2c2",
    "brightwhite": "ffffff",
}


def draw(terminal: Terminal, path: Path, *, foreground: str, background: str, rows: int | None = None) -> None:
    """`foreground` and `background` stand for the terminal's default colors, as `rrggbb`."""
    fonts = {bold: _font("DejaVuSansMono-Bold.ttf" if bold else "DejaVuSansMono.ttf") for bold in (False, True)}
    width = round(fonts[False].getlength("M"))
    height = sum(fonts[False].getmetrics())
    screen = terminal.screen
    rows = rows or screen.lines
    size = (screen.columns * width + 2 * MARGIN, rows * height + 2 * MARGIN)
    image = Image.new("RGB", size, f"#{background}")
    canvas = ImageDraw.Draw(image)
    for row in range(rows):
        for column in range(screen.columns):
            char = screen.buffer[row][column]
            x, y = MARGIN + column * width, MARGIN + row * height
            ink, paper = _colors(char, foreground, background)
            if (row, column) == (screen.cursor.y, screen.cursor.x) and not screen.cursor.hidden:
                ink, paper = paper, ink
            if paper != background:
                canvas.rectangle((x, y, x + width - 1, y + height - 1), fill=f"#{paper}")
            if char.data.strip():
                canvas.text((x, y), char.data, font=fonts[char.bold], fill=f"#{ink}")
            if char.underscore:
                canvas.line((x, y + height - 2, x + width - 1, y + height - 2), fill=f"#{ink}")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(64).save(path, optimize=True)


def _font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / name), SIZE)


def _colors(char: Char, foreground: str, background: str) -> tuple[str, str]:
    ink = foreground if char.fg == "default" else NAMED.get(char.fg, char.fg)
    paper = background if char.bg == "default" else NAMED.get(char.bg, char.bg)
    return (paper, ink) if char.reverse else (ink, paper)
