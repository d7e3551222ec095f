import { fail } from "@std/assert";
import type { FileReading } from "../../lib/config/build_chap.ts";
import type { Config } from "../../lib/config/config.ts";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import type { Identity } from "../../lib/scsi/identity.ts";

/** The configuration of a conf that must be good; its file is called `conf`, and every file of secrets has one. */
export function configOf(...lines: readonly string[]): Config {
  const readFile = (path: string): FileReading => ({ text: `${path} secretoffile1`, mode: 0o600 });
  const { config, diagnostics } = parseConfig(lines.join("\n"), { file: "conf", readFile });
  return config ?? fail(diagnostics.map(formatDiagnostic).join("\n"));
}

/** Returns a conf whose targets are served at whichever port is free: port 0, which no conf can name. */
export function atAnyPort(config: Config): Config {
  return atPort(config, 0);
}

/** Returns a conf whose targets are all served at a port. */
export function atPort(config: Config, port: number): Config {
  return { ...config, port, targets: config.targets.map((target) => ({ ...target, port })) };
}

/** A source of identities that are all different and the same in every run: number 1, 2, 3... */
export function numberedIdentities(): () => Identity {
  let number = 0;
  return function makeIdentity(): Identity {
    number++;
    return identityNumber(number);
  };
}

/** The identity that a source of numbered ones gives at its call `number`, from 1. */
export function identityNumber(number: number): Identity {
  const digits = String(number);
  return { naa: `3${digits.padStart(15, "0")}`, serialNumber: digits.padStart(20, "0") };
}

/** The time of a build in tests. */
export const NOW = "2026-10-14T12:00:00.000Z";

/** Returns the record of a file that was created with a size. */
export function createdFile(sizeBytes: number): { readonly created: string; readonly sizeBytes: number } {
  return { created: NOW, sizeBytes };
}
