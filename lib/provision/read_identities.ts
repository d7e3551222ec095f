import { type Identities, parseIdentities } from "./identity/identities.ts";
import { isAbsence } from "./is_absence.ts";
import { reasonOf } from "./provision_error.ts";

/** The identities recorded in the state folder. */
export type RecordedIdentities =
  | { readonly kind: "recorded"; readonly identities: Identities }
  /** The text was read but is invalid. */
  | { readonly kind: "corrupt"; readonly reason: string }
  /** The text could not be read. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** Reads the recorded identities; none where there is no file. */
export function readIdentities(file: string): RecordedIdentities {
  try {
    // Reading a named pipe would block.
    if (!Deno.statSync(file).isFile) return { kind: "unreadable", reason: "it is not a file; move it away" };
    return { kind: "recorded", identities: parseIdentities(Deno.readTextFileSync(file)) };
  } catch (error) {
    if (isAbsence(error)) return { kind: "recorded", identities: new Map() };
    return { kind: error instanceof SyntaxError ? "corrupt" : "unreadable", reason: reasonOf(error) };
  }
}
