"""API keys: who may ask a server for what.

A key is 256 random bits, shown once. What is kept is its SHA-256, which for so many random bits is as good as a slow hash:
in `keys.json` of the home, or in the setting DRAWOPS_KEYS (a Secret, on a cluster) as `name:role:sha256`.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from drawops.errors import Conflict, InputRefused, NotFound, SettingsError, did_you_mean
from drawops.files import write_whole
from drawops.settings import Settings

Role = Literal["reader", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may
_NAME = re.compile(r"[\w.@-]{1,64}")
_PREFIX = "drawops_"  # so that scanners for leaked secrets can know one


@dataclass(frozen=True)
class Key:
    name: str
    role: Role
    sha256: str
    created: str = ""
    """UTC, ISO 8601; unknown for keys of the setting."""

    def may(self, role: Role) -> bool:
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def line(self) -> str:
        """As it stands in DRAWOPS_KEYS."""
        return f"{self.name}:{self.role}:{self.sha256}"


def new_key(name: str, role: str) -> tuple[str, Key]:
    """A secret, and the key that is kept of it.

    Raises:
        InputRefused: a name that can't stand in a line of keys, or an unknown role.
    """
    if not _NAME.fullmatch(name):
        raise InputRefused(f"key name '{name}'", "must be up to 64 letters, digits, '.', '@', '-' or '_'")
    secret = _PREFIX + secrets.token_urlsafe(32)
    return secret, Key(name, _role(role), digest(secret), datetime.now(UTC).isoformat(timespec="seconds"))


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyRing:
    """The keys of a home and of its settings. What is added or revoked counts at the next request of every server of
    the home."""

    def __init__(self, settings: Settings) -> None:
        self._file = settings.home / "keys.json"
        self._fixed = _parsed(settings.keys)
        self._seen: tuple[int, int] | None = None
        self._stored: list[Key] = []

    def all(self) -> Sequence[Key]:
        try:
            state = self._file.stat()
        except FileNotFoundError:
            self._seen, self._stored = None, []
            return self._fixed
        if (seen := (state.st_mtime_ns, state.st_ino)) != self._seen:
            self._stored = [Key(**entry) for entry in json.loads(self._file.read_text(encoding="utf-8"))]
            self._seen = seen
        return [*self._fixed, *self._stored]

    @property
    def begun(self) -> bool:
        """Has there been a key? Who revokes the last one does not mean to let everybody in."""
        return bool(self._fixed) or self._file.exists()

    def find(self, secret: str) -> Key | None:
        """The key of a secret. Takes the same time whichever it is, and if there is none."""
        asked, found = digest(secret), None
        for key in self.all():
            if hmac.compare_digest(asked, key.sha256):
                found = key
        return found

    def add(self, name: str, role: str) -> str:
        """Make a key and return its secret, which is kept nowhere.

        Raises:
            Conflict: there is a key of this name. InputRefused: see `new_key`.
        """
        secret, key = new_key(name, role)
        with self._changing() as keys:
            if any(k.name == name for k in (*self._fixed, *keys)):
                raise Conflict(f"There is a key '{name}' already. Choose another name, or revoke it first.")
            keys.append(key)
        return secret

    def revoke(self, name: str) -> Key:
        """
        Raises:
            NotFound: no such key in the home; one of DRAWOPS_KEYS is taken out there.
        """
        if any(k.name == name for k in self._fixed):
            raise NotFound(f"'{name}' is a key of the setting DRAWOPS_KEYS. Take it out there.", what=name)
        with self._changing() as keys:
            for key in keys:
                if key.name == name:
                    keys.remove(key)
                    return key
            raise NotFound(f"No key '{name}'. {did_you_mean(name, (k.name for k in keys))}", what=name)

    def _changing(self) -> "_Change":
        return _Change(self)


class _Change:
    """The stored keys, to be changed while nobody else does; written when the block ends well."""

    def __init__(self, ring: KeyRing) -> None:
        from filelock import FileLock

        self._ring = ring
        self._lock = FileLock(ring._file.with_suffix(".lock"), timeout=30)

    def __enter__(self) -> list[Key]:
        self._lock.acquire()
        self._ring.all()
        self._keys = list(self._ring._stored)
        return self._keys

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            text = json.dumps([asdict(key) for key in self._keys], ensure_ascii=False, indent=1)
            write_whole(self._ring._file, text)  # readable by its owner only, as mkstemp makes it
        self._lock.release()


def _parsed(setting: str) -> list[Key]:
    keys = []
    for line in re.split(r"[,\s]+", setting.strip()):
        if not line:
            continue
        name, _, rest = line.partition(":")
        role, _, sha256 = rest.partition(":")
        if not (_NAME.fullmatch(name) and role in ROLES and re.fullmatch(r"[0-9a-f]{64}", sha256)):
            raise SettingsError(
                f"Setting DRAWOPS_KEYS: '{name}:…' is not name:role:sha256. `drawops key add NAME --elsewhere` prints one."
            )
        keys.append(Key(name, _role(role), sha256))
    return keys


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text:
            return role
    raise InputRefused(f"role '{text}'", f"there is none. {did_you_mean(text, ROLES)}")
