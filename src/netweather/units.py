"""Frozen, ordered values with a unit: Duration, Percent, Rate, Size, Packets, MeanLength.

All hold whole numbers, so nothing is rounded on the way from a flag to the kernel; `str()` of a value parses back to it.

Grammar of every `parse`: a decimal number and a unit, without a space between them, capitals allowed.
    Duration     250us 100ms 1.5s 10m 1h 0       (ns us ms s m h d; whole nanoseconds)
    Percent      3% 0.01% 0%                     (the sign is required; 0 to 100 %, steps of 0.0000001 %)
    Rate         500bit 64kbit 1.5mbit 1gbit 0   (bits a second, powers of 1000)
    Size         1500b 64kb 64kib 1mb            (bytes; kb is 1000, kib is 1024)
    Packets      1000                            (a whole number of packets)
    MeanLength   5 2.5                           (packets, at least 1, steps of 0.001)
One that fails: Rate.parse("10mbps") is a UsageError, because mbps is bytes to tc and bits to people.

Errors are UsageError with the codes bad-duration, bad-percent, bad-rate, bad-size, bad-packets and bad-mean-length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from netweather.errors import UsageError

_LARGEST: Final = 2**63 - 1
_NUMBER: Final = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,20}))?([^0-9.\s-].{0,15})?")

_DURATION_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
}
_RATE_UNITS: Final = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9, "tbit": 10**12}
_SI_SIZES: Final = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
_IEC_SIZES: Final = {"kib": 2**10, "mib": 2**20, "gib": 2**30}
_PERCENT_UNITS: Final = {"%": 10**7}
_NOUNS: Final = {
    "bad-duration": "a duration",
    "bad-percent": "a percentage",
    "bad-rate": "a rate",
    "bad-size": "a size",
    "bad-packets": "a number of packets",
    "bad-mean-length": "a mean number of packets",
}


def _refuse(code: str, text: object, why: str, remedy: str) -> UsageError:
    return UsageError(code, f"{_shown(text)} is not {_NOUNS[code]}", why, remedy)


def _shown(text: object) -> str:
    shown = repr(text) if isinstance(text, str) else str(text)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _split(text: object) -> tuple[str, str, str] | None:
    """The digits before the point, those behind it, and the unit in small letters; None when it is no such thing."""
    found = _NUMBER.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    return found[1], found[2] or "", (found[3] or "").lower().replace("µ", "u").replace("μ", "u")


def _whole(whole: str, decimals: str, unit: int) -> int | None:
    """The number times the unit, when that is a whole number; None otherwise."""
    product, rest = divmod(int(whole + decimals) * unit, 10 ** len(decimals))
    return None if rest else product


def _decimal(value: int, unit: int) -> str:
    """value / unit, exactly, for a unit that is a power of ten."""
    whole, rest = divmod(value, unit)
    if not rest:
        return str(whole)
    return f"{whole}.{str(rest).zfill(len(str(unit)) - 1).rstrip('0')}"


def _largest_unit(value: int, units: dict[str, int]) -> str:
    return max((unit for unit, size in units.items() if size <= value), key=units.__getitem__, default=next(iter(units)))


def _check(code: str, value: object, largest: int = _LARGEST, smallest: int = 0) -> None:
    if type(value) is not int:
        raise _refuse(code, value, f"it is a {type(value).__name__}, and only whole numbers are exact", "parse() a text")
    if not smallest <= value <= largest:
        raise _refuse(code, value, f"it is not between {smallest} and {largest}", "choose a value in that range")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time of `ns` nanoseconds, 0 to 2^63-1 (292 years)."""

    ns: int

    def __post_init__(self) -> None:
        _check("bad-duration", self.ns)

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read '100ms'; '0' needs no unit. Raises UsageError bad-duration."""
        parts = _split(text)
        if parts is None:
            why = "a time can't be negative" if str(text).strip().startswith("-") else "it needs a number and a unit"
            raise _refuse("bad-duration", text, why, "write it as 250us, 100ms, 1.5s, 10m or 1h")
        whole, decimals, unit = parts
        if not unit and int(whole + decimals) == 0:
            return cls(0)
        if not unit:
            why = "without a unit it could be seconds, milliseconds or, for tc, microseconds"
            raise _refuse("bad-duration", text, why, f"write {text.strip()}ms or {text.strip()}s")
        if unit not in _DURATION_UNITS:
            raise _refuse("bad-duration", text, f"the unit {unit!r} is not known", "use ns, us, ms, s, m, h or d")
        ns = _whole(whole, decimals, _DURATION_UNITS[unit])
        if ns is None or ns > _LARGEST:
            why = "it is finer than a nanosecond" if ns is None else "it is longer than 292 years"
            raise _refuse("bad-duration", text, why, "choose a value in between")
        return cls(ns)

    def __str__(self) -> str:
        for unit in ("h", "m"):
            if self.ns and self.ns % _DURATION_UNITS[unit] == 0:
                return f"{self.ns // _DURATION_UNITS[unit]}{unit}"
        if not self.ns:
            return "0s"
        decimal_units = {unit: _DURATION_UNITS[unit] for unit in ("ns", "us", "ms", "s")}
        unit = _largest_unit(self.ns, decimal_units)
        return f"{_decimal(self.ns, decimal_units[unit])}{unit}"

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.ns + other.ns)

    def __mul__(self, times: int) -> Duration:
        return Duration(self.ns * times)

    def __floordiv__(self, parts: int) -> Duration:
        return Duration(self.ns // parts)

    @property
    def seconds(self) -> float:
        """For timers and display; the exact value is `ns`."""
        return self.ns / 1e9


@dataclass(frozen=True, slots=True, order=True)
class Percent:
    """A share of `ppb` parts per billion: 0 is 0 %, 10^9 is 100 %."""

    ppb: int

    def __post_init__(self) -> None:
        _check("bad-percent", self.ppb, 10**9)

    @classmethod
    def parse(cls, text: str) -> Percent:
        """Read '3%', with its sign. Raises UsageError bad-percent."""
        parts = _split(text)
        if parts is None:
            raise _refuse("bad-percent", text, "a number from 0 to 100 and the sign % are needed", "write it as 3% or 0.01%")
        whole, decimals, unit = parts
        if not unit:
            why = "without its sign it could be a share (0.03) as well as a percentage"
            raise _refuse("bad-percent", text, why, f"write {text.strip()}%")
        if unit not in _PERCENT_UNITS:
            raise _refuse("bad-percent", text, f"{unit!r} is not the sign %", f"write {text.strip()[: -len(unit)]}%")
        ppb = _whole(whole, decimals, _PERCENT_UNITS[unit])
        if ppb is None or ppb > 10**9:
            why = "the smallest step is 0.0000001 %" if ppb is None else "a share is at most 100 %"
            raise _refuse("bad-percent", text, why, "choose a value from 0% to 100%")
        return cls(ppb)

    def __str__(self) -> str:
        return f"{_decimal(self.ppb, 10**7)}%"

    def of(self, whole: int) -> int:
        """This share of `whole`, rounded to the nearest (netem's own scale: `of(2**32 - 1)`)."""
        return (self.ppb * whole * 2 + 10**9) // (2 * 10**9)

    @property
    def rest(self) -> Percent:
        """100 % minus this."""
        return Percent(10**9 - self.ppb)

    @property
    def fraction(self) -> float:
        """For statistics and display; the exact value is `ppb`."""
        return self.ppb / 1e9


@dataclass(frozen=True, slots=True, order=True)
class Rate:
    """A speed of `bits_per_second` bits a second; 0 means, as to netem, no limit."""

    bits_per_second: int

    def __post_init__(self) -> None:
        _check("bad-rate", self.bits_per_second)

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read '10mbit'; '0' needs no unit. Raises UsageError bad-rate."""
        parts = _split(text)
        if parts is None:
            raise _refuse("bad-rate", text, "it needs a number and a unit", "write it as 64kbit, 10mbit or 1gbit")
        whole, decimals, unit = parts
        if not unit and int(whole + decimals) == 0:
            return cls(0)
        if unit not in _RATE_UNITS:
            raise _bad_rate_unit(text.strip(), unit)
        bits = _whole(whole, decimals, _RATE_UNITS[unit])
        if bits is None or bits > _LARGEST:
            why = "it is not a whole number of bits" if bits is None else "no network is that fast"
            raise _refuse("bad-rate", text, why, "write it as 64kbit, 10mbit or 1gbit")
        return cls(bits)

    def __str__(self) -> str:
        unit = _largest_unit(self.bits_per_second, _RATE_UNITS)
        return f"{_decimal(self.bits_per_second, _RATE_UNITS[unit])}{unit}"

    @property
    def bytes_per_second(self) -> int:
        """Whole bytes a second, rounded down."""
        return self.bits_per_second // 8


def _bad_rate_unit(text: str, unit: str) -> UsageError:
    if not unit:
        return _refuse("bad-rate", text, "the unit is missing", f"write {text}kbit or {text}mbit")
    number, prefix = text[: len(text) - len(unit)], unit[:1] if unit[:1] in "kmgt" else ""
    remedy = f"write {number}{prefix}bit for bits"
    if unit.removeprefix(prefix).removeprefix("i") in ("bps", "b/s", "byte", "bytes", "b"):
        why = f"{unit} means bytes a second to tc, and bits a second to most people"
        return _refuse("bad-rate", text, why, f"{remedy}, or 8 times the number for bytes")
    return _refuse("bad-rate", text, f"the unit {unit!r} is not known", f"{remedy} a second")


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """An amount of data of `bytes` bytes."""

    bytes: int

    def __post_init__(self) -> None:
        _check("bad-size", self.bytes)

    @classmethod
    def parse(cls, text: str) -> Size:
        """Read '64kb' (64,000 bytes) or '64kib' (65,536). Raises UsageError bad-size."""
        parts = _split(text)
        if parts is None:
            raise _refuse("bad-size", text, "it needs a number and a unit", "write it as 1500b, 64kb or 64kib")
        whole, decimals, unit = parts
        size = (_SI_SIZES | _IEC_SIZES).get(unit)
        if size is None:
            why = f"the unit {unit!r} is not known" if unit else "the unit is missing"
            raise _refuse("bad-size", text, why, "use b, kb, mb or gb (powers of 1000), or kib, mib or gib (of 1024)")
        value = _whole(whole, decimals, size)
        if value is None or value > _LARGEST:
            raise _refuse("bad-size", text, "it is not a whole number of bytes below 2^63", "write it as 1500b or 64kb")
        return cls(value)

    def __str__(self) -> str:
        if self.bytes % 1000:
            for unit, size in reversed(_IEC_SIZES.items()):
                if self.bytes % size == 0:
                    return f"{self.bytes // size}{unit}"
        unit = _largest_unit(self.bytes, _SI_SIZES)
        return f"{_decimal(self.bytes, _SI_SIZES[unit])}{unit}"


@dataclass(frozen=True, slots=True, order=True)
class Packets:
    """A number of packets, such as the length of a queue; 0 to 2^32-1."""

    count: int

    def __post_init__(self) -> None:
        _check("bad-packets", self.count, 2**32 - 1)

    @classmethod
    def parse(cls, text: str) -> Packets:
        """Read '1000'. Raises UsageError bad-packets."""
        parts = _split(text)
        if parts is None or parts[1] or parts[2]:
            raise _refuse("bad-packets", text, "a whole number is needed", "write it as 1000")
        return cls(int(parts[0]))

    def __str__(self) -> str:
        return str(self.count)


@dataclass(frozen=True, slots=True, order=True)
class MeanLength:
    """A mean number of packets, in `thousandths` of one; at least 1 packet."""

    thousandths: int

    def __post_init__(self) -> None:
        _check("bad-mean-length", self.thousandths, 10**9, 1000)

    @classmethod
    def parse(cls, text: str) -> MeanLength:
        """Read '5' or '2.5'. Raises UsageError bad-mean-length."""
        parts = _split(text)
        value = None if parts is None or parts[2] else _whole(parts[0], parts[1], 1000)
        if value is None or not 1000 <= value <= 10**9:
            why = "a number of packets from 1 to 1,000,000 is needed, in steps of 0.001"
            raise _refuse("bad-mean-length", text, why, "write it as 5 or 2.5")
        return cls(value)

    def __str__(self) -> str:
        return _decimal(self.thousandths, 1000)


Limit = Packets | Size | Duration


def parse_limit(text: str) -> Limit:
    """A queue's length: '1000' is packets, as to tc, '64kb' is bytes, and '500ms' is time at the rate.

    Raises UsageError bad-packets, bad-size or bad-duration.
    """
    parts = _split(text)
    if parts is not None and parts[2] in _DURATION_UNITS:
        return Duration.parse(text)
    return Size.parse(text) if parts is not None and parts[2] else Packets.parse(text)


__all__ = ["Duration", "Limit", "MeanLength", "Packets", "Percent", "Rate", "Size", "parse_limit"]
