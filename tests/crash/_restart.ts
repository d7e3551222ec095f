/** The restart of the product after a crash, and what it shows then. */
import { type Disks, type Note, type Observation, tracesIn } from "./_notes.ts";
import { findDisks, findObstacles, flush, readReservations, readTags, UnsanitizedError } from "./_product.ts";
import type { LunsToLookAt, Workload, World } from "./_world.ts";

/** The conf and the workload of a restart. */
export interface Restart {
  readonly conf: readonly string[];
  /** The conf was built: nothing may keep it from being served. */
  readonly isBuilt: boolean;
  readonly workload: Pick<Workload, "restart" | "looksAt">;
}

/** Returns the conf and the workload of a restart, from the notes. */
export function restartOf(workload: Restart["workload"], notes: readonly Note[]): Restart {
  const conf = notes.findLast((note) => note.kind === "conf");
  const last = notes.findLast(({ kind }) => kind === "conf" || kind === "built");
  return { conf: conf?.lines ?? [], isBuilt: last?.kind === "built", workload };
}

/** Starts the product on what a crash has left, looks at everything, and notes what others could have seen. */
export async function restart(world: World, { conf, isBuilt, workload }: Restart): Promise<Observation> {
  const { storage } = world;
  const tags = new Map<number, readonly number[]>();
  const unsanitized = new Set<number>();
  const reservations = new Map<number, string>();
  const problems: string[] = [];
  let found: Disks = {};
  let built: Disks | undefined;
  const traces = findTraces(storage);
  try {
    found = findDisks(storage, conf);
    if (isBuilt) problems.push(...findObstacles(storage, conf));
    if (workload.restart === "build") {
      await world.build(conf);
      built = findDisks(storage, conf);
    }
    await look(world, conf, workload.looksAt, { tags, unsanitized, reservations });
  } catch (error) {
    problems.push(`cannot restart: ${error instanceof Error ? error.message : error}`);
  }
  return { problems, found, built, traces, tags, unsanitized, reservations };
}

/** Serves, and looks at LUNs. */
async function look(
  world: World,
  conf: readonly string[],
  luns: LunsToLookAt,
  { tags, unsanitized, reservations }: {
    tags: Map<number, readonly number[]>;
    unsanitized: Set<number>;
    reservations: Map<number, string>;
  },
): Promise<void> {
  const all = [...luns.blocks, ...luns.reservations];
  if (all.length === 0) return;
  await world.serve(conf);
  const initiator = await world.connect("witness", all);
  for (const lun of luns.reservations) {
    const state = await readReservations(initiator, lun);
    reservations.set(lun, state);
    world.note({ kind: "reservationsSeen", lun, state });
  }
  for (const lun of luns.blocks) {
    try {
      const seen = await readTags(initiator, lun);
      tags.set(lun, seen);
      await flush(initiator, lun);
      world.note({ kind: "seen", lun, tags: seen });
    } catch (error) {
      if (!(error instanceof UnsanitizedError)) throw error;
      unsanitized.add(lun);
      world.note({ kind: "seenUnsanitized", lun });
    }
  }
}

/** Finds blocks of writes in all files of a folder and of those in it. */
function findTraces(folder: string): Set<number> {
  const traces = new Set<number>();
  for (const { name, isDirectory, isFile } of isThere(folder) ? Deno.readDirSync(folder) : []) {
    const path = `${folder}/${name}`;
    const found = isDirectory ? findTraces(path) : isFile ? tracesIn(Deno.readFileSync(path)) : [];
    for (const id of found) traces.add(id);
  }
  return traces;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
