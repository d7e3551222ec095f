/** What the supervisor asks its worker while that serves, and what the worker answers: plain data, posted as it is. */
import type { Portal } from "../access/portals.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import type { ServedSnapshot } from "../control/unit_problem.ts";
import type { UnitReservations } from "../control/unit_reservations.ts";
import type { WorkerSettings } from "./worker_settings.ts";

/** Something that the supervisor wants to know, or to have done and to know how it went. */
export type WorkerRequest =
  /** How the node is at this moment. */
  | { readonly kind: "snapshot" }
  /** Ask the initiators of these sessions to log out, and cut those that have not by then; null cuts them at once. */
  | {
    readonly kind: "disconnect";
    /** By their target session identifying handles. */
    readonly sessions: readonly number[];
    readonly graceSeconds: number | null;
  }
  /** What is reserved of the logical units. */
  | { readonly kind: "reservations" }
  /** Clear everything that is reserved of a logical unit. */
  | { readonly kind: "clearReservations"; readonly target: string; readonly lun: number }
  /** What would change if this were served, and who would notice. */
  | { readonly kind: "preview" } & Pick<WorkerSettings, "config" | "interfaces">
  /** Serve this from now on. */
  | { readonly kind: "reconfigure"; readonly settings: WorkerSettings };

/** What has become of a server. */
export interface Reconfigured {
  readonly changes: readonly ReportedChange[];
  /** Where it listens now. */
  readonly addresses: readonly Portal[];
  /** Why it does not at some portals. */
  readonly faults: readonly string[];
}

/** What each question is answered with. */
export interface Answers {
  readonly snapshot: ServedSnapshot;
  /** Those of the sessions that there are. */
  readonly disconnect: readonly number[];
  readonly reservations: readonly UnitReservations[];
  readonly clearReservations: null;
  readonly preview: readonly ReportedChange[];
  readonly reconfigure: Reconfigured;
}

/** The answer to a question. */
export type AnswerTo<Asked extends WorkerRequest> = Answers[Asked["kind"]];

/** An answer as it is posted, to the question with this number; a fault is for the user. */
export type Answered =
  & { readonly kind: "answered"; readonly id: number }
  & (
    | { readonly answer: Answers[keyof Answers] }
    | { readonly fault: string }
  );
