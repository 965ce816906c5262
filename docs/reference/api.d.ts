// Made by `python -m tools.gen_types` from the agent's OpenAPI; change src/netweather/wire instead.

/** System calls of one kind. */
export type CallCounts = {
  calls: number;
  bytes: number;
  /** by the name of the error */
  errors: Record<string, number>;
  latency?: Latency;
};

/** What `clear` did on one target. */
export type ClearedTarget = {
  target: string;
  /** names of the conditions that ended */
  cleared: string[];
  /** held packets that still arrive, for at most 10 s */
  drainingPackets?: number;
  /** held packets that were dropped */
  droppedPackets?: number;
  /** why it failed; then nothing changed */
  problem?: Problem;
};

/** What `clear` did, by target. */
export type ClearedTargets = {
  items: ClearedTarget[];
};

/** How the network is degraded. All given fields apply together. */
export type Condition = {
  /** a named condition; the other fields override parts of it */
  profile?: string;
  /** packets are delayed */
  delay?: Delay;
  /** packets are lost */
  loss?: Loss;
  /** packets are duplicated */
  duplicate?: Duplicate;
  /** packets arrive with one flipped bit */
  corrupt?: Corrupt;
  /** packets overtake others */
  reorder?: Reorder;
  /** the rate is limited */
  rate?: RateLimit;
  /** length of the queue in packets, in bytes, or as the time to send it at the rate; default: computed from rate and delay */
  limit?: number | string;
  /** queue management: drop the newest packet if full (droptail), CoDel (codel), or CoDel with ECN marks (ecn) */
  queue?: "droptail" | "codel" | "ecn";
  /** packets arrive in batches */
  slot?: Slot;
  /** mark ECN-capable packets instead of dropping them */
  ecn?: boolean;
  /** block all packets: silently (drop), or with an error to the sender (reject) */
  block?: "drop" | "reject";
  /** drop larger packets silently: a path MTU black hole (bytes) */
  mtu?: number;
  /** trace of rate, delay and loss over time: the path of a file, or its text (docs/traces.md) */
  trace?: string;
  /** seed of the random choices; the same seed drops the same packets */
  seed?: number;
};

/** A condition on one target. */
export type ConditionStatus = {
  conditions: StatusCondition[];
  /** the kernel has all of it */
  inForce: boolean;
  target: Target;
  engine: string;
  /** which engine makes which emulated link, and why */
  engines: string[];
  /** where the classifier is attached */
  hook: "tcx" | "clsact";
  /** null: it does not end */
  expiresAt: string | null;
  remainingSeconds: number | null;
  /** that it covers */
  interfaces: string[];
  /** the addresses of each peer that a rule names */
  peers: Record<string, string[]>;
  /** why it is not in force, or what else is wrong */
  problems: string[];
  /** what is not wrong, and yet to be known */
  notes: string[];
  /** packets that devices of Netweather dropped, against the condition */
  unwantedDrops: number;
  /** packets that a full queue dropped, since a rate or a limit is set */
  queueDrops: number;
  /** in the order of spec.rules */
  rules: RuleStatus[];
};

/** One socket of a target. */
export type Connection = {
  /** as --connection takes it */
  connection: string;
  protocol: "tcp" | "udp";
  state: "established" | "syn-sent" | "syn-received" | "fin-wait-1" | "fin-wait-2" | "time-wait" | "closed" | "close-wait" | "last-ack" | "listening" | "closing" | "new-syn-received" | "unconnected";
  local: {
    address: string;
    port: number;
  };
  remote: {
    address: string;
    port: number;
  };
  process: SocketProcess | null;
  uid: number;
  inode: number;
  queues: {
    receive: number;
    send: number;
  };
  rules: {
    egress: RuleId | null;
    ingress: RuleId | null;
  };
  tcp: TcpFigures | null;
  /** null: it is younger than the condition */
  before: ConnectionBefore | null;
};

/** A connection, when the condition that it matches was set. */
export type ConnectionBefore = {
  rttSeconds: number | null;
  retransmits: number;
  bytes: number;
  deliveryRateBitsPerSecond: number | null;
  secondsAgo: number;
};

/** Connections, by target. */
export type ConnectionItems = {
  items: TargetConnections[];
};

/** Packets that arrive with one flipped bit. */
export type Corrupt = {
  /** share of packets with one flipped bit (percent) */
  percent: string;
  /** correlation with the packet before (percent) */
  correlation?: string;
};

/** Every packet is delayed by `time`, and the delay varies by `jitter`. */
export type Delay = {
  /** added delay of each packet (time) */
  time: string;
  /** random variation of the delay: ±TIME if uniform, one standard deviation otherwise (time) */
  jitter?: string;
  /** correlation of a packet's delay with the packet before (percent) */
  correlation?: string;
  /** distribution of the jitter: uniform, normal, pareto, paretonormal, or your own table: a path that contains a /, or the text of the table */
  distribution?: string;
  /** keep the order of packets in spite of jitter */
  keepOrder?: boolean;
};

/** Packets that arrive twice. */
export type Duplicate = {
  /** share of packets that are duplicated (percent) */
  percent: string;
  /** correlation with the packet before (percent) */
  correlation?: string;
};

/** The data of a server-sent event; its kind is the event's name. */
export type Event = {
  time: string;
  name: string;
  target: string;
  owner: string;
  by: string;
} | {
  time: string;
  name: string;
  target: string;
  by: string;
  counters: Record<string, number | null> | null;
} | {
  time: string;
  name: string;
  target: string;
  counters: Record<string, number | null> | null;
} | {
  time: string;
  name: string;
  target: string;
} | {
  time: string;
  name: string;
  target: string;
  why: string;
  owner?: string;
} | {
  time: string;
  target: string;
  packets: number;
} | {
  time: string;
  target: string;
  peers: Record<string, string[]>;
} | {
  time: string;
  target: string;
  connections: string[];
  by: string;
} | {
  time: string;
  scenario: string;
  owner: string;
  rounds: number;
  seconds: number;
} | {
  time: string;
  scenario: string;
  owner: string;
  atSeconds: number;
  round: number;
  set: string[];
  cleared: string[];
} | {
  time: string;
  scenario: string;
  owner: string;
} | {
  time: string;
  scenario: string;
  owner: string;
  atSeconds?: number;
  round?: number;
  why?: string;
} | {
  time: string;
  scenario: string;
  owner: string;
  why?: string;
};

/** Whether a condition does on one target what was requested. */
export type Evidence = {
  target: string;
  name: string;
  /** the condition, and `expected`: what it does in each direction of each rule */
  requested: Record<string, unknown>;
  /** what was read back from the kernel, with `problems` and a `verdict` */
  kernel: Record<string, unknown>;
  measured: MeasuredRule[];
  confidence: number;
  verdict: "PASS" | "FAIL" | "CAN'T TELL";
};

/** The evidence for each condition. */
export type EvidenceItems = {
  items: Evidence[];
};

/** One property of the condition, measured in one direction. */
export type Figure = {
  field: string;
  direction: string;
  /** s, share, bit/s, packets or distance */
  unit: string;
  asked: number | null;
  seen: number | null;
  /** of what was measured; null: an end at infinity */
  interval: (number | null)[] | null;
  samples: number;
  verdict: "PASS" | "FAIL" | "CAN'T TELL";
  /** the reason of a verdict other than PASS */
  why: string;
  /** the same without the condition */
  without: number | null;
  /** uncertainty of the difference */
  error: number | null;
};

/** The step's condition is on and off in turns, over the step's duration. */
export type Flap = {
  /** how long it is on (time) */
  on: string;
  /** how long it is off (time) */
  off: string;
};

/** The agent runs. */
export type Health = {
  status: "ok";
  version: string;
  /** that have conditions */
  targets: number;
  uptimeSeconds: number;
};

/** Something that this kernel or host has, or has not. */
export type KernelFeature = {
  name: string;
  answer: string;
  need: "needed" | "better" | "extra";
  purpose: string;
  minimumKernel: string;
  option: string;
  module: string;
  detail: string;
  /** what Netweather does without it */
  instead: string;
  remedy: string;
};

/** What this kernel and host can do. */
export type KernelReport = {
  /** Netweather works on this machine */
  works: boolean;
  kernel: string;
  machine: string;
  system: string;
  engine: {
    auto: string;
    why: string;
  };
  features: KernelFeature[];
};

/** How long something took, in seconds. */
export type Latency = {
  mean: number;
  p50: number;
  p90: number;
  p99: number;
  /** upper bound of the longest */
  atMost: number;
  /** lower bound, upper bound, number */
  bucketsNs: number[][];
};

/** How packets are lost. */
export type Loss = {
  /** which loss model */
  model?: "random" | "gemodel" | "state" | "burst" | "every" | "list";
  /** random: share of packets lost (percent) */
  percent?: string;
  /** random: correlation with the packet before (percent) */
  correlation?: string;
  /** gemodel: probability per packet to change from good to bad (percent) */
  p?: string;
  /** gemodel: probability per packet to change from bad to good (percent) */
  r?: string;
  /** gemodel: share of packets lost in the bad state (tc: 1-h) (percent) */
  lossInBad?: string;
  /** gemodel: share of packets lost in the good state (tc: 1-k) (percent) */
  lossInGood?: string;
  /** state: probability to change from good to lost within a burst (percent) */
  p13?: string;
  /** state: probability to change from lost within a burst to good (percent) */
  p31?: string;
  /** state: probability to change from lost to received within a burst (percent) */
  p32?: string;
  /** state: probability to change from received to lost within a burst (percent) */
  p23?: string;
  /** state: probability that a packet in the good state is lost alone (percent) */
  p14?: string;
  /** burst: mean number of packets lost in a row */
  meanLength?: string;
  /** burst: share of all packets lost (percent) */
  share?: string;
  /** every: every Nth packet is lost (packets) */
  n?: number;
  /** list: numbers of the packets lost (packet numbers) */
  indices?: number[];
};

/** Which traffic of the target. A protocol number that has a name is stored as the name (6 becomes tcp). */
export type Match = {
  /** the peer: any of these addresses, prefixes, host names or targets */
  to?: string[];
  /** source or destination port: any of these ports or ranges */
  ports?: (number | string)[];
  /** tcp, udp, icmp (of either family), sctp or a protocol number */
  protocol?: number | string;
  /** direction as seen from the target; with both, each direction gets the whole condition */
  direction?: "egress" | "ingress" | "both";
  /** only this address family */
  family?: "ipv4" | "ipv6";
  /** only the connection with these two ends */
  connection?: string;
  /** only this share of all connections, chosen by a hash of the connection (percent) */
  share?: string;
  /** only TCP packets with these flags set; ! means not set */
  tcpFlags?: string;
  /** only these interfaces; default: all except loopback and tunnels */
  interfaces?: string[];
  /** only packets of this VLAN */
  vlan?: number;
};

/** One rule, measured. */
export type MeasuredRule = {
  rule: number;
  /** the packets that were sent, in words */
  probe: string;
  counterMoved: number;
  verdict: "PASS" | "FAIL" | "CAN'T TELL";
  fields: Figure[];
  null: NullMeasurement[];
};

export type Metadata = {
  /** its name, one of each on a target */
  name: string;
};

/** A named set of rules on targets, with a lease and an owner. */
export type NetworkCondition = {
  apiVersion: "netweather.dev/v1alpha1";
  kind: "NetworkCondition";
  metadata: Metadata;
  spec: NetworkConditionSpec;
  /** what Netweather found and did; not read when given */
  status?: Record<string, unknown>;
};

export type NetworkConditionList = {
  apiVersion: "v1";
  kind: "List";
  items: NetworkCondition[];
};

export type NetworkConditionSpec = {
  /** targets, such as docker:shop-api */
  targets?: string[];
  /** how long the condition lasts, or forever (time) */
  lease?: string;
  /** the first that matches a packet wins */
  rules?: Rule[];
  /** traffic that no rule affects */
  exclude?: Match[];
  /** owner of the condition; other owners may not change it */
  owner?: string;
  /** purpose of the condition, free text */
  reason?: string;
  /** what delays and drops packets: the kernel's netem, Netweather's own pump, or auto, which chooses */
  engine?: "auto" | "netem" | "pump";
};

/** The same path without the condition. */
export type NullMeasurement = {
  direction: string;
  /** median delay in seconds */
  seen: number | null;
  interval: (number | null)[] | null;
  samples: number;
  lost: number;
  /** the reason why it could not be measured */
  why: string;
};

/** A scenario, and how far it has been played. */
export type PlayedScenario = {
  apiVersion: "netweather.dev/v1alpha1";
  kind: "Scenario";
  metadata: Metadata;
  spec: ScenarioSpec;
  status: ScenarioStatus;
};

/** Scenarios that are played now, and the last ones that were. */
export type PlayedScenarioItems = {
  items: PlayedScenario[];
};

/** Something that a reference can name, and whether it can be a target now. */
export type PossibleTarget = {
  reference: string;
  runtime: string;
  name: string;
  /** in the runtime's word */
  state: string;
  id: string;
  image: string;
  /** PROJECT/SERVICE, or empty */
  compose: string;
  addresses: string[];
  interfaces: string[];
  pid: number | null;
  /** device and inode of the namespace */
  identity: string | null;
  /** the reason why it cannot be a target, or which part is not known */
  note: string;
};

/** Possible targets, and why runtimes could not be listed. */
export type PossibleTargets = {
  items: PossibleTarget[];
  problems: Problem[];
};

/** An error, as RFC 9457 defines it; docs/errors.md explains each code. */
export type Problem = {
  type: string;
  /** what failed */
  title: string;
  /** does not change between versions */
  code: string;
  /** the cause, if known */
  detail: string;
  /** what to do about it */
  remedy: string;
  /** of the HTTP response */
  status?: number;
};

/** System calls of one kind by one process. */
export type ProcessCalls = {
  pid: number;
  name: string;
  call: string;
  calls: number;
  errors: number;
  bytes: number;
  seconds: number;
};

/** A named condition for each direction, and where its figures come from. */
export type Profile = {
  name: string;
  title: string;
  aliases: string[];
  /** packets that the target sends */
  up: Condition;
  /** packets that the target receives */
  down: Condition;
  source: string;
  notes: string;
  /** of a user's own profile */
  file?: string;
};

/** The profiles that come with Netweather. */
export type Profiles = {
  items: Profile[];
};

/** The step's condition changes to another one in equal increments, over the step's duration. */
export type Ramp = {
  /** the condition at the end; times, percentages and rates change to it in equal increments */
  to: Condition;
  /** time between two increments */
  every?: string;
};

/** At most `bitrate`, for each interface and each direction separately. Packets above this rate wait in the queue. */
export type RateLimit = {
  /** maximum rate in bits per second; 0 means no limit, as in netem */
  bitrate: string;
  /** bytes added to each packet's size when the rate is applied, such as the link's header; may be negative */
  overhead?: number;
};

/** A reference with an id in full. */
export type Reference = {
  reference: string;
};

/** Packets that overtake: they are sent immediately while the others wait for the delay. Needs a delay. */
export type Reorder = {
  /** share of packets that skip the delay and so overtake others (percent) */
  percent?: string;
  /** correlation with the packet before (percent) */
  correlation?: string;
  /** only every Nth packet may overtake (packets) */
  gap?: number;
};

/** A rule degrades the traffic that it matches. The first rule that matches a packet wins: lowest priority, then order of creation. */
export type Rule = {
  /** the peer: any of these addresses, prefixes, host names or targets */
  to?: string[];
  /** source or destination port: any of these ports or ranges */
  ports?: (number | string)[];
  /** tcp, udp, icmp (of either family), sctp or a protocol number */
  protocol?: number | string;
  /** direction as seen from the target; with both, each direction gets the whole condition */
  direction?: "egress" | "ingress" | "both";
  /** only this address family */
  family?: "ipv4" | "ipv6";
  /** only the connection with these two ends */
  connection?: string;
  /** only this share of all connections, chosen by a hash of the connection (percent) */
  share?: string;
  /** only TCP packets with these flags set; ! means not set */
  tcpFlags?: string;
  /** only these interfaces; default: all except loopback and tunnels */
  interfaces?: string[];
  /** only packets of this VLAN */
  vlan?: number;
  /** how that traffic is degraded */
  condition?: Condition;
  /** a rule with a lower number is matched first */
  priority?: number;
};

/** What one rule has counted since it was set. null: the engine does not count it. */
export type RuleCounters = {
  packets: number;
  bytes: number;
  dropped: number;
  blocked: number | null;
  loss: number | null;
  trace: number | null;
  mtu: number | null;
  queue: number | null;
  marked: number | null;
  duplicated: number | null;
  corrupted: number | null;
  reordered: number | null;
};

/** A rule of a condition. */
export type RuleId = {
  condition: string;
  rule: number;
};

/** One rule of a condition in force. */
export type RuleStatus = {
  counters: RuleCounters;
  /** when requested (lived=true) */
  experienced?: TcpSummary | null;
};

/** Steps on a timeline. Each step has a short lease that the player renews. If the player dies, the leases end the steps. */
export type Scenario = {
  apiVersion: "netweather.dev/v1alpha1";
  kind: "Scenario";
  metadata: Metadata;
  spec: ScenarioSpec;
  /** what Netweather found and did; not read when given */
  status?: Record<string, unknown>;
};

export type ScenarioSpec = {
  /** targets of all steps that name none, such as docker:shop */
  targets?: string[];
  /** the steps */
  steps?: Step[];
  /** duration of one round; default: until the end of the last step (time) */
  length?: string;
  /** number of rounds */
  repeat?: number;
  /** lease of each step: the steps end after this time if the player dies */
  lease?: string;
  /** owner of the scenario */
  owner?: string;
  /** purpose of the scenario, free text */
  reason?: string;
};

/** A scenario, and how far it has been played. */
export type ScenarioStatus = {
  state: "playing" | "paused" | "ended" | "stopped" | "failed";
  /** since the start of the round */
  atSeconds: number;
  /** from 1 */
  round: number;
  inForce: StepInForce[];
  /** the reason of its end, unless that is a problem */
  why?: string;
  /** the reason of its failure */
  problem?: Problem;
  secondsOfARound: number;
};

/** What `set` did, on all targets of a condition. */
export type SetCondition = {
  apiVersion: "netweather.dev/v1alpha1";
  kind: "NetworkCondition";
  metadata: Metadata;
  spec: NetworkConditionSpec;
  status: SetOutcome;
};

export type SetConditionList = {
  apiVersion: "v1";
  kind: "List";
  items: SetCondition[];
};

/** What `set` did, on all targets of a condition. */
export type SetOutcome = {
  inForce: boolean;
  dryRun: boolean;
  /** null: it does not end */
  expiresAt: string | null;
  remainingSeconds: number | null;
  targets: TargetOutcome[];
  /** what was measured (verify=true) */
  evidence?: Evidence[];
};

/** A condition on one target. */
export type ShownCondition = {
  apiVersion: "netweather.dev/v1alpha1";
  kind: "NetworkCondition";
  metadata: Metadata;
  spec: NetworkConditionSpec;
  status: ConditionStatus;
};

export type ShownConditionList = {
  apiVersion: "v1";
  kind: "List";
  items: ShownCondition[];
};

/** Packets arrive in batches: they wait for the next slot and are then sent together. */
export type Slot = {
  /** the shortest time between two slots */
  minimum: string;
  /** the longest time between two slots; default: the shortest */
  maximum?: string;
  /** maximum number of packets per slot */
  packets?: number;
  /** maximum number of bytes per slot (size) */
  bytes?: string;
};

/** The process that owns a socket. */
export type SocketProcess = {
  pid: number;
  name: string;
};

/** What the sockets of one target did. */
export type SocketStats = {
  target: string;
  seconds: number;
  /** by the name of the call */
  calls: Record<string, CallCounts>;
  tcp?: TcpCounts;
  processes?: ProcessCalls[];
  /** tracepoints that this kernel does not have */
  missing: string[];
};

/** What to count: see `netweather stats`. */
export type StatsRequest = {
  /** whose sockets */
  target: string;
  /** send, receive, connect, tcp, or calls by name */
  only?: string | null;
  /** and which process did it */
  byProcess?: boolean;
};

/** What was counted since the session began. It ends when no client reads it for `leaseSeconds`. */
export type StatsSession = {
  id: string;
  leaseSeconds: number;
  items: SocketStats[];
};

/** The same as `inForce`, for tools of Kubernetes. */
export type StatusCondition = {
  type: "InForce";
  status: "True" | "False";
  reason: "ReadBack" | "NotInForce";
  message: string;
};

/** A condition or a partition, with a start and a duration. It replaces earlier steps for the traffic that it matches. */
export type Step = {
  /** when the step begins, counted from the start of the scenario (time) */
  at: string;
  /** how long it lasts; unless given until a step of the same name, or the end (spelt `for`, too) (time) */
  duration?: string;
  /** name of the step; a later step with the same name replaces it */
  name?: string;
  /** targets of the step; default: the scenario's targets */
  targets?: string[];
  /** the peer: any of these addresses, prefixes, host names or targets */
  to?: string[];
  /** source or destination port: any of these ports or ranges */
  ports?: (number | string)[];
  /** tcp, udp, icmp (of either family), sctp or a protocol number */
  protocol?: number | string;
  /** direction as seen from the target; with both, each direction gets the whole condition */
  direction?: "egress" | "ingress" | "both";
  /** only this address family */
  family?: "ipv4" | "ipv6";
  /** only the connection with these two ends */
  connection?: string;
  /** only this share of all connections, chosen by a hash of the connection (percent) */
  share?: string;
  /** only TCP packets with these flags set; ! means not set */
  tcpFlags?: string;
  /** only these interfaces; default: all except loopback and tunnels */
  interfaces?: string[];
  /** only packets of this VLAN */
  vlan?: number;
  /** how that traffic is degraded */
  condition?: Condition;
  /** groups of targets that cannot reach each other; packets are dropped silently unless the condition has block: reject */
  partition?: string[][];
  /** partitions only: drop only packets from an earlier group to a later one */
  oneWay?: boolean;
  /** the condition changes to another one in equal increments */
  ramp?: Ramp;
  /** the condition is on and off in turns */
  flap?: Flap;
};

/** A condition that a scenario has set. */
export type StepInForce = {
  target: string;
  name: string;
};

/** A network namespace, by the reference that led to it. */
export type Target = {
  /** such as docker:shop-api */
  reference: string;
  /** of the container, pod, process or namespace */
  name: string;
  /** device and inode of the namespace */
  identity: string;
  runtime: string;
};

/** The connections of one target. */
export type TargetConnections = {
  target: Target;
  connections: Connection[];
};

/** What `set` did on one target. */
export type TargetOutcome = {
  target: Target;
  /** false: the same condition was in force */
  changed: boolean;
  /** which engine makes which emulated link, and why */
  engines: string[];
  /** that it covers */
  interfaces: string[];
  /** the addresses of each peer that a rule names */
  peers: Record<string, string[]>;
  /** what the user should know */
  notes: string[];
  /** the operations in words; of a dry run */
  plan?: string[];
};

/** Connections and packets. null: this kernel does not count it. */
export type TcpCounts = {
  attempted: number | null;
  opened: number | null;
  accepted: number | null;
  closed: number | null;
  refused: number | null;
  timedOut: number | null;
  failed: number | null;
  resetsReceived: number | null;
  resetsSent: number | null;
  retransmits: number | null;
  drops: number | null;
  /** by the kernel's name */
  dropReasons: Record<string, number>;
  connectTime?: Latency;
};

/** What the kernel's TCP knows of a connection. */
export type TcpFigures = {
  rttSeconds: number | null;
  rttVariationSeconds: number;
  minRttSeconds: number | null;
  rtoSeconds: number;
  congestionWindow: number;
  lost: number;
  retransmitsNow: number;
  retransmits: number;
  bytesSent: number;
  bytesAcked: number;
  bytesReceived: number;
  bytesRetransmitted: number;
  deliveryRateBitsPerSecond: number;
  /** the rate says how little the application sent */
  applicationLimited: boolean;
};

/** The TCP connections that match a rule: before it was set, and now. Medians. */
export type TcpSummary = {
  connections: {
    now: number;
    /** older than the condition */
    fromBefore: number;
  };
  rttSeconds: {
    before: number | null;
    now: number | null;
  };
  /** since the condition was set */
  retransmits: number;
  deliveryRateBitsPerSecond: {
    before: number | null;
    now: number | null;
  };
  /** of connections that are older than the condition */
  goodputBitsPerSecond: number | null;
};

/** What to verify: see `netweather verify`. */
export type VerifyRequest = {
  /** whose conditions */
  target: string;
  /** this condition only */
  name?: string | null;
  /** the peer to probe */
  to?: string | null;
  /** a peer target, to measure each direction separately */
  peer?: string | null;
  /** packets each way */
  samples?: number | null;
};

/** Each operation: what it takes and what it answers. A failure answers with a `Problem`. */
export interface Operations {
  putConditions: { method: "PUT"; path: "/v1/conditions"; query: { dryRun?: boolean; confirmHost?: boolean; verify?: boolean }; body: NetworkCondition | NetworkConditionList; answer: SetConditionList };
  getConditions: { method: "GET"; path: "/v1/conditions"; query: { target?: string[] | null; lived?: boolean }; answer: ShownConditionList };
  deleteConditions: { method: "DELETE"; path: "/v1/conditions"; query: { target?: string[] | null; owner?: string | null; wait?: boolean; now?: boolean }; answer: ClearedTargets };
  putCondition: { method: "PUT"; path: "/v1/conditions/{name}"; query: { dryRun?: boolean; confirmHost?: boolean; verify?: boolean }; body: NetworkCondition; answer: SetCondition };
  getCondition: { method: "GET"; path: "/v1/conditions/{name}"; query: { target?: string[] | null; lived?: boolean }; answer: ShownConditionList };
  deleteCondition: { method: "DELETE"; path: "/v1/conditions/{name}"; query: { target?: string[] | null; owner?: string | null; wait?: boolean; now?: boolean }; answer: ClearedTargets };
  getConnections: { method: "GET"; path: "/v1/connections"; query: { target: string[]; listening?: boolean; match?: string; exclude?: string[] | null; state?: string[] | null; condition?: string | null }; answer: ConnectionItems };
  deleteConnections: { method: "DELETE"; path: "/v1/connections"; query: { target: string[]; confirmHost?: boolean; match?: string; exclude?: string[] | null; state?: string[] | null; condition?: string | null }; answer: ConnectionItems };
  putScenario: { method: "PUT"; path: "/v1/scenarios/{name}"; body: Scenario; answer: PlayedScenario };
  getScenario: { method: "GET"; path: "/v1/scenarios/{name}"; answer: PlayedScenario };
  deleteScenario: { method: "DELETE"; path: "/v1/scenarios/{name}"; answer: PlayedScenario };
  getScenarios: { method: "GET"; path: "/v1/scenarios"; answer: PlayedScenarioItems };
  pauseScenario: { method: "POST"; path: "/v1/scenarios/{name}/pause"; answer: PlayedScenario };
  resumeScenario: { method: "POST"; path: "/v1/scenarios/{name}/resume"; answer: PlayedScenario };
  postStats: { method: "POST"; path: "/v1/stats"; body: StatsRequest; answer: StatsSession };
  getStats: { method: "GET"; path: "/v1/stats/{number}"; answer: StatsSession };
  deleteStats: { method: "DELETE"; path: "/v1/stats/{number}"; answer: StatsSession };
  getHealth: { method: "GET"; path: "/v1/health"; answer: Health };
  getTargets: { method: "GET"; path: "/v1/targets"; answer: PossibleTargets };
  completeTarget: { method: "GET"; path: "/v1/targets/complete"; query: { target: string; project?: string; only?: boolean }; answer: Reference };
  getProfiles: { method: "GET"; path: "/v1/profiles"; answer: Profiles };
  getProfile: { method: "GET"; path: "/v1/profiles/{name}"; answer: Profile };
  getDoctor: { method: "GET"; path: "/v1/doctor"; answer: KernelReport };
  verifyConditions: { method: "POST"; path: "/v1/verify"; body: VerifyRequest; answer: EvidenceItems };
  getEvents: { method: "GET"; path: "/v1/events"; answer: string };
  getMetrics: { method: "GET"; path: "/v1/metrics"; answer: string };
}
