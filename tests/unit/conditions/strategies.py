"""Hypothesis strategies for everything valid that the condition language can say."""

from __future__ import annotations

from hypothesis import strategies as st

from netweather.conditions import (
    FOREVER,
    Condition,
    Connection,
    Corrupt,
    Delay,
    Duplicate,
    LossBurst,
    LossEvery,
    LossGemodel,
    LossList,
    LossRandom,
    LossState,
    Match,
    NetworkCondition,
    PortRange,
    RateLimit,
    Reorder,
    Rule,
    Slot,
    TcpFlags,
)
from netweather.units import Duration, MeanLength, Packets, Percent, Rate, Size

MS = 1_000_000
percents = st.sampled_from(range(0, 10**9 + 1, 10**7)).map(Percent) | st.integers(0, 10**9).map(Percent)
durations = st.integers(0, 5000).map(lambda ms: Duration(ms * MS)) | st.integers(0, 2**63 - 1).map(Duration)
rates = st.integers(0, 10_000).map(lambda mbit: Rate(mbit * 10**6)) | st.integers(0, 2**63 - 1).map(Rate)
sizes = st.integers(0, 2**40).map(Size)
packets = st.integers(0, 2**32 - 1).map(Packets)
counts = st.integers(1, 2**32 - 1)
files = st.sampled_from(["/etc/netweather/measured.dist", "./two words.dist", "tables/a=b,c.dist", "# mine.dist\n-8192 0 8192\n"])

delays = st.builds(
    Delay,
    time=durations,
    jitter=durations,
    correlation=percents,
    distribution=st.sampled_from(["uniform", "normal", "pareto", "paretonormal"]) | files,
    keep_order=st.booleans(),
)


@st.composite
def gemodels(draw: st.DrawFn) -> LossGemodel:
    low, high = sorted([draw(percents), draw(percents)])
    return LossGemodel(p=draw(percents), r=draw(percents), loss_in_bad=high, loss_in_good=low)


@st.composite
def states(draw: st.DrawFn) -> LossState:
    def pair() -> tuple[Percent, Percent]:
        one = draw(percents)
        return one, Percent(draw(st.integers(0, 10**9 - one.ppb)))

    (p13, p14), (p31, p32) = pair(), pair()
    return LossState(p13=p13, p31=p31, p32=p32, p23=draw(percents), p14=p14)


@st.composite
def bursts(draw: st.DrawFn) -> LossBurst:
    length = draw(st.integers(1000, 10**9))
    return LossBurst(MeanLength(length), Percent(draw(st.integers(0, length * 10**9 // (length + 1000)))))


losses = st.one_of(
    st.builds(LossRandom, percents, percents),
    gemodels(),
    states(),
    bursts(),
    st.builds(LossEvery, counts),
    st.builds(LossList, st.sets(counts, min_size=1, max_size=6).map(lambda numbers: tuple(sorted(numbers)))),
)


@st.composite
def slots(draw: st.DrawFn) -> Slot:
    low, high = sorted([draw(durations), draw(durations)])
    return Slot(low, draw(st.none() | st.just(high)), draw(st.none() | packets), draw(st.none() | sizes))


@st.composite
def open_conditions(draw: st.DrawFn) -> Condition:
    """Conditions that let something through."""
    profile = draw(st.none() | st.sampled_from(["3g", "satellite"]))
    delay, loss = draw(st.none() | delays), draw(st.none() | losses)
    rate = draw(st.none() | st.builds(RateLimit, rates, st.integers(-100, 100)))
    trace = None if rate else draw(st.none() | st.sampled_from(["./train.trace", "/traces/a b.trace", "# train.trace\n1\n5\n"]))
    may_reorder = profile or delay
    reorders = st.builds(Reorder, percents, percents, counts)
    reorder = draw(st.none() | reorders) if may_reorder and not (delay and delay.keep_order) else None
    return Condition(
        profile=profile,
        delay=delay,
        loss=loss,
        duplicate=draw(st.none() | st.builds(Duplicate, percents, percents)),
        corrupt=draw(st.none() | st.builds(Corrupt, percents, percents)),
        reorder=reorder,
        rate=rate,
        limit=draw(st.none() | packets | sizes),
        queue=draw(st.none() | st.sampled_from(["droptail", "codel", "ecn"])) if profile or rate or trace else None,
        slot=draw(st.none() | slots()),
        ecn=draw(st.booleans()) if profile or loss else False,
        mtu=draw(st.none() | st.integers(1280, 65535)),
        trace=trace,
        seed=draw(st.none() | st.integers(0, 2**64 - 1)),
    )


conditions = st.one_of(
    st.just(Condition()), open_conditions(), st.sampled_from([Condition(block="drop"), Condition(block="reject")])
)
ports = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).map(lambda two: PortRange(*sorted(two)))
peers = st.sampled_from(
    ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32", "db.example.org", "docker:shop-db", "docker:label=tier=db", "pod:shop/db-0"]
)
connections = st.builds(
    Connection, st.just("192.0.2.1"), st.integers(0, 65535), st.ip_addresses(v=4).map(str), st.integers(0, 65535)
) | st.builds(Connection, st.ip_addresses(v=6).map(str), st.integers(0, 65535), st.just("2001:db8::2"), st.integers(0, 65535))
tcp_flags = st.integers(1, 255).flatmap(lambda mask: st.integers(0, 255).map(lambda value: TcpFlags(mask, value & mask)))


@st.composite
def matches(draw: st.DrawFn) -> Match:
    connection = draw(st.none() | connections)
    flags = draw(st.none() | tcp_flags)
    with_ports = draw(st.booleans())
    named = ["tcp"] if flags else ["tcp", "udp", "sctp", None, 136] if connection or with_ports else ["icmp", None, 47]
    return Match(
        to=() if connection else tuple(draw(st.lists(peers, max_size=3, unique=True))),
        ports=tuple(draw(st.lists(ports, max_size=3))) if with_ports and not connection else (),
        protocol=draw(st.sampled_from(named)),
        direction=draw(st.sampled_from(["egress", "ingress", "both"])),
        family=connection.family if connection else None,
        connection=connection,
        share=None if connection else draw(st.none() | percents.filter(lambda share: share.ppb > 0)),
        tcp_flags=flags,
        interfaces=tuple(draw(st.lists(st.sampled_from(["eth0", "net1", "br-shop"]), max_size=2, unique=True))),
        vlan=draw(st.none() | st.integers(0, 4094)),
    )


rules = st.builds(Rule, matches(), conditions, st.integers(-(2**31), 2**31 - 1))
names = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True)
words = st.text(st.characters(exclude_categories=("C", "Z")), max_size=20)
network_conditions = st.builds(
    NetworkCondition,
    name=names,
    targets=st.lists(st.sampled_from(["docker:shop-api", "pid:1", "netns:blue", "host"]), max_size=2, unique=True).map(tuple),
    lease=st.just(FOREVER) | st.integers(1, 2**62).map(Duration),
    rules=st.lists(rules, max_size=4, unique_by=lambda rule: rule.match).map(tuple),
    exclude=st.lists(matches(), max_size=2).map(tuple),
    owner=words,
    reason=words,
    engine=st.sampled_from(["auto", "netem", "pump"]),
)
