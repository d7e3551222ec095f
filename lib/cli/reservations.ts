import { foldIscsiName, formatInitiatorName } from "../config/iscsi_name.ts";
import type { UnitReservations } from "../control/unit_reservations.ts";
import { refuseUnlessConfirmed, writeSubject } from "./confirmation.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { withServer } from "./find_server.ts";
import type { OptionValues } from "./options.ts";
import { RESERVATION_LABELS } from "./reservation_labels.ts";
import { printable, shorten } from "./show_text.ts";
import { LINE_COLUMNS_MAX } from "./wrap_words.ts";
import { targetNameOf } from "./find_sessions.ts";

/** Width of the columns behind the name of a registered initiator: its ISID and its state. */
const RIGHT_COLUMNS = "  00023d000001  logged in".length;

/** `iscsi reservations`: shows the reservations on the LUNs (`--json`: as `UnitReservations`), or clears them. */
export function reservations(
  context: Context,
  options: OptionValues,
  [clear, target, lun]: readonly string[],
): Promise<ExitCode> {
  const isValid = clear === undefined || target !== undefined && /^\d*$/.test(lun ?? "");
  if (!isValid) {
    context.stderr.write('iscsi: Write "iscsi reservations", or "iscsi reservations clear TARGET [LUN]"\n');
    return Promise.resolve(EXIT_CODES.wrongUsage.code);
  }
  const print = (line: string): void => {
    if (context.json === undefined) context.stdout.write(`${line}\n`);
  };
  return withServer(options, context, async (client) => {
    const all = await client.request("reservations", {});
    if (target === undefined) return show(all, context);
    const units = all.filter((unit) =>
      (unit.target === target.toLowerCase() || unit.targetName === foldIscsiName(target)) &&
      (lun === undefined || unit.lun === Number(lun))
    );
    if (units.length === 0) {
      const { node } = await client.request("status", {});
      if (node !== null && targetNameOf(node, target) === undefined) {
        context.stderr.write(
          `iscsi: Cannot clear "${printable(target)}": no such target\n`,
        );
        return EXIT_CODES.failed.code;
      }
      const what = lun === undefined ? `[${target}]` : `LUN ${lun} of [${target}]`;
      print(`${what} has no reservations`);
      context.json?.setDocument({ cleared: [] });
      return EXIT_CODES.done.code;
    }
    const list = units.flatMap((unit) => describe(unit, columnsOf(context)));
    writeSubject(list.map((line) => `${line}\n`).join(""), context, options);
    const refusal = await refuseUnlessConfirmed(context, {
      yes: options.yes,
      question: "Clear all of this? Initiators it fences off could then write.",
    });
    if (refusal !== undefined) return refusal;
    const cleared: { target: string; lun: number }[] = [];
    context.json?.setDocument({ cleared });
    for (const { target, lun } of units) {
      await client.request("clearReservations", { target, lun });
      cleared.push({ target, lun });
      print(`Cleared LUN ${lun} of [${target}]`);
    }
    return EXIT_CODES.done.code;
  });
}

function show(units: readonly UnitReservations[], context: Context): ExitCode {
  if (context.json !== undefined) context.json.setDocument(units);
  else if (units.length === 0) context.stdout.write("No reservations\n");
  else {
    const lines = units.flatMap((unit) => describe(unit, columnsOf(context)));
    context.stdout.write(lines.map((line) => `${line}\n`).join(""));
  }
  return EXIT_CODES.done.code;
}

function columnsOf({ terminal }: Context): number {
  return terminal?.size().columns ?? LINE_COLUMNS_MAX;
}

/** Formats the reservations on a LUN: the type, then a line for each registration. */
function describe(unit: UnitReservations, columns: number): string[] {
  const { target, lun, areKnown, type, generation, persists, registrations, reservedBy } = unit;
  const persistent = type === null ? "no persistent reservation" : RESERVATION_LABELS[type];
  const survives = persists ? "survives a loss of power" : "lost with the power";
  const heads = registrations.length === 0 ? [] : [`  ${persistent}; generation ${generation}; ${survives}`];
  if (!areKnown) return [`LUN ${lun} of [${target}]`, '  unknown, LUN not served: see "iscsi status"'];
  const names = registrations.map(({ initiatorName }) => printable(formatInitiatorName(initiatorName)));
  const rows = registrations.map(({ isid, key, holds, isLoggedIn }, index) => {
    const left = `  ${holds ? "holds" : "     "}  ${key}  `;
    const right = `  ${isid}  ${isLoggedIn ? "logged in" : "away"}`;
    const room = Math.min(
      Math.max(...names.map((name) => name.length)),
      columns - left.length - RIGHT_COLUMNS,
    );
    return left + shorten(names[index]!, room).padEnd(room) + right;
  });
  const legacy = reservedBy === null
    ? []
    : [`  RESERVE by ${formatInitiatorName(reservedBy.initiatorName)}  ${reservedBy.isid}`];
  return [`LUN ${lun} of [${target}]`, ...heads, ...rows, ...legacy].map((line) =>
    shorten(printable(line), columns)
  );
}
