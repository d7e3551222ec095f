/** The harness finds products that lie. */
import { assert, assertEquals } from "@std/assert";
import { explore } from "./_campaign.ts";
import type { Exploration } from "./_explore.ts";
import { serve, WORKLOADS } from "./_workloads.ts";
import type { Workload, World } from "./_world.ts";

const HONEST = WORKLOADS.find(({ name }) => name === "writes")!;

/** Returns a world that acknowledges flushes before they are done: their notes stand at their start. */
function hasty(world: World): World {
  return {
    storage: world.storage,
    build: (lines) => world.build(lines),
    serve: (lines) => world.serve(lines),
    connect: (name, luns) => world.connect(name, luns),
    note: (note) => {
      world.note(note);
      if (note.kind === "flushing") world.note({ kind: "flushed", id: note.id });
    },
  };
}

/** Returns a world that acknowledges writes on receipt. */
function boastful(world: World): World {
  return {
    ...hasty(world),
    note: (note) => {
      world.note(note);
      if (note.kind === "writing") world.note({ kind: "written", id: note.id });
    },
  };
}

function exploreIn(change: (world: World) => World, run = HONEST.run, states = 60): Promise<Exploration> {
  const workload: Workload = {
    ...HONEST,
    run: (world) => run(change(world)),
    prepare: async (world) => await HONEST.prepare?.(world),
  };
  return explore(workload, { seed: 1, states });
}

/** Flushes each write: the server often dies during a flush. */
async function flushOften(world: World): Promise<void> {
  const [anna] = await serve(world, "anna");
  for (let lba = 0; lba < 30 * 16; lba += 16) {
    await anna!.write({ lba, blocks: 16 });
    await anna!.flush();
  }
}

Deno.test("explore() finds a product that acknowledges flushes too early", async () => {
  const { violations } = await exploreIn(hasty, flushOften, 150);
  assert(violations.length > 0);
  assert(violations.every(({ description }) => description.startsWith("power cut")), "only after power cuts");
});

Deno.test("explore() finds a product that acknowledges writes too early", async () => {
  const { violations } = await exploreIn(boastful);
  assert(violations.some(({ description }) => description.startsWith("killed")));
});

Deno.test("explore() finds nothing where the product keeps its word, and tries what it is told", async () => {
  const { violations, tried } = await exploreIn((world) => world);
  assertEquals(violations, []);
  assertEquals(tried.kill + tried.power, 30);
  assertEquals(tried.second, 30);
});
