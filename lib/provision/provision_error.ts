import { errnoOf, errorMessage } from "../base/error_message.ts";

/** The disk refused a step of the provisioning; the message names the path and the remedy. */
export class ProvisionError extends Error {
  override readonly name = "ProvisionError";
}

/** What to do about what the system says, by errno; for some of them Deno has neither a class nor a code. */
const REMEDIES: Readonly<Record<number, string>> = {
  1: "run it as root",
  13: "run it as root",
  21: "name a file",
  27: "the file system holds no file as large; lower the size or use another file system, such as XFS",
  28: "make room and run it again",
  30: "mount the file system for writing",
  40: "mend the links, which lead back to themselves",
  98: "end the program that listens there, or set another port",
  122: "raise the quota and run it again",
};

/** What an error has to say, to be put after a colon, with the remedy where there is a known one. */
export function reasonOf(error: unknown): string {
  const reason = errorMessage(error);
  // Deno keeps what the system shows in these folders from every program that does not have all rights.
  if (reason.startsWith("Requires all access to ")) {
    return "it belongs to the system, as all in /proc, /sys and /dev does; choose another path";
  }
  const remedy = REMEDIES[errnoOf(error) ?? 0];
  return remedy === undefined ? reason : `${reason}; ${remedy}`;
}
