"""MLLP framing: bytes in pieces of any size -> whole frames. <VT> message <FS> <CR>; pure, and linear in the bytes fed.

FS alone ends a frame, for some senders leave the CR out and would wait for ever. A VT within a frame stays in it: `er7.reader.split` takes it
for the start of another message. What stands between frames is skipped and counted.
"""

from __future__ import annotations

START, END = b"\x0b", b"\x1c"
_BLANKS = b" \t\r\n"
_HEAD_BYTES = 4096


class Framer:
    """Takes a connection's bytes as they come. Frames are handed out without their framing bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frame: bytearray | None = None
        self.between = 0
        """Bytes met between frames, white space aside, since the last frame."""
        self.oversized: bytes | None = None
        """The first bytes of a frame that went beyond the limit (enough for its MSH). Once set, nothing more is taken."""

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._frame is not None

    @property
    def size(self) -> int:
        """Bytes of the frame that has not ended."""
        return len(self._frame or b"")

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that these bytes complete, in order."""
        frames: list[bytes] = []
        position = 0
        while position < len(data) and self.oversized is None:
            if self._frame is None:
                start = data.find(START, position)
                self.between += len(data[position : start if start >= 0 else None].translate(None, _BLANKS))
                if start < 0:
                    break
                self._frame = bytearray()
                position = start + 1
            end = data.find(END, position)
            stop = end if end >= 0 else len(data)
            if len(self._frame) + stop - position > self._limit:
                self._frame += data[position : position + _HEAD_BYTES]
                self.oversized = bytes(self._frame[:_HEAD_BYTES])
                self._frame = None
                break
            self._frame += data[position:stop]
            if end < 0:
                break
            frames.append(bytes(self._frame))
            self._frame = None
            self.between = 0
            position = end + 1
        return frames


def framed(message: bytes) -> bytes:
    """One message in its frame."""
    return b"\x0b" + message + b"\x1c\r"
