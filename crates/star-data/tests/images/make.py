"""Makes the images of tests/images.rs and what other programs decode them to.

    pip install pillow numpy && python make.py

Pixels are formulas, so nothing here belongs to anybody. `expected.safetensors` has, for each image, height x width x 3 bytes: Pillow's
decoding, made upright, converted to RGB; for 16 bits the upper byte, which is what cv2.imread gives.
"""

import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

HERE = Path(__file__).parent
EXPECTED = {}


def pattern(width, height):
    """Smooth, different in every corner and channel."""
    y, x = np.mgrid[0:height, 0:width]
    r = 40 + 200 * x / width
    g = 230 - 180 * y / height
    b = 128 + 100 * np.sin(x / width * 3) * np.cos(y / height * 2)
    return np.stack([r, g, b], -1).astype(np.uint8)


def upright(data):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def keep(name, data, expected=None):
    (HERE / name).write_bytes(data)
    EXPECTED[name] = upright(data) if expected is None else np.asarray(expected, np.uint8)


def save(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(width, height, depth, color, rows, interlace=0):
    """A PNG by hand, for the depths that Pillow does not write."""
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def main():
    small = pattern(16, 12)
    rgb = Image.fromarray(small)
    # JPEG without chroma subsampling: what two decoders make of subsampled chroma differs by more than rounding.
    jpeg = {"quality": 92, "subsampling": 0}
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        keep(f"exif{orientation}.jpg", save(rgb, "JPEG", exif=exif, **jpeg))
    exif = Image.Exif()
    exif[0x0112] = 6
    keep("exif6.png", save(rgb, "PNG", exif=exif))
    keep("grey.jpg", save(rgb.convert("L"), "JPEG", quality=92))
    keep("progressive.jpg", save(rgb, "JPEG", progressive=True, **jpeg))
    cmyk = Image.fromarray(np.concatenate([255 - small, (small[..., :1] // 4)], -1), "CMYK")
    data = save(cmyk, "JPEG", quality=92)
    at = data.index(b"\xff\xeeA".replace(b"A", b"\0\x0eAdobe"))
    keep("cmyk_adobe.jpg", data)
    keep("cmyk_plain.jpg", data[:at] + data[at + 16 :])
    # The Adobe block's last byte names the colours: 2 is YCCK.
    keep("ycck.jpg", data[: at + 15] + b"\2" + data[at + 16 :])

    keep("grey.png", save(rgb.convert("L"), "PNG"))
    keep("palette.png", save(rgb.quantize(16), "PNG"))
    keep("palette_transparent.png", save(rgb.quantize(16), "PNG", transparency=3))
    alpha = np.concatenate([small, small[..., :1]], -1)
    keep("alpha.png", save(Image.fromarray(alpha, "RGBA"), "PNG"), small)
    grey_alpha = np.stack([small[..., 0], small[..., 1]], -1)
    keep("grey_alpha.png", save(Image.fromarray(grey_alpha, "LA"), "PNG"), np.repeat(small[..., :1], 3, -1))
    # The lower byte is 200, so that rounding would show.
    deep = (small.astype(">u2") << 8 | 200).astype(">u2")
    keep("rgb16.png", png(16, 12, 16, 2, [row.tobytes() for row in deep]), small)
    keep("grey16.png", png(16, 12, 16, 0, [row[:, 0].tobytes() for row in deep]), np.repeat(small[..., :1], 3, -1))
    bits = small[..., 0] > 128
    keep("one_bit.png", png(16, 12, 1, 0, [np.packbits(row).tobytes() for row in bits]), np.repeat(bits[..., None] * 255, 3, -1))
    keep("alpha.webp", save(Image.fromarray(alpha, "RGBA"), "WEBP", lossless=True, exact=True), small)
    keep("colour.bmp", save(rgb, "BMP"))
    keep("palette.bmp", save(rgb.quantize(16), "BMP"))

    # To be cut off by the test: enough bytes to lose some.
    large = pattern(48, 40).astype(np.int16) + np.random.default_rng(0).integers(-12, 13, (40, 48, 3))
    large = Image.fromarray(large.clip(0, 255).astype(np.uint8))
    for name, data in [
        ("to_cut.jpg", save(large, "JPEG", quality=85, subsampling=0)),
        ("to_cut_progressive.jpg", save(large, "JPEG", quality=85, subsampling=0, progressive=True)),
        ("to_cut.png", save(large.quantize(64), "PNG")),
    ]:
        (HERE / name).write_bytes(data)
    deep = (np.asarray(large.resize((20, 30))).astype(">u2") << 8 | 7).astype(">u2")
    (HERE / "to_cut16.png").write_bytes(png(20, 30, 16, 2, [row.tobytes() for row in deep]))

    # Not read: the error says what they are. The HEIC is a head only.
    (HERE / "gif.jpg").write_bytes(save(rgb.quantize(4), "GIF"))
    (HERE / "tiff.jpg").write_bytes(save(rgb.convert("1"), "TIFF"))
    (HERE / "heic.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(16))

    header, body = {}, b""
    for name, array in sorted(EXPECTED.items()):
        data = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": "U8", "shape": array.shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (HERE / "expected.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)


main()
