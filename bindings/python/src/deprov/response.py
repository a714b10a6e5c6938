"""What was answered."""

from __future__ import annotations

import json
import threading
from typing import Any, Iterator, List, Optional, Tuple

from . import _process, errors
from ._ask import Answer
from ._hub import SLICE_MS
from ._native import ffi, lib

_END = int(lib.DEPROV_END)
_TIMEOUT = int(lib.DEPROV_ERR_TIMEOUT)
_NO_TURN = threading.RLock()


class Response(Answer):
    """What was answered. A refusal is an answer, too: see ``status``. Threads take turns at it.

    ``streaming``: whether the body comes in pieces of unknown number; iterate over the response."""

    __slots__ = ()

    # Not called where `ask` makes one, of a whole answer.
    def __init__(self, status: int, head: bytes, body: Optional[bytes], handle: Any = None,
                 streaming: bool = False) -> None:
        self.status = status
        self._head = head
        self._body = body
        self._handle = handle
        self.streaming = streaming
        # The library has one thread at a time for a response.
        self._turn = None if handle is None else threading.RLock()

    def _my_turn(self) -> threading.RLock:
        return self._turn or _NO_TURN

    def __repr__(self) -> str:
        return f"<deprov.Response {self.status}>"

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def headers(self) -> List[Tuple[str, str]]:
        if self._headers is None and self._handle is None:
            texts = self._head.decode("utf-8", "replace").split("\0")
            self._headers = list(zip(texts[:-1:2], texts[1::2]))
        with self._my_turn():
            if self._headers is None:
                handle = self._handle
                found = (lib.deprov_response_get_header(handle, i)
                         for i in range(lib.deprov_response_get_header_count(handle)))
                self._headers = [(errors.text(h.name), errors.text(h.value)) for h in found]
            return self._headers

    def header(self, name: str, default: str = "") -> str:
        """The first header of that name, in any case."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), default)

    @property
    def body(self) -> bytes:
        """The whole body. One that comes in pieces is waited for and put together, and kept."""
        if self._body is None:
            if self.streaming:
                self._body = b"".join(self)
            else:
                with self._my_turn():
                    if self._body is None:
                        self._body = errors.bytes_of(lib.deprov_response_get_body(self._handle))
        return self._body

    def json(self) -> Any:
        return json.loads(self.body)

    def read(self, timeout: Optional[float] = None) -> Optional[bytes]:
        """The next piece of a body that comes in pieces; None at its end. :class:`TimeoutError` where none came in
        `timeout` seconds: none is lost then."""
        left = None if timeout is None else max(0, round(timeout * 1000))
        piece = ffi.new("deprov_str *")
        error = ffi.new("deprov_error **")
        while True:
            wait = SLICE_MS if left is None else min(left, SLICE_MS)
            with self._my_turn():
                status = lib.deprov_response_read(self._open(), wait, piece, error)
                if status == 0:
                    found = errors.bytes_of(piece[0])
            _process.raise_interrupt()
            if status == 0:
                return found
            if status == _END:
                lib.deprov_error_free(error[0])
                return None
            if left is not None:
                left -= wait
            if status != _TIMEOUT or left == 0:
                errors.raise_for(status, error[0])
            lib.deprov_error_free(error[0])

    def __iter__(self) -> Iterator[bytes]:
        """The pieces; the whole body as one where it does not come in pieces."""
        if not self.streaming:
            if self.body:
                yield self.body
            return
        while True:
            piece = self.read()
            if piece is None:
                return
            yield piece

    def _open(self) -> Any:
        if self._closed:
            raise errors.make(int(lib.DEPROV_ERR_CLOSED), detail="the response is closed", where="response")
        _process.check_fork()
        if self._handle is None:
            raise errors.make(int(lib.DEPROV_ERR_INVALID_ARGUMENT), detail="the body does not come in pieces",
                              where="response", advice="use Response.body")
        return self._handle

    def close(self) -> None:
        """Ends the work behind a body that is not read to its end. Of a whole body nothing is lost."""
        if not self.streaming:
            _ = self.body
        _ = self.headers
        self._closed = True  # whoever reads comes to its end
        with self._my_turn():
            handle, self._handle = self._handle, None
            if handle is not None:
                ffi.release(handle)
