import type { EventLog } from "../iscsi/event_log.ts";
import { reservationsFileOf } from "../provision/state_folder.ts";
import type { Identity } from "../scsi/identity.ts";
import type { ReservationStore } from "../scsi/reservations/reservation_store.ts";
import { DurableFile } from "../store/durable_file.ts";

/**
 * Where a logical unit's reservations are kept: a file of the state folder, under its NAA identifier, so that they stay
 * with the unit wherever its backing file moves.
 *
 * @throws {StoreError} when the file is there and cannot be read
 */
export function openReservationFile(storage: string, { naa }: Identity, log: EventLog): ReservationStore {
  const file = new DurableFile(reservationsFileOf(storage, naa));
  return {
    saved: file.read(),
    save: async (text) => {
      try {
        await file.replace(text);
      } catch (error) {
        // The initiator is told that there is no room for its request; the reason is here only.
        log.warning(error instanceof Error ? error.message : String(error));
        throw error;
      }
    },
  };
}

/** What to tell of a file whose reservations cannot be read: who starts without them lets in whom they keep out. */
export function describeDamage(storage: string, { naa }: Identity, reason: string): string {
  const path = reservationsFileOf(storage, naa);
  return `Cannot read the reservations in "${path}": ${reason}; ` +
    "remove it once no cluster relies on them, and they are forgotten";
}
