"""Pictures as PNG files, the same bytes on every machine.

Builds of zlib compress alike pictures to unlike bytes, so this writes its own deflate stream: rows
filtered, runs of one byte shortened, one Huffman code for the whole picture. It is all integers.
"""

import heapq
import io
import struct
import zlib

import numpy as np
from PIL import Image

_LONGEST_CODE = 15
_LONGEST_RUN = 258
_END = 256
_ORDER = 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15


def encode_png(pixels: np.ndarray) -> bytes:
    """A PNG file of RGB bytes."""  # (H, W, 3) uint8
    height, width, _ = pixels.shape
    rows = _filtered(pixels).tobytes()
    data = b"\x78\x01" + _deflated(rows) + struct.pack(">I", zlib.adler32(rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def decode(data: bytes) -> np.ndarray:
    """The RGB bytes of a picture file that this package wrote."""  # (H, W, 3) uint8
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _filtered(pixels: np.ndarray) -> np.ndarray:
    """Each row behind the number of the filter that leaves it the smallest differences."""
    height, width, _ = pixels.shape
    padded = np.zeros((height + 1, width + 1, 3), np.int16)
    padded[1:, 1:] = pixels
    here, left, above = padded[1:, 1:], padded[1:, :-1], padded[:-1, 1:]
    guesses = left, above, (left + above) >> 1
    rests = [(here - guess).astype(np.uint8).reshape(height, -1) for guess in guesses]
    costs = [np.minimum(rest, 0 - rest).sum(axis=1, dtype=np.int64) for rest in rests]
    best = np.argmin(np.stack(costs), axis=0)
    out = np.empty((height, 1 + width * 3), np.uint8)
    out[:, 0] = best + 1
    for i, rest in enumerate(rests):
        out[best == i, 1:] = rest[best == i]
    return out


def _deflated(data: bytes) -> bytes:
    """A deflate stream of one block with a Huffman code of its own."""
    symbols, extra, extra_bits = _tokens(np.frombuffer(data, np.uint8))
    lengths = _code_lengths(np.bincount(symbols, minlength=286).tolist())
    codes = np.array(_reversed_codes(lengths), np.uint64)
    sizes = np.array(lengths, np.uint64)
    head, head_bits = _block_header(lengths)
    values = codes[symbols] | (extra << sizes[symbols])
    bits = sizes[symbols] + extra_bits
    return _packed(np.concatenate([head, values]), np.concatenate([head_bits, bits]))


def _tokens(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Deflate's symbols for bytes, with the value and the number of the bits after each.

    A run is its first byte, then copies of the byte before: as many of 258 as fit, then the rest.
    The bit that says "the byte before" stands behind the bits of the length and is 0.
    """
    starts = np.flatnonzero(np.diff(data, prepend=~data[:1]))
    rest = np.diff(starts, append=len(data)) - 1
    full, rest = rest // _LONGEST_RUN, rest % _LONGEST_RUN
    tail = np.where(rest >= 3, 1, rest)
    count = 1 + full + tail
    run = np.repeat(np.arange(len(starts)), count)
    place = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count)
    copied = np.where(place <= full[run], _LONGEST_RUN, rest[run])
    copies = (place > 0) & (copied >= 3)
    symbols = np.where(copies, _LENGTH_SYMBOL[copied], data[starts][run])
    extra = np.where(copies, _LENGTH_EXTRA[copied], 0).astype(np.uint64)
    bits = np.where(copies, _LENGTH_BITS[copied] + 1, 0).astype(np.uint64)
    zero = np.zeros(1, np.uint64)
    return np.append(symbols, _END), np.append(extra, zero), np.append(bits, zero)


def _length_tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Symbol, value of extra bits and number of them for each length of a copy."""
    symbol, extra, bits = (np.zeros(_LONGEST_RUN + 1, np.int64) for _ in range(3))
    length = 3
    for code in range(257, 285):
        size = max(0, (code - 261) // 4)
        for value in range(1 << size):
            if length + value <= _LONGEST_RUN:
                symbol[length + value], extra[length + value] = code, value
                bits[length + value] = size
        length += 1 << size
    symbol[_LONGEST_RUN], extra[_LONGEST_RUN], bits[_LONGEST_RUN] = 285, 0, 0
    return symbol, extra, bits


_LENGTH_SYMBOL, _LENGTH_EXTRA, _LENGTH_BITS = _length_tables()


def _code_lengths(counts: list[int]) -> list[int]:
    """Lengths of Huffman's code words, none over 15 bits; ties go to the older node."""
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (count, i, (i,)) for i, count in enumerate(counts) if count
    ]
    lengths = [0] * len(counts)
    heapq.heapify(heap)
    age = len(counts)
    while len(heap) > 1:
        one, _, left = heapq.heappop(heap)
        two, _, right = heapq.heappop(heap)
        for symbol in left + right:
            lengths[symbol] += 1
        heapq.heappush(heap, (one + two, age, left + right))
        age += 1
    if max(lengths) > _LONGEST_CODE:
        return _code_lengths([count and count // 2 + 1 for count in counts])
    return lengths


def _reversed_codes(lengths: list[int]) -> list[int]:
    """Deflate's canonical code words, first bit lowest."""
    codes = [0] * len(lengths)
    code = 0
    for size in range(1, _LONGEST_CODE + 1):
        for symbol, length in enumerate(lengths):
            if length == size:
                codes[symbol] = int(f"{code:0{size}b}"[::-1], 2)
                code += 1
        code <<= 1
    return codes


def _block_header(lengths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The bits before the symbols: last block, own code, and the code's lengths at 4 bits each."""
    fields = [(1, 1), (2, 2), (len(lengths) - 257, 5), (0, 5), (len(_ORDER) - 4, 4)]
    fields += [(4 if symbol < 16 else 0, 3) for symbol in _ORDER]
    fields += [(int(f"{length:04b}"[::-1], 2), 4) for length in [*lengths, 1]]
    values, bits = zip(*fields, strict=True)
    return np.array(values, np.uint64), np.array(bits, np.uint64)


def _packed(values: np.ndarray, bits: np.ndarray) -> bytes:
    """Fields of up to 32 bits one after another, lowest bit first."""
    if len(values) % 2:
        values, bits = np.append(values, np.uint64(0)), np.append(bits, np.uint64(0))
    values = values[::2] | (values[1::2] << bits[::2])
    bits = bits[::2] + bits[1::2]
    end = np.cumsum(bits)
    start = end - bits
    word, shift = (start >> np.uint64(6)).astype(np.int64), start & np.uint64(63)
    total = int(end[-1])
    words = np.zeros(total // 64 + 2, np.uint64)
    first = np.flatnonzero(np.diff(word, prepend=-1))
    words[word[first]] = np.bitwise_or.reduceat(values << shift, first)
    over = shift + bits > 64
    words[word[over] + 1] |= values[over] >> (np.uint64(64) - shift[over])
    return words.astype("<u8").tobytes()[: (total + 7) // 8]
