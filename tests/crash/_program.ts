/**
 * The program that runs under strace. It runs a workload with the product as programs, and writes each note as a line
 * of a file, so the log has the notes among the changes. Arguments: the workload, a folder, `prepare` or `run`.
 */
import { ProgramWorld } from "./_program_world.ts";
import { placesIn } from "./_places.ts";
import { WORKLOADS } from "./_workloads.ts";

async function main([name, folder, stage]: readonly string[]): Promise<void> {
  const workload = WORKLOADS.find((workload) => workload.name === name)!;
  const places = placesIn(folder!);
  using file = Deno.openSync(places.notes, { write: true, create: true });
  const encoder = new TextEncoder();
  const world = new ProgramWorld(
    places.storage,
    places.conf,
    (note) => void file.writeSync(encoder.encode(JSON.stringify(note) + "\n")),
  );
  try {
    await (stage === "prepare" ? workload.prepare?.(world) : workload.run(world));
  } finally {
    await world.end();
  }
}

if (import.meta.main) await main(Deno.args);
