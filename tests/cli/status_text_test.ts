/** The text of `iscsi status`: a line of a golden is a line of the terminal. */
import { assert, assertEquals } from "@std/assert";
import type { LogicalUnitReport, StatusReport, TrafficReport } from "../../lib/cli/status_report.ts";
import { RateHistory } from "../../lib/cli/rate_history.ts";
import { showStatus } from "../../lib/cli/status_text.ts";
import { COLOURED_STYLE, PLAIN_STYLE } from "../../lib/cli/terminal.ts";
import { ManPage } from "../dist/man_page.ts";

const NOW_MS = Date.parse("2026-11-26T12:00:00Z");
const GB = 1024 ** 3;
const LONG_NAME = "iqn.2008-11.org.linux-kvm:build-server-17.rack-4.datacentre-2.example.com";

function trafficOf(
  commandsPerSecond: number,
  bytesPerSecond: number,
  meanLatencyMs: number | null,
): TrafficReport {
  const high = meanLatencyMs === null ? null : meanLatencyMs * 5;
  const rates = {
    commandsPerSecond,
    bytesPerSecond,
    meanLatencyMs,
    p50LatencyMs: meanLatencyMs,
    p99LatencyMs: high,
  };
  return {
    readCommands: 0,
    readBytes: 0,
    writeCommands: 0,
    writeBytes: 0,
    otherCommands: 0,
    unmappedBytes: 0,
    failures: {},
    rates: { reads: rates, writes: rates, total: rates },
  };
}

const PARAMETERS = {
  maxConnections: 1,
  initialR2T: true,
  immediateData: true,
  maxBurstLength: 16_776_192,
  firstBurstLength: 262_144,
  maxOutstandingR2T: 1,
  defaultTime2Wait: 2,
  defaultTime2Retain: 0,
  protocolLevel: 1,
  initiatorMaxRecvDataSegmentLength: 1_000_000,
  headerDigest: true,
  dataDigest: true,
};

const IDENTITY = { naa: "3000000000000001", serialNumber: "00000000000000000001" };

const NO_FAILURES = {
  readFailed: 0,
  writeFailed: 0,
  flushFailed: 0,
  outOfSpace: 0,
  reservationsFailed: 0,
  holeFailed: 0,
  last: null,
};

const NO_REFUSALS = {
  target: 0,
  networks: 0,
  initiators: 0,
  authentication: 0,
  limit: 0,
  time: 0,
  protocol: 0,
  fault: 0,
};

const IDLE: StatusReport = {
  server: {
    version: "1.2.3",
    pid: 4711,
    uptimeSeconds: 59,
    portals: [],
    workers: [],
    limits: { sessions: 32, connections: 8 },
  },
  storage: "/data/iscsi",
  warnings: [],
  intervalSeconds: null,
  targets: [],
  fileSystems: [],
  copies: [],
  sessions: [],
  refusals: { totals: NO_REFUSALS, recent: [] },
};

const BUSY: StatusReport = {
  server: {
    version: "1.2.3",
    pid: 4711,
    uptimeSeconds: 276_660,
    portals: ["192.168.100.1:3260", "[fd00::1]:3260"],
    workers: [{ port: 3260, state: "running", seconds: null, reason: null, faults: [] }],
    limits: { sessions: 32, connections: 8 },
  },
  storage: "/data/iscsi",
  warnings: [],
  intervalSeconds: 1,
  targets: [
    {
      name: "xenserver",
      iscsiName: "iqn.2002-08.info.netmanager:xenserver",
      comment: "The pool's disks",
      paths: [
        { network: "192.168.100.0/24", portals: ["192.168.100.1:3260", "[fd00::1]:3260"] },
        { network: "fd00::/64", portals: ["[fd00::1]:3260", "192.168.100.1:3260"] },
        { network: "10.0.0.0/8", portals: [] },
      ],
      logicalUnits: [
        {
          lun: 0,
          path: "/data/iscsi/xenserver",
          ...IDENTITY,
          readOnly: false,
          promisedBytes: 750 * GB,
          allocatedBytes: 120.5 * GB,
          growthBytesPerDay: 3.5 * GB,
          traffic: trafficOf(123_456.7, 512.3 * 1024 ** 2, 0.4567),
          storageFailures: NO_FAILURES,
          problem: null,
          trim: null,
        },
        {
          lun: 1,
          path: "/data/iscsi/xenserver_1",
          ...IDENTITY,
          readOnly: true,
          promisedBytes: GB / 2,
          allocatedBytes: 0,
          growthBytesPerDay: null,
          traffic: trafficOf(0.4, 0, 12.34),
          storageFailures: NO_FAILURES,
          problem: null,
          trim: null,
        },
      ],
    },
    {
      name: "raw",
      iscsiName: "iqn.2002-08.info.netmanager:raw",
      comment: "raw",
      paths: [{ network: "192.168.100.0/24", portals: ["192.168.100.1:3260"] }],
      logicalUnits: [{
        lun: 255,
        path: "/dev/sdb",
        ...IDENTITY,
        readOnly: false,
        promisedBytes: 1.25 * 1024 * GB,
        allocatedBytes: null,
        growthBytesPerDay: null,
        traffic: trafficOf(0, 0, null),
        storageFailures: NO_FAILURES,
        problem: null,
        trim: null,
      }],
    },
  ],
  fileSystems: [
    {
      path: "/data/iscsi",
      totalBytes: 1024 * GB,
      availableBytes: 120 * GB,
      growthBytesPerDay: 3.5 * GB,
      fullInDays: 120 / 3.5,
    },
    { path: "/big/one", totalBytes: 1024 * GB, availableBytes: GB, growthBytesPerDay: -GB, fullInDays: null },
  ],
  copies: [],
  sessions: [
    {
      session: 7,
      isid: "00023d000001",
      initiatorName: "iqn.2011-07.com.example:89abcdef",
      targetName: "iqn.2002-08.info.netmanager:xenserver",
      since: "2026-11-23T08:00:00.000Z",
      connections: [{
        cid: 0,
        localAddress: "192.168.100.1",
        localPort: 3260,
        peerAddress: "192.168.100.7",
        parameters: PARAMETERS,
      }],
      reservations: [
        { lun: 0, isRegistered: true, holds: "writeExclusiveRegistrantsOnly" },
        { lun: 1, isRegistered: false, holds: "reserve" },
      ],
      traffic: trafficOf(9.94, 1024 ** 2, 1234),
    },
    {
      session: 65535,
      isid: "00023d000002",
      initiatorName: LONG_NAME,
      targetName: null,
      since: "2026-11-26T11:59:59.000Z",
      connections: [],
      reservations: [],
      traffic: null,
    },
  ],
  refusals: {
    totals: { ...NO_REFUSALS, initiators: 1233, target: 1 },
    recent: [
      {
        peerAddress: "192.168.100.9",
        initiatorName: LONG_NAME,
        targetName: null,
        reason: "initiators",
        rule: `initiators of [xenserver] does not list "${LONG_NAME}"`,
        count: 1233,
        first: "2026-11-20T00:00:00.000Z",
        last: "2026-11-26T11:57:55.000Z",
      },
      {
        peerAddress: "fd00::2",
        initiatorName: null,
        targetName: null,
        reason: "protocol",
        rule: "what \x1b[2Jcame \u009bis no login",
        count: 1,
        first: "2026-11-26T11:00:00.000Z",
        last: "2026-11-26T11:00:00.000Z",
      },
    ],
  },
};

function showPlain(report: StatusReport, columns: number): string[] {
  return showStatus(report, { columns, style: PLAIN_STYLE, nowMs: NOW_MS });
}

Deno.test("iscsi status shows a busy server in 80 columns", () => {
  assertEquals(
    showPlain(BUSY, 80).join("\n"),
    `\
Server    iscsi 1.2.3, pid 4711, up 3 d 4 h
Storage   /data/iscsi
Portals   192.168.100.1:3260 [fd00::1]:3260

LUN         PROMISED   ALLOCATED   GROWTH/DAY     IOPS    MB/s  LATENCY      P99
xenserver  iqn.2002-08.info.netmanager:xenserver  The pool's disks
   0          750 GB    120.5 GB       3.5 GB  123,457   512.3  0.46 ms   2.3 ms
   1 ro       512 MB     0 bytes      not yet      0.4     0.0    12 ms    62 ms
raw  iqn.2002-08.info.netmanager:raw
  255        1.25 TB           -            -        0     0.0        -        -

TARGET     INITIATORS IN     ARE OFFERED
xenserver  192.168.100.0/24  192.168.100.1:3260 [fd00::1]:3260
           fd00::/64         [fd00::1]:3260 192.168.100.1:3260
           10.0.0.0/8        none: no interface is in it
raw        192.168.100.0/24  192.168.100.1:3260

File system /data/iscsi: 120 GB of 1 TB left, full in 34 d 6 h (3.5 GB/day)
File system /big/one: 1 GB of 1 TB left, not growing

1 OF 32 SESSIONS, 1 OF 8 CONNECTIONS            SINCE     IOPS     MB/s  LATENCY
  7  iqn.2011-07.com.example:89abcdef         3 d 4 h      9.9      1.0    1.2 s
     xenserver from 192.168.100.7 to 192.168.100.1:3260
     InitialR2T=Yes ImmediateData=Yes FirstBurst=256K MaxBurst=16383K
     Segment=1000000 HeaderDigest=CRC32C DataDigest=CRC32C
     LUN 0: holds write exclusive, registrants only, registered
     LUN 1: holds RESERVE
65535  iqn.2...4.datacentre-2.example.com         1 s        -        -        -
     discovery

REFUSALS, THE LAST OF 1234
  192.168.100.9 i...r-17.rack-4.datacentre-2.example.com  2 m 5 s ago 1233 times
     initiators of [xenserver] does not list
     "iqn.2008-11.org.linux-kvm:build-server-17.rack-4.datacentre-2.example.com"
  fd00::2                                                            1 h 0 m ago
     what ?[2Jcame ?is no login`,
  );
});

Deno.test("iscsi status shows the problem and the storage failures of a LUN below it", () => {
  const [target] = BUSY.targets as [typeof BUSY.targets[0], ...typeof BUSY.targets];
  const [first, second] = target.logicalUnits as [LogicalUnitReport, LogicalUnitReport];
  const last = {
    kind: "outOfSpace",
    reason: 'Cannot write 4096 bytes at 0 of "/data/iscsi/xenserver": No space left on device (os error 28)',
    time: "2026-11-26T11:57:55.000Z",
  } as const;
  const failing = { ...first, storageFailures: { ...NO_FAILURES, outOfSpace: 1234, flushFailed: 2, last } };
  const absent = { ...second, problem: 'Cannot open "/data/iscsi/xenserver_1": \x1b[2J' };
  const report = { ...BUSY, targets: [{ ...target, logicalUnits: [failing, absent] }] };
  assertEquals(
    showPlain(report, 80).slice(6, 13).join("\n"),
    `\
   0          750 GB    120.5 GB       3.5 GB  123,457   512.3  0.46 ms   2.3 ms
     failed flushes: 2, writes without space: 1234; the last 2 m 5 s ago: Cannot
     write 4096 bytes at 0 of "/data/iscsi/xenserver": No space left on device
     (os error 28)
   1 ro       512 MB     0 bytes      not yet      0.4     0.0    12 ms    62 ms
     not served: Cannot open "/data/iscsi/xenserver_1": ?[2J
`,
  );
});

Deno.test("iscsi status shows the failed commands of a LUN and of a session below them", () => {
  const failures = { mediumError: 12, reservationConflict: 3, unitAttention: 4 };
  const [target] = BUSY.targets as [typeof BUSY.targets[0], ...typeof BUSY.targets];
  const [unit] = target.logicalUnits as [LogicalUnitReport, ...LogicalUnitReport[]];
  const [session] = BUSY.sessions as [typeof BUSY.sessions[0], ...typeof BUSY.sessions];
  const failing: StatusReport = {
    ...BUSY,
    targets: [{ ...target, logicalUnits: [{ ...unit, traffic: { ...unit.traffic!, failures } }] }],
    sessions: [{ ...session, reservations: [], traffic: { ...session.traffic!, failures } }],
  };
  const lines = showPlain(failing, 80).filter((line) => line.includes("failed"));
  assertEquals(lines, Array(2).fill("     failed commands: medium error 12, reservation conflict 3"));
});

Deno.test("iscsi status --watch draws the last minute of a LUN where there is room, and space as a bar", () => {
  const history = new RateHistory();
  for (let second = -54; second <= 0; second += 6) {
    const [target] = BUSY.targets as [typeof BUSY.targets[0], ...typeof BUSY.targets];
    const logicalUnits = target.logicalUnits.map((unit) => ({
      ...unit,
      traffic: trafficOf(60 + second, 0, 1),
    }));
    history.add(
      { ...BUSY, intervalSeconds: 6, targets: [{ ...target, logicalUnits }] },
      NOW_MS + second * 1000,
    );
  }
  const show = (columns: number): string[] =>
    showStatus(BUSY, { columns, style: PLAIN_STYLE, nowMs: NOW_MS, history });
  const wide = show(102);
  assertEquals(wide.slice(4, 8), [
    "LUN         PROMISED   ALLOCATED   GROWTH/DAY     IOPS    MB/s  LATENCY      P99  LAST MINUTE",
    "xenserver  iqn.2002-08.info.netmanager:xenserver  The pool's disks",
    "   0          750 GB    120.5 GB       3.5 GB  123,457   512.3  0.46 ms   2.3 ms  ....::--====++****##",
    "   1 ro       512 MB     0 bytes      not yet      0.4     0.0    12 ms    62 ms  ....::--====++****##",
  ]);
  assertEquals(
    wide.filter((line) => line.startsWith("File system")),
    [
      "File system /data/iscsi: [##################--] 120 GB of 1 TB left, full in 34 d 6 h (3.5 GB/day)",
      "File system /big/one: [####################] 1 GB of 1 TB left, not growing",
    ],
  );
  assertEquals(show(80).slice(4, 10), showPlain(BUSY, 80).slice(4, 10));
  for (let columns = 40; columns <= 200; columns++) {
    for (const line of show(columns)) assert(line.length <= columns && /^[\x20-\x7e]*$/.test(line), line);
  }
});

Deno.test("iscsi status shows more where the terminal is wider", () => {
  assertEquals(
    showPlain(BUSY, 118).slice(4, 9).join("\n"),
    `\
LUN, FILE                                         PROMISED   ALLOCATED   GROWTH/DAY     IOPS    MB/s  LATENCY      P99
xenserver  iqn.2002-08.info.netmanager:xenserver  The pool's disks
   0     /data/iscsi/xenserver                      750 GB    120.5 GB       3.5 GB  123,457   512.3  0.46 ms   2.3 ms
   1 ro  /data/iscsi/xenserver_1                    512 MB     0 bytes      not yet      0.4     0.0    12 ms    62 ms
raw  iqn.2002-08.info.netmanager:raw`,
  );
});

Deno.test("iscsi status shows an idle server, and one whose worker starts", () => {
  assertEquals(
    showPlain(IDLE, 80).join("\n"),
    `\
Server    iscsi 1.2.3, pid 4711, up 59 s
Storage   /data/iscsi
Portals   none

LUN         PROMISED   ALLOCATED   GROWTH/DAY     IOPS    MB/s  LATENCY      P99

NO SESSIONS

NO REFUSALS`,
  );
  const starting = { ...IDLE, server: { ...IDLE.server!, limits: null }, refusals: null };
  assertEquals(showPlain(starting, 80).at(-1), "THE TARGET WORKER IS STARTING");
});

Deno.test("iscsi status shows the disk where no server runs", () => {
  const stopped: StatusReport = {
    ...BUSY,
    server: null,
    sessions: [],
    refusals: null,
    targets: BUSY.targets.slice(0, 1).map((target) => ({
      ...target,
      paths: null,
      logicalUnits: target.logicalUnits.map((unit) => ({ ...unit, traffic: null })),
    })),
  };
  assertEquals(
    showPlain(stopped, 80).join("\n"),
    `\
Server    none is running
Storage   /data/iscsi

LUN         PROMISED   ALLOCATED   GROWTH/DAY     IOPS    MB/s  LATENCY      P99
xenserver  iqn.2002-08.info.netmanager:xenserver  The pool's disks
   0          750 GB    120.5 GB       3.5 GB        -       -        -        -
   1 ro       512 MB     0 bytes      not yet        -       -        -        -

File system /data/iscsi: 120 GB of 1 TB left, full in 34 d 6 h (3.5 GB/day)
File system /big/one: 1 GB of 1 TB left, not growing`,
  );
});

Deno.test("iscsi status leaves out whole columns where the terminal is narrow", () => {
  const lines = showPlain(BUSY, 60);
  const start = lines.findIndex((line) => line.startsWith("LUN"));
  assertEquals([lines[start], lines[start + 2]], [
    "LUN               PROMISED   ALLOCATED   GROWTH/DAY     IOPS",
    "   0                750 GB    120.5 GB       3.5 GB  123,457",
  ]);
});

Deno.test("no line of iscsi status is wider than the terminal, or controls it", () => {
  for (let columns = 40; columns <= 200; columns++) {
    const brief = showStatus(BUSY, { columns, isBrief: true, style: PLAIN_STYLE, nowMs: NOW_MS });
    for (const line of [...showPlain(BUSY, columns), ...brief]) {
      assert(line.length <= columns, `${columns}: ${line}`);
      assert(/^[\x20-\x7e]*$/.test(line), line);
    }
  }
});

Deno.test("iscsi status is the same text in colours", () => {
  const coloured = showStatus(BUSY, { columns: 80, style: COLOURED_STYLE, nowMs: NOW_MS });
  // deno-lint-ignore no-control-regex -- these are the colours
  const withoutColours = coloured.map((line) => line.replaceAll(/\x1b\[\d+m/g, ""));
  assertEquals(withoutColours, showPlain(BUSY, 80));
  assert(coloured.join("\n") !== withoutColours.join("\n"));
});

/** The names of everything in a report but what others define: negotiated keys, kinds of failures, reasons. */
function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) =>
    ["parameters", "failures", "totals"].includes(name) ? [name] : [name, ...fieldsOf(field)]
  );
}

Deno.test("iscsi(8) has every field of iscsi status --json", () => {
  const words = new ManPage("iscsi.8").jsonWords("status");
  const fields = new Set(fieldsOf(BUSY));
  assertEquals([...fields].filter((field) => !words.has(field)), []);
  assert(fields.size > 50);
});

Deno.test("iscsi status in brief has one line for each session", () => {
  const lines = showStatus(BUSY, { columns: 80, isBrief: true, style: PLAIN_STYLE, nowMs: NOW_MS });
  const start = lines.findIndex((line) => line.startsWith("1 OF 32"));
  assertEquals(lines.slice(start + 1, start + 4), [
    "  7  xenserver iqn.201...example:89abcdef     3 d 4 h      9.9      1.0    1.2 s",
    "65535  discovery iqn.200...-2.example.com         1 s        -        -        -",
    "",
  ]);
});

Deno.test("iscsi status shows odd names of initiators as the conf lists them, and breaks no line within one", () => {
  const initiatorName = 'iqn.2008-11.org.linux-kvm:web server "1"';
  const shown = '"iqn.2008-11.org.linux-kvm:web server \\"1\\""';
  const refusals = {
    ...BUSY.refusals!,
    recent: [{
      ...BUSY.refusals!.recent[0]!,
      initiatorName,
      rule: `initiators of [a] does not list ${shown}`,
    }],
  };
  const report = { ...BUSY, sessions: [{ ...BUSY.sessions[1]!, initiatorName }], refusals };
  const lines = showPlain(report, 120);
  assert(lines.some((line) => line.startsWith(`65535  ${shown}  `)), lines.join("\n"));
  assert(lines.some((line) => line.startsWith(`  192.168.100.9 ${shown}  `)), lines.join("\n"));
  assertEquals(showPlain(report, 70).slice(-2), ["     initiators of [a] does not list", `     ${shown}`]);
  const brief = showStatus(report, { columns: 120, isBrief: true, style: PLAIN_STYLE, nowMs: NOW_MS });
  assert(brief.some((line) => line.startsWith(`65535  discovery ${shown}  `)), brief.join("\n"));
});

Deno.test("showStatus() names the workers that do not run as they should", () => {
  const running = { port: 3260, state: "running", seconds: null, reason: null, faults: [] } as const;
  const reason = 'an operation on "/mnt/usb/disk" blocks it';
  const hanging = { port: 3261, state: "hanging", seconds: 75, reason, faults: [] } as const;
  const failed = {
    port: 3262,
    state: "failed",
    seconds: null,
    reason: "target worker ended 5 times",
    faults: [],
  } as const;
  const deaf = { ...running, port: 3263, faults: ["Cannot listen at 10.0.0.1:3263: Worker blocks"] };
  const server = { ...IDLE.server!, workers: [running, hanging, failed, deaf] };
  const lines = showStatus({ ...IDLE, server }, { columns: 80, style: PLAIN_STYLE, nowMs: 0 });
  assertEquals(lines.filter((line) => /Worker|blocks/.test(line)), [
    'Worker    port 3261 is hanging for 1 m 15 s: an operation on "/mnt/usb/disk"',
    "          blocks it",
    "Worker    port 3262 is failed: target worker ended 5 times",
    "Worker    Cannot listen at 10.0.0.1:3263: Worker blocks",
  ]);
});

Deno.test("iscsi status shows a copy that is being made", () => {
  const copy = {
    target: "a",
    lun: 0,
    destination: "/backup/a",
    sizeBytes: 750 * GB,
    copiedBytes: 75 * GB,
    seconds: 90,
  };
  const lines = showStatus({ ...BUSY, copies: [copy] }, { columns: 80, style: PLAIN_STYLE, nowMs: 0 });
  assertEquals(lines.filter((line) => line.startsWith("Copy")), [
    'Copy      LUN 0 of [a] to "/backup/a": 10% of 750 GB, for 1 m 30 s',
  ]);
});
