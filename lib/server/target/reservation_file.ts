import type { EventLog } from "../../iscsi/events/event_log.ts";
import { reservationsFileOf } from "../../provision/state_folder.ts";
import type { Identity } from "../../scsi/identity.ts";
import type { ReservationStore } from "../../scsi/reservations/reservation_store.ts";
import { formatReservations, parseReservations } from "../../scsi/reservations/reservation_text.ts";
import { StoreError } from "../../store/block_store.ts";
import type { FileActivity } from "../../store/file_activity.ts";
import { TwinFile } from "../../store/twin_file.ts";

/** The options of a reservation file. */
export interface ReservationFileOptions {
  readonly log: EventLog;
  /** Called with each failure to store the reservations. */
  readonly onFailure: (error: StoreError) => void;
  /** Counts operations off the event loop. */
  readonly activity?: FileActivity | undefined;
}

/**
 * Opens the file that stores a logical unit's reservations. Its name in the state folder is the unit's NAA identifier,
 * so the reservations follow the unit when its backing file moves.
 *
 * @throws {StoreError} when the file exists and is unreadable or damaged
 */
export function openReservationFile(
  place: string,
  { naa }: Identity,
  { log, onFailure, activity }: ReservationFileOptions,
): ReservationStore {
  const path = reservationsFileOf(place, naa);
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
        // The initiator only learns that resources are insufficient; the log has the reason.
        if (error instanceof StoreError) onFailure(error);
        throw error;
      }
    },
  };
}

/** Reads the reservations. Serving without these reservations would admit fenced-off initiators. */
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
