/** Formats the report of `iscsi status` as lines that fit the terminal, in aligned columns. */
import { splitOutsideQuotes } from "../base/quoted_words.ts";
import { formatPortal } from "../bytes/network.ts";
import { formatInitiatorName } from "../config/iscsi_name.ts";
import { formatSize } from "../config/size.ts";
import { describeFailedCommands, describeStorageFailures, formatAgo } from "./failure_text.ts";
import { showFileSystem } from "./file_system_text.ts";
import { RESERVATION_LABELS } from "./reservation_labels.ts";
import {
  formatCount,
  formatDuration,
  formatGrowth,
  formatLatency,
  formatMegabytes,
  printable,
  shorten,
} from "./show_text.ts";
import { showPaths } from "./path_table.ts";
import type {
  LogicalUnitReport,
  RefusalReport,
  RefusalsReport,
  ServerReport,
  SessionReport,
  StatusReport,
  TargetReport,
  TrafficReport,
} from "./status_report.ts";
import { sparkLine } from "./spark_line.ts";
import type { StatusTextOptions } from "./status_text_options.ts";
import type { Style } from "./terminal.ts";
import { fillLines, wrapWords } from "./wrap_words.ts";
import type { CopyStatus, WorkerStatus } from "../control/server_status.ts";

/** The least width with room for paths. */
const WIDE_COLUMNS = 110;

/** The least width of the first cell of a line. */
const FIRST_COLUMNS_MIN = 8;

/** The indent of the details of a session or a refusal. */
const INDENT = "     ";

/** The greatest width of the name of a target beside other cells. */
const TARGET_COLUMNS_MAX = 12;

/** The number of refusals that are shown. */
const REFUSALS_MAX = 5;

/** The characters of the last minute of a LUN, and the least width with room for them. */
const SPARK_COLUMNS = 20;
const SPARK_COLUMNS_MIN = 102;

/** Growth that is not known yet. */
const NOT_YET = "not yet";

/** Formats a report as lines. */
export function showStatus(report: StatusReport, options: StatusTextOptions): string[] {
  const { server, targets, fileSystems, copies, refusals } = report;
  const parts = [
    showServer(report, options),
    showTargets(targets, options),
    options.isBrief === true ? [] : showPaths(targets, options),
    fileSystems.flatMap((fileSystem) => showFileSystem(fileSystem, options)),
    copies.flatMap((copy) => field("Copy", describeCopy(copy), options)),
    server === null ? [] : showSessions(report, server, options),
    refusals === null ? [] : showRefusals(refusals, options),
  ];
  return parts.filter((lines) => lines.length > 0).flatMap((lines, index) =>
    index === 0 ? lines : ["", ...lines]
  );
}

function showServer({ server, storage, warnings }: StatusReport, options: StatusTextOptions): string[] {
  const where = field("Storage", storage, options);
  const dangers = warnings.flatMap((warning) =>
    field("Warning", warning, options).map((line) => options.style.warning(line))
  );
  if (server === null) return [...field("Server", "none is running", options), ...where, ...dangers];
  const { version, pid, uptimeSeconds, portals, workers } = server;
  const troubles = workers.flatMap(describeTroubles).flatMap((trouble) =>
    field("Worker", trouble, options).map((line) => options.style.warning(line))
  );
  const running = `iscsi ${version}, pid ${pid}, up ${formatDuration(uptimeSeconds)}`;
  return [
    ...field("Server", running, options),
    ...where,
    ...field("Portals", portals.length === 0 ? "none" : portals.join(" "), options),
    ...troubles,
    ...dangers,
  ];
}

/** Describes why a target worker does not run as it should, or does not listen at a portal. */
function describeTroubles({ port, state, seconds, reason, faults }: WorkerStatus): readonly string[] {
  const since = seconds === null ? "" : ` for ${formatDuration(seconds)}`;
  return [...(state === "running" ? [] : [`port ${port} is ${state}${since}: ${reason}`]), ...faults];
}

function describeCopy({ target, lun, destination, sizeBytes, copiedBytes, seconds }: CopyStatus): string {
  const percent = Math.floor(copiedBytes / sizeBytes * 100);
  return `LUN ${lun} of [${target}] to "${destination}": ${percent}% of ${formatSize(sizeBytes)}, ` +
    `for ${formatDuration(seconds)}`;
}

function field(label: string, value: string, { columns, style }: StatusTextOptions): string[] {
  const width = 10;
  return wrapWords(printable(value), columns - width).map((line, index) =>
    style.heading((index === 0 ? label : "").padEnd(width)) + shorten(line, columns - width)
  );
}

/** Formats cells of fixed widths at the right of a line, as many as leave room for the first cell. */
function rightCells(cells: readonly (readonly [text: string, width: number])[], columns: number): string {
  const texts = cells.map(([text, width]) => `  ${text.padStart(width)}`);
  while (texts.length > 0 && texts.join("").length > columns - FIRST_COLUMNS_MIN) texts.pop();
  return texts.join("");
}

/** Formats a line; its first cell takes the room that the others leave. */
function row(first: string, right: string, columns: number): string {
  const width = Math.max(columns - right.length, 0);
  return (shorten(first, width).padEnd(width) + right).slice(0, columns).trimEnd();
}

function unitCells(
  [promised, allocated, growth]: readonly [string, string, string],
  [commands = "", megabytes = "", latency = "", highLatency = ""]: readonly string[],
  columns: number,
): string {
  return rightCells([
    [promised, 10],
    [allocated, 10],
    [growth, 11],
    [commands, 7],
    [megabytes, 6],
    [latency, 7],
    [highLatency, 7],
  ], columns);
}

function trafficCells(traffic: TrafficReport | null): string[] {
  if (traffic === null || traffic.rates === null) return ["-", "-", "-", "-"];
  const { commandsPerSecond, bytesPerSecond, meanLatencyMs, p99LatencyMs } = traffic.rates.total;
  const latencies = [meanLatencyMs, p99LatencyMs].map(formatLatency);
  return [formatCount(commandsPerSecond), formatMegabytes(bytesPerSecond), ...latencies];
}

const TRAFFIC_HEADS = ["IOPS", "MB/s", "LATENCY", "P99"];

function showTargets(targets: readonly TargetReport[], options: StatusTextOptions): string[] {
  const { columns, style } = options;
  const spark = hasSpark(options) ? "  LAST MINUTE".padEnd(SPARK_COLUMNS + 2) : "";
  const heads = unitCells(["PROMISED", "ALLOCATED", "GROWTH/DAY"], TRAFFIC_HEADS, columns) + spark;
  const isWide = columns >= WIDE_COLUMNS;
  return [
    style.heading(row(isWide ? "LUN, FILE" : "LUN", heads, columns)),
    ...targets.flatMap(({ name, iscsiName, comment, logicalUnits }) => {
      const about = comment === name ? iscsiName : `${iscsiName}  ${comment}`;
      const line = printable(shorten(`${name}  ${about}`, columns));
      return [
        line.slice(0, name.length) + style.aside(line.slice(name.length)),
        ...logicalUnits.flatMap((unit) => [
          showUnit(unit, isWide, columns, showLastMinute(name, unit, options)),
          ...showTrouble(unit, options),
          ...showTrim(unit, options),
        ]),
      ];
    }),
  ];
}

/** Reports whether each LUN has a line of its last minute. */
function hasSpark({ columns, history }: StatusTextOptions): boolean {
  return history !== undefined && columns >= SPARK_COLUMNS_MIN;
}

/** Draws the rates of a LUN in the last minute, with the space before them; empty without room. */
function showLastMinute(target: string, { lun }: LogicalUnitReport, options: StatusTextOptions): string {
  if (!hasSpark(options)) return "";
  const { history, nowMs } = options;
  return `  ${sparkLine(history!.lastMinute(target, lun, { nowMs, parts: SPARK_COLUMNS }))}`;
}

function showUnit(unit: LogicalUnitReport, isWide: boolean, columns: number, spark: string): string {
  const { lun, path, readOnly, promisedBytes, allocatedBytes, growthBytesPerDay, traffic } = unit;
  const allocated = allocatedBytes === null ? "-" : formatSize(allocatedBytes);
  const growth = growthBytesPerDay === null
    ? (allocatedBytes === null ? "-" : NOT_YET)
    : formatGrowth(growthBytesPerDay);
  const cells = unitCells([formatSize(promisedBytes), allocated, growth], trafficCells(traffic), columns);
  const right = cells + spark;
  const label = `  ${String(lun).padStart(2)}${readOnly ? " ro" : ""}`;
  return row(isWide ? `${label.padEnd(9)}${printable(path)}` : label, right, columns);
}

/** Formats why a LUN is not served, and what has failed. */
function showTrouble(
  { problem, storageFailures, traffic }: LogicalUnitReport,
  { columns, style, nowMs }: StatusTextOptions,
): string[] {
  return [
    problem === null ? undefined : `not served: ${problem}`,
    describeStorageFailures(storageFailures, nowMs),
    describeFailedCommands(traffic),
  ].flatMap((text) => text === undefined ? [] : warn(text, columns, style));
}

function warn(text: string, columns: number, style: Style): string[] {
  const room = columns - INDENT.length;
  return wrapWords(printable(text), room).map((line) => INDENT + style.warning(shorten(line, room)));
}

function showTrim({ trim }: LogicalUnitReport, { columns, style }: StatusTextOptions): string[] {
  if (trim === null) return [];
  const share = Math.floor(trim.examinedBytes / trim.sizeBytes * 100);
  const text = `being trimmed: ${share} %, zeros in ${formatSize(trim.releasedBytes)}`;
  return [INDENT + style.aside(shorten(text, columns - INDENT.length))];
}

function showSessions(
  { sessions, targets }: StatusReport,
  { limits }: ServerReport,
  options: StatusTextOptions,
): string[] {
  const { columns, style } = options;
  if (limits === null) return [style.warning("THE TARGET WORKER IS STARTING")];
  if (sessions.length === 0) return [style.heading("NO SESSIONS")];
  const normal = sessions.filter(({ targetName }) => targetName !== null);
  const connections = normal.reduce((sum, session) => sum + session.connections.length, 0);
  const use =
    `${normal.length} OF ${limits.sessions} SESSIONS, ${connections} OF ${limits.connections} CONNECTIONS`;
  const nameOf = (iscsiName: string | null): string =>
    iscsiName === null
      ? "discovery"
      : targets.find((target) => target.iscsiName === iscsiName)?.name ?? iscsiName;
  const targetColumns = Math.min(
    Math.max(...sessions.map(({ targetName }) => nameOf(targetName).length)),
    TARGET_COLUMNS_MAX,
  );
  return [
    style.heading(row(use, sessionCells("SINCE", TRAFFIC_HEADS, columns), columns)),
    ...sessions.flatMap((session) =>
      showSession(session, { target: nameOf(session.targetName), targetColumns }, options)
    ),
  ];
}

function sessionCells(
  since: string,
  [commands = "", megabytes = "", latency = ""]: readonly string[],
  columns: number,
): string {
  return rightCells([[since, 10], [commands, 7], [megabytes, 7], [latency, 7]], columns);
}

function showSession(
  session: SessionReport,
  { target, targetColumns }: { target: string; targetColumns: number },
  { columns, style, nowMs, isBrief = false }: StatusTextOptions,
): string[] {
  const { initiatorName, since, connections, reservations, traffic } = session;
  const duration = formatDuration(Math.max(nowMs - Date.parse(since), 0) / 1000);
  const number = String(session.session).padStart(3);
  if (isBrief) {
    const left = `${number}  ${shorten(printable(target), targetColumns).padEnd(targetColumns)} `;
    const room = Math.max(columns - left.length, 0);
    const right = sessionCells(duration, trafficCells(traffic), room);
    return [(left + row(printable(formatInitiatorName(initiatorName)), right, room)).slice(0, columns)];
  }
  const right = sessionCells(duration, trafficCells(traffic), columns);
  const room = columns - INDENT.length;
  const failures = describeFailedCommands(traffic);
  const ends = connections.map(({ peerAddress, localAddress, localPort }) =>
    `from ${peerAddress} to ${formatPortal(localAddress, localPort)}`
  );
  const asides = [
    ...fit(
      [printable(target), [...new Set(ends)].join(", ")].join(" ").trimEnd(),
      room,
    ),
    ...[...new Set(connections.map(({ parameters }) => describeParameters(parameters)))]
      .flatMap((text) => fit(text, room)),
  ];
  return [
    row(`${number}  ${printable(formatInitiatorName(initiatorName))}`, right, columns),
    ...asides.map((line) => INDENT + style.aside(line)),
    ...describeReservations(reservations).flatMap((text) => fit(text, room)).map((line) => INDENT + line),
    ...(failures === undefined ? [] : warn(failures, columns, style)),
  ];
}

/** Breaks a text into lines of so many columns, between words; a longer word loses its middle. */
function fit(text: string, columns: number): string[] {
  return wrapWords(text, columns).map((line) => shorten(line, columns));
}

/** Formats the negotiated parameters, by shortened names of RFC 7143. */
function describeParameters(parameters: SessionReport["connections"][number]["parameters"]): string {
  const { initialR2T, immediateData, firstBurstLength, maxBurstLength, headerDigest, dataDigest } =
    parameters;
  return [
    `InitialR2T=${yesOrNo(initialR2T)}`,
    `ImmediateData=${yesOrNo(immediateData)}`,
    `FirstBurst=${kilobytes(firstBurstLength)}`,
    `MaxBurst=${kilobytes(maxBurstLength)}`,
    `Segment=${kilobytes(parameters.initiatorMaxRecvDataSegmentLength)}`,
    ...(headerDigest ? ["HeaderDigest=CRC32C"] : []),
    ...(dataDigest ? ["DataDigest=CRC32C"] : []),
  ].join(" ");
}

function yesOrNo(value: boolean): string {
  return value ? "Yes" : "No";
}

function kilobytes(bytes: number): string {
  return bytes % 1024 === 0 ? `${bytes / 1024}K` : String(bytes);
}

function describeReservations(reservations: SessionReport["reservations"]): string[] {
  return reservations.map(({ lun, isRegistered, holds }) => {
    const held = holds === null ? [] : [`holds ${RESERVATION_LABELS[holds]}`];
    return `LUN ${lun}: ${[...held, ...(isRegistered ? ["registered"] : [])].join(", ")}`;
  });
}

function showRefusals({ totals, recent }: RefusalsReport, options: StatusTextOptions): string[] {
  const { style } = options;
  const total = Object.values(totals).reduce((sum, count) => sum + count, 0);
  if (total === 0) return [style.heading("NO REFUSALS")];
  const shown = recent.slice(0, REFUSALS_MAX);
  return [
    style.heading(`REFUSALS, THE LAST OF ${total}`),
    ...shown.flatMap((refusal) => showRefusal(refusal, options)),
  ];
}

function showRefusal(refusal: RefusalReport, { columns, style, nowMs }: StatusTextOptions): string[] {
  const { peerAddress, initiatorName, rule, count, last } = refusal;
  const room = columns - INDENT.length;
  const times = count === 1 ? "" : ` ${count} times`;
  const when = `${formatAgo(last, nowMs)}${times}`;
  const name = initiatorName === null ? [] : [formatInitiatorName(initiatorName)];
  const who = printable([peerAddress, ...name].join(" "));
  // A quoted name stays whole, to be copied into the conf.
  const words = splitOutsideQuotes(printable(rule));
  return [
    row(`  ${who}`, `  ${when}`, columns),
    ...fillLines(words, room).map((line) => INDENT + style.warning(shorten(line, room))),
  ];
}
