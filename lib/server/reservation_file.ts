import type { EventLog } from "../iscsi/events/event_log.ts";
import { reservationsFileOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import type { ReservationStore } from "../scsi/reservations/reservation_store.ts";
import { formatReservations, parseReservations } from "../scsi/reservations/reservation_text.ts";
import { StoreError } from "../store/block_store.ts";
import type { FileActivity } from "../store/file_activity.ts";
import { TwinFile } from "../store/twin_file.ts";

/** What it takes to keep reservations. */
export interface ReservationFileOptions {
  readonly log: EventLog;
  /** Called with each failure to save them. */
  readonly onFailure: (error: StoreError) => void;
  /** Counts what is under way off the event loop. */
  readonly activity?: FileActivity | undefined;
}

/**
 * Opens the file that keeps a logical unit's reservations: a file of the state folder, under its NAA identifier, so
 * that they stay with the unit wherever its backing file moves.
 *
 * @throws {StoreError} when the file is there and cannot be read, or what is in it cannot be used
 */
export function openReservationFile(
  storage: string,
  { naa }: Identity,
  { log, onFailure, activity }: ReservationFileOptions,
): ReservationStore {
  const path = reservationsFileOf(storage, naa);
  const file = new TwinFile(path, { activity });
  const { text, needsRewrite, isHalfDamaged } = file.read();
  const saved = text === undefined ? undefined : parse(text, path);
  if (isHalfDamaged) {
    log.warning(
      `One of the two copies of the reservations in "${path}" is damaged, by a loss of power or by the disk; ` +
        "restored from the other one",
    );
  }
  return {
    saved,
    needsRewrite,
    save: async (state) => {
      try {
        await file.replace(formatReservations(state));
      } catch (error) {
        // The initiator is told that there is no room for its request; the reason is here only.
        if (error instanceof StoreError) onFailure(error);
        throw error;
      }
    },
  };
}

/** A unit that is served without its reservations admits the initiators that they fence off. */
function parse(text: string, path: string): ReturnType<typeof parseReservations> {
  try {
    return parseReservations(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const problem = `Cannot read the reservations in "${path}": ${error.message}`;
    if (!(error instanceof SyntaxError)) throw new StoreError("readFailed", problem, { cause: error });
    const remedy = "restore it from a backup, or remove it once no cluster relies on it: " +
      "then nothing is reserved, and initiators that were fenced off can write";
    throw new StoreError("readFailed", `${problem}; ${remedy}`, { cause: error });
  }
}
