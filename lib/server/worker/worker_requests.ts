/** The supervisor's requests to a serving worker and their answers, as plain data. */
import type { Portal } from "../../access/portals.ts";
import type { ReportedChange } from "../../control/reported_change.ts";
import type { ServedSnapshot } from "../../control/unit_problem.ts";
import type { UnitReservations } from "../../control/unit_reservations.ts";
import type { CopyFiles } from "../target/unit_copies.ts";
import type { UnitAddress } from "../../control/control_requests.ts";
import type { TrimFigures } from "../../scsi/medium/trimmer.ts";
import type { TrimLimits } from "../target/trim_limits.ts";
import type { WorkerSettings } from "./worker_settings.ts";

/** A request to the worker, which it answers. */
export type WorkerRequest =
  /** Answer, to show that no operation blocks the worker. */
  | { readonly kind: "ping" }
  /** Return the state of the node. */
  | { readonly kind: "snapshot" }
  /** Ask the initiators of sessions to log out, and disconnect those that do not; null disconnects at once. */
  | {
    readonly kind: "disconnect";
    /** The target session identifying handles. */
    readonly sessions: readonly number[];
    readonly graceSeconds: number | null;
  }
  /** Return the reservations of all logical units. */
  | { readonly kind: "reservations" }
  /** Clear the reservations of a logical unit. */
  | { readonly kind: "clearReservations"; readonly target: string; readonly lun: number }
  /** Hold all operations on the medium of a logical unit, after a flush. */
  | { readonly kind: "hold"; readonly id: number; readonly target: string; readonly lun: number }
  /** End a hold; return whether it has lasted until now. */
  | { readonly kind: "unhold"; readonly id: number }
  /** Preserve the content of a logical unit for a copy. */
  | { readonly kind: "beginCopy"; readonly id: number; readonly target: string; readonly lun: number }
    & CopyFiles
  /** Answer when a copy has ended: with the reason for a failure, or null. */
  | { readonly kind: "copyEnded"; readonly id: number }
  /** End a copy; return the reason for a failure, or null. */
  | { readonly kind: "endCopy"; readonly id: number }
  /** Take a logical unit without sessions out of service, and close its files. */
  | { readonly kind: "withdraw" } & UnitAddress
  /** End a withdrawal: the files may be opened again. */
  | { readonly kind: "readmit" } & UnitAddress
  /** Give back the space of the blocks of a logical unit that hold only zeros; answered at the end. */
  | { readonly kind: "trim" } & UnitAddress & TrimLimits
  /** Return the progress of the trim of a logical unit. */
  | { readonly kind: "trimProgress" } & UnitAddress
  /** End the trim of a logical unit, if one runs. */
  | { readonly kind: "cancelTrim" } & UnitAddress
  /** Return the changes that a conf would make, with the affected sessions. */
  | { readonly kind: "preview" } & Pick<WorkerSettings, "config" | "interfaces">
  /** Serve other settings. */
  | { readonly kind: "reconfigure"; readonly settings: WorkerSettings };

/** The result of a reconfiguration. */
export interface Reconfigured {
  readonly changes: readonly ReportedChange[];
  /** The addresses at which the worker listens now. */
  readonly addresses: readonly Portal[];
  /** Reasons for which it does not listen at some portals. */
  readonly faults: readonly string[];
}

/** The answer to each kind of request. */
export interface Answers {
  readonly ping: null;
  readonly snapshot: ServedSnapshot;
  /** The sessions that existed. */
  readonly disconnect: readonly number[];
  readonly reservations: readonly UnitReservations[];
  readonly clearReservations: null;
  readonly hold: null;
  readonly unhold: boolean;
  readonly beginCopy: null;
  readonly copyEnded: string | null;
  readonly endCopy: string | null;
  readonly withdraw: null;
  readonly readmit: null;
  readonly trim: TrimFigures;
  /** Null when none runs. */
  readonly trimProgress: TrimFigures | null;
  readonly cancelTrim: null;
  readonly preview: readonly ReportedChange[];
  readonly reconfigure: Reconfigured;
}

/** The answer to a request. */
export type AnswerTo<Asked extends WorkerRequest> = Answers[Asked["kind"]];

/** The message with the answer to the request with this number; a fault is for the user. */
export type Answered =
  & { readonly kind: "answered"; readonly id: number }
  & (
    | { readonly answer: Answers[keyof Answers] }
    | { readonly fault: string }
  );
