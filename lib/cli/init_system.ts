/** The systems that start services at boot. */
export const INIT_SYSTEMS = ["systemd", "openrc", "sysv"] as const;

/** A system that starts services at boot. */
export type InitSystem = typeof INIT_SYSTEMS[number];

/** A look at the files of a box, by their absolute paths there. */
export interface BoxFiles {
  exists(path: string): boolean;
  /** Returns the text of a symbolic link; undefined for anything else. */
  linkAt(path: string): string | undefined;
}

/** Finds the system that starts the services of a box; undefined when it has none that is known. */
export function findInitSystem(box: BoxFiles): InitSystem | undefined {
  // The folder is there while systemd runs; an image shows what it will run.
  const isSystemd = box.exists("/run/systemd/system") ||
    ["/sbin/init", "/usr/sbin/init"].some((path) => box.linkAt(path)?.endsWith("/systemd"));
  if (isSystemd) return "systemd";
  if (["/sbin/openrc-run", "/usr/sbin/openrc-run"].some((path) => box.exists(path))) return "openrc";
  return box.exists("/etc/init.d") ? "sysv" : undefined;
}
