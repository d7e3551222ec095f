/** The files of `dist` that the program carries, because one file is all that is copied onto a box. */
export const SHIPPED_FILES = [
  "iscsi.8",
  "iscsi.conf.5",
  "iscsi.conf.example",
  "libexec/iscsi",
  "init/openrc",
  "init/sysv",
  "ocf/iscsi",
  "prometheus.rules.yml",
  "grafana.json",
] as const;

/** A file of `dist` that the program carries. */
export type ShippedFile = typeof SHIPPED_FILES[number];

/** The folder of these files: from source, and beside the bundle in the compiled program. */
const FOLDER = Deno.build.standalone ? "./dist/" : "../../dist/";

/** Returns the text of a file of `dist`. */
export function readShippedFile(name: ShippedFile): string {
  return Deno.readTextFileSync(new URL(`${FOLDER}${name}`, import.meta.url));
}
