import threading
from typing import Any, Iterable, List, Mapping, Optional, Tuple, Type, TypeVar, Union

class Answer:
    status: int
    streaming: bool
    _head: bytes
    _body: Optional[bytes]
    _handle: Any
    _headers: Optional[List[Tuple[str, str]]]
    _turn: "Optional[threading.RLock]"
    _closed: bool

def interpreter() -> int: ...

A = TypeVar("A", bound=Answer)

def ask(type: Type[A], engine: int, room: int, user: int, as_: int, method: str, target: str, peer: str, workspace: str,
        subject: str, headers: Union[Mapping[str, str], Iterable[Tuple[str, str]]], body: Optional[bytes], /) -> Optional[A]: ...
