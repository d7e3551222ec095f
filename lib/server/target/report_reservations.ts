import type { InitiatorPort, UnitReservations } from "../../control/unit_reservations.ts";
import type { LogicalUnit } from "../../scsi/logical_unit.ts";
import { isHolder } from "../../scsi/reservations/persistent_state.ts";
import type { ServedTarget } from "./served_target.ts";

/** Returns the reservations of a target's logical units: an entry for each unit that has any, or may have. */
export function reportReservations({ config, units }: ServedTarget): UnitReservations[] {
  return [...units].map(([lun, { logicalUnit }]) => ({
    target: config.name,
    targetName: config.iscsiName,
    lun,
    ...reportUnit(logicalUnit),
  })).filter(({ areKnown, registrations, reservedBy }) =>
    !areKnown || registrations.length > 0 || reservedBy !== null
  );
}

function reportUnit(
  { reservations, nexuses }: LogicalUnit,
): Omit<UnitReservations, "target" | "targetName" | "lun"> {
  const { state, reserver } = reservations;
  const present = new Set([...nexuses].map(({ id }) => id));
  return {
    areKnown: !reservations.areUnknown,
    generation: state.generation,
    persists: state.persists,
    registrations: [...state.registrations].map(([id, { initiatorPort, key }]) => ({
      ...portOf(initiatorPort),
      key,
      holds: isHolder(state, id),
      isLoggedIn: present.has(id),
    })),
    type: state.reservation?.type ?? null,
    reservedBy: reserver === undefined ? null : portOf(reserver.initiatorPort),
  };
}

/** Returns the parts of an initiator port's SCSI name, `iqn...,i,0x...`. */
function portOf(initiatorPort: string): InitiatorPort {
  const [, initiatorName = initiatorPort, isid = ""] = /^(.*),i,0x([0-9a-f]{12})$/.exec(initiatorPort) ?? [];
  return { initiatorName, isid };
}
