/**
 * The house: every folder is a floor, and an import goes to the same folder or to a lower floor.
 *
 * Two folders of one floor do not import each other. Files outside (tests, tools) may import the house; no file of the
 * house imports them.
 */
import type { SourceFile } from "./source_tree.ts";
import { type Finding, readSyntax, type Syntax } from "./syntax.ts";

/** A file that breaks a rule. */
export interface Breach extends Finding {
  readonly path: string;
}

/**
 * The floors, the lowest first, each with its folders and the files that live in none. A folder within another is a
 * room of its own.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["lib/base", "lib/bytes", "deno.json"],
  ["lib/config", "lib/access", "lib/store"],
  ["lib/scsi"],
  ["lib/iscsi"],
  ["lib/iscsi/events"],
  ["lib/iscsi/pdu"],
  ["lib/iscsi/wire", "lib/iscsi/negotiation"],
  ["lib/iscsi/login", "lib/iscsi/task"],
  ["lib/iscsi/session"],
  ["lib/iscsi/connection"],
  ["lib/iscsi/node"],
  ["lib/control", "lib/metrics", "lib/provision"],
  ["lib/server"],
  ["lib/server/target", "lib/server/storage", "lib/server/relay"],
  ["lib/server/worker"],
  ["lib/server/port"],
  ["lib/server/supervisor"],
  ["lib/server/control"],
  ["lib/server/metrics"],
  ["lib/cli"],
  ["main.ts"],
];

/** The floor of each room, those within others first. */
const FLOOR_OF: ReadonlyMap<string, number> = new Map(
  FLOORS.flatMap((rooms, floor) => rooms.map((room) => [room, floor] as const)).reverse(),
);

/** The packages behind `@std/*`: they are part of the house only under those names. */
const PACKAGES = "lib/std";

/** Packages that a floor may import besides files of the house and `@std/*`, for lack of a Deno call. */
const ALLOWED_PACKAGES = ["node:net", "node:fs", "node:os", "node:process", "node:crypto"];

/**
 * The files that touch the world, in folders that otherwise hold functions of values. In a folder that is not listed
 * any file may.
 */
export const WORLDLY_FILES: Readonly<Record<string, readonly string[]>> = {
  "lib/base": [],
  "lib/bytes": [],
  "lib/config": [],
  "lib/access": [],
  "lib/scsi": [],
  "lib/iscsi": ["lib/iscsi/connection/yield_to_sockets.ts"],
  "lib/store": [
    "lib/store/atomic_journal.ts",
    "lib/store/atomic_recovery.ts",
    "lib/store/durable_file.ts",
    "lib/store/file_store.ts",
    "lib/store/handle_pool.ts",
    "lib/store/stable_storage.ts",
    "lib/store/twin_file.ts",
  ],
  "lib/control": [
    "lib/control/control_client.ts",
    "lib/control/control_server.ts",
    "lib/control/socket_path.ts",
  ],
  "lib/metrics": [],
  "lib/provision": [
    "lib/provision/apply_steps.ts",
    "lib/provision/backing_locks.ts",
    "lib/provision/build_mark.ts",
    "lib/provision/helper_guard.ts",
    "lib/provision/own_files.ts",
    "lib/provision/provision.ts",
    "lib/provision/copy/copy_files.ts",
    "lib/provision/copy/copy_lock.ts",
    "lib/provision/copy/copy_room.ts",
    "lib/provision/copy/data_extents.ts",
    "lib/provision/copy/destinations.ts",
    "lib/provision/copy/low_priority.ts",
    "lib/provision/copy/open_file.ts",
    "lib/provision/copy/temporary_file.ts",
    "lib/provision/folders.ts",
    "lib/provision/file_lock.ts",
    "lib/provision/forget.ts",
    "lib/provision/forget_plan.ts",
    "lib/provision/unused_mention.ts",
    "lib/provision/identity/random_identity.ts",
    "lib/provision/in_place_folders.ts",
    "lib/provision/run_helper.ts",
    "lib/provision/settle_state.ts",
    "lib/provision/space_reserve.ts",
    "lib/provision/served_elsewhere.ts",
    "lib/provision/storage_lock.ts",
    "lib/provision/survey.ts",
    "lib/provision/read_identities.ts",
    "lib/provision/is_absence.ts",
    "lib/provision/file_size_limit.ts",
    "lib/provision/file_systems.ts",
    "lib/provision/host_name.ts",
    "lib/provision/live_conf.ts",
    "lib/provision/lock_reach.ts",
    "lib/provision/former_storage.ts",
    "lib/provision/fstab.ts",
    "lib/provision/strangers.ts",
    "lib/provision/worker_links.ts",
    "lib/provision/worker_state.ts",
  ],
};

/** Returns the folder, or single file, of the house that a path belongs to; undefined outside. */
function roomOf(path: string): string | undefined {
  return FLOOR_OF.keys().find((room) => path === room || path.startsWith(`${room}/`));
}

function isPackageFile(path: string): boolean {
  return path.startsWith(`${PACKAGES}/`);
}

/** Returns the path that a relative specifier leads to; undefined for a package. */
function resolve(path: string, specifier: string): string | undefined {
  return specifier.startsWith(".") ? new URL(specifier, `file:///${path}`).pathname.slice(1) : undefined;
}

/** Returns the reason why a file of the house may not import a package; undefined when it may. */
function packageFault(specifier: string): string | undefined {
  const isAllowed = specifier.startsWith("@std/") || ALLOWED_PACKAGES.includes(specifier);
  return isAllowed ? undefined : `imports "${specifier}", which is not on the list`;
}

/** Returns the reason why a file may not import another; undefined when it may. */
function importFault(path: string, specifier: string): string | undefined {
  const target = resolve(path, specifier);
  if (target !== undefined && isPackageFile(target) !== isPackageFile(path)) {
    return `imports "${specifier}" across the border of ${PACKAGES}`;
  }
  const room = roomOf(path);
  if (room === undefined) return undefined;
  if (target === undefined) return packageFault(specifier);
  const targetRoom = roomOf(target);
  if (targetRoom === undefined) return `imports "${specifier}", which is outside the house`;
  const [floor, targetFloor] = [FLOOR_OF.get(room)!, FLOOR_OF.get(targetRoom)!];
  if (targetRoom === room || targetFloor < floor) return undefined;
  const way = targetFloor === floor ? "sideways" : "up";
  return `imports "${specifier}": ${way}, from ${room} to ${targetRoom}`;
}

/** Returns the reason why a file may not use one of the world's doors; undefined when it may. */
function worldlyFault(path: string, name: string): string | undefined {
  const room = Object.keys(WORLDLY_FILES).find((folder) => path.startsWith(`${folder}/`));
  const worldlyFiles = room === undefined ? undefined : WORLDLY_FILES[room];
  if (worldlyFiles === undefined || worldlyFiles.includes(path)) return undefined;
  return `uses ${name}; in ${room} ${
    worldlyFiles.length === 0 ? "no file may" : `only ${worldlyFiles.join(", ")} may`
  }`;
}

/** Returns the cycles of imports, each from its first file by name. */
function findCycles(syntaxes: ReadonlyMap<string, Syntax>): Breach[] {
  const breaches: Breach[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  function visit(path: string): void {
    if (way.includes(path)) {
      const cycle = [...way.slice(way.indexOf(path)), path];
      breaches.push({ path, line: 1, text: `is in a circle: ${cycle.join(" -> ")}` });
      return;
    }
    if (done.has(path)) return;
    way.push(path);
    for (const { text } of syntaxes.get(path)?.imports ?? []) {
      const target = resolve(path, text);
      if (target !== undefined) visit(target);
    }
    way.pop();
    done.add(path);
  }
  for (const path of syntaxes.keys()) visit(path);
  return breaches;
}

/** Returns every breach of the rules above in a tree of TypeScript files. */
export function findBreaches(files: readonly SourceFile[]): Breach[] {
  const breaches: Breach[] = [];
  const syntaxes = new Map(files.map((file) => [file.path, readSyntax(file)]));
  for (const [path, syntax] of syntaxes) {
    if (path.startsWith("lib/") && roomOf(path) === undefined && !isPackageFile(path)) {
      breaches.push({ path, line: 1, text: "is on no floor: give its folder one" });
    }
    const faults = [
      ...syntax.imports.map(({ line, text }) => ({ line, text: importFault(path, text) })),
      ...syntax.worldly.map(({ line, text }) => ({ line, text: worldlyFault(path, text) })),
    ];
    for (const { line, text } of faults) {
      if (text !== undefined) breaches.push({ path, line, text });
    }
  }
  return [...breaches, ...findCycles(syntaxes)];
}
